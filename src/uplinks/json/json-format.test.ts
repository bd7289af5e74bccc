import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { STATUS_NAMES } from "../../core/quality.ts";
import { VALUE_TYPES } from "../../core/tag.ts";
import type { Message, NumberedSample, Sample } from "../../pipeline.ts";
import { SettableValues, tagOf } from "../../testing/settable-values.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { SessionFormat } from "../format.ts";
import { topicsBelow } from "../topics.ts";
import { createJsonFormat } from "./json-format.ts";
import { tagText } from "./json-payload.ts";

/** 2026-01-01, the virtual clock's beginning. */
const T = 1_767_225_600_000;
const ROOMY = 100_000;

const speed = tagOf("pump-1", "speed", "float32", { units: "rpm", min: 0, max: 1500, scanRateMs: 500 });
const total = tagOf("pump-1", "total", "uint64", { writable: true });
const door = tagOf("inputs", "door", "bool");

function setUp(messageMaxBytes = ROOMY) {
  const clock = new VirtualClock(T);
  const devices = [
    { name: "pump-1", tags: [speed, total] },
    { name: "inputs", tags: [door] },
  ];
  const values = new SettableValues(clock, devices, []);
  const format = createJsonFormat({ topics: topicsBelow("plant-7/pump-house-3"), id: "{device}/{tag}", values, clock });
  const opening = { session: 12, connectMs: T - 5 };
  const session = format.session(opening, { messageMaxBytes, retainAvailable: true });
  return { clock, values, format, opening, session };
}

function shown(messages: Iterable<Message>): readonly string[] {
  return [...messages].map(({ topic, payload, qos, retain }) => {
    assert.equal(qos, 1);
    return `${topic}${retain ? " retained" : ""} ${Buffer.from(payload).toString()}`;
  });
}

function numbered(samples: readonly Sample[]): readonly NumberedSample[] {
  return samples.map((sample, index) => ({ ...sample, number: index + 1 }));
}

const good = { status: "Good", epoch: 1 } as const;

describe("the JSON of the contract, to the byte", () => {
  test("will", () => {
    const { format, opening } = setUp();
    assert.deepEqual(shown([format.will(opening)]), [
      `plant-7/pump-house-3/status retained {"online":false,"timestamp":1767225599995,"session":12,"epoch":1}`,
    ]);
  });

  test("tags: what does not apply is left out", () => {
    assert.deepEqual(shown(setUp().session.describe()), [
      `plant-7/pump-house-3/tags/pump-1 retained {"timestamp":${T},"session":12,"tags":{"speed":{"type":"float32","units":"rpm","min":0,"max":1500,"scanRate":500,"stale":5000,"writable":false},"total":{"type":"uint64","scanRate":1000,"stale":5000,"writable":true}}}`,
      `plant-7/pump-house-3/tags/inputs retained {"timestamp":${T},"session":12,"tags":{"door":{"type":"bool","scanRate":1000,"stale":5000,"writable":false}}}`,
    ]);
  });

  test("tags: names of numbers go with the tag, values stay numbers", () => {
    const mode = tagOf("pump-1", "mode", "uint16", { enum: { "0": "stopped", "1": "running" } });
    assert.equal(
      tagText(mode),
      '"mode":{"type":"uint16","enum":{"0":"stopped","1":"running"},"scanRate":1000,"stale":5000,"writable":false}',
    );
  });

  test("snapshot: every tag from the first moment", () => {
    const { session, values } = setUp();
    values.set("pump-1/speed", 1490.5);
    assert.deepEqual(shown(session.picture()), [
      `plant-7/pump-house-3/snapshot/pump-1 retained {"timestamp":${T},"session":12,"epoch":1,"after":0,"values":[{"id":"pump-1/speed","v":1490.5,"q":true,"t":${T + 1}},{"id":"pump-1/total","v":null,"q":false,"s":"BadWaitingForInitialData","t":${T}}]}`,
      `plant-7/pump-house-3/snapshot/inputs retained {"timestamp":${T},"session":12,"epoch":1,"after":0,"values":[{"id":"inputs/door","v":null,"q":false,"s":"BadWaitingForInitialData","t":${T}}]}`,
    ]);
  });

  test("data, then the status that counts it", () => {
    const { session } = setUp();
    shown(session.picture());
    const samples = numbered([
      { tag: speed, value: Math.fround(0.1), sourceTimestampMs: T, ...good },
      { tag: total, value: 2n ** 60n, sourceTimestampMs: T, ...good, status: "BadNoCommunication" },
    ]);
    const { messages, taken } = session.live(samples, ROOMY);
    assert.equal(taken, 2);
    assert.deepEqual(shown(messages), [
      `plant-7/pump-house-3/data {"timestamp":${T},"session":12,"epoch":1,"seq":1,"values":[{"id":"pump-1/speed","v":0.1,"q":true,"t":${T}},{"id":"pump-1/total","v":"1152921504606846976","q":false,"s":"BadNoCommunication","t":${T}}]}`,
    ]);
    assert.deepEqual(shown(session.online()), [
      `plant-7/pump-house-3/status retained {"online":true,"timestamp":${T},"session":12,"epoch":1,"seq":1,"devices":{"pump-1":1}}`,
    ]);
    assert.deepEqual(shown(session.offline()), [
      `plant-7/pump-house-3/status retained {"online":false,"timestamp":${T},"session":12,"epoch":1}`,
    ]);
  });

  test("history has its own topic, its own seq and its mark; an earlier epoch says so", () => {
    const { session, values } = setUp();
    values.raiseEpoch();
    session.live(numbered([{ tag: door, value: true, sourceTimestampMs: T, ...good }]), ROOMY);
    const samples = numbered([
      { tag: door, value: true, sourceTimestampMs: T, ...good },
      { tag: door, value: false, sourceTimestampMs: T, status: "Good", epoch: 2 },
    ]);
    assert.deepEqual(shown(session.history(samples, ROOMY).messages), [
      `plant-7/pump-house-3/history {"timestamp":${T},"session":12,"epoch":2,"seq":1,"values":[{"id":"inputs/door","v":true,"q":true,"t":${T},"h":1,"e":1},{"id":"inputs/door","v":false,"q":true,"t":${T},"h":1}]}`,
    ]);
  });

  test("events stand among all samples, and again on a topic of their own", () => {
    const { session } = setUp();
    const event = { ...good, tag: tagOf("gateway", "events", "string"), value: "#7 uplink: cloud: connected" };
    const sample = { ...good, tag: speed, value: 1, sourceTimestampMs: T };
    const given = numbered([sample, { ...event, sourceTimestampMs: T + 1, epoch: 0 }]);
    const entry = `{"id":"gateway/events","v":"#7 uplink: cloud: connected","q":true,"t":${T + 1}`;
    const feed = `plant-7/pump-house-3/events {"timestamp":${T},"session":12,"epoch":1,"values":[${entry},"e":0}]}`;
    for (const how of ["live", "history"] as const) {
      const { messages, taken } = session[how](given, ROOMY);
      assert.equal(taken, 2);
      assert.deepEqual(shown(messages.slice(1)), [feed]);
      assert.match(shown(messages)[0] ?? "", /"gateway\/events","v":"#7 uplink/);
    }
    assert.equal(session.live(given.slice(0, 1), ROOMY).messages.length, 1);
  });

  test("a lost range", () => {
    const loss = {
      id: 1,
      reason: "too old",
      epoch: 1,
      toEpoch: 1,
      fromMs: T,
      toMs: T + 9,
      tags: [{ tag: speed, count: null }],
    } as const;
    assert.deepEqual(shown(setUp().session.lost(loss, ROOMY)), [
      `plant-7/pump-house-3/history {"timestamp":${T},"session":12,"epoch":1,"seq":1,"values":[{"id":"pump-1/speed","v":null,"q":false,"s":"BadDataLost","t":${T},"h":1,"from":${T},"to":${T + 9},"count":null,"reason":"too old"}]}`,
    ]);
    const over = { ...loss, toEpoch: 3, toMs: T + 2 };
    assert.match(
      shown(setUp().session.lost(over, ROOMY)).join(),
      new RegExp(`"from":${T},"to":${T + 2},"toE":3,"count"`),
    );
  });

  test("samples that are forgone are lost ranges, one a tag and epoch", () => {
    const samples = numbered([
      { tag: speed, value: 1, sourceTimestampMs: T, ...good },
      { tag: door, value: true, sourceTimestampMs: T + 1, ...good },
      { tag: speed, value: 2, sourceTimestampMs: T + 5, ...good },
    ]);
    const { messages, taken } = setUp().session.forgone(samples, ROOMY);
    assert.equal(taken, 3);
    assert.deepEqual(shown(messages), [
      `plant-7/pump-house-3/history {"timestamp":${T},"session":12,"epoch":1,"seq":1,"values":[{"id":"pump-1/speed","v":null,"q":false,"s":"BadDataLost","t":${T},"h":1,"from":${T},"to":${T + 5},"count":2,"reason":"history off"},{"id":"inputs/door","v":null,"q":false,"s":"BadDataLost","t":${T + 1},"h":1,"from":${T + 1},"to":${T + 1},"count":1,"reason":"history off"}]}`,
    ]);
  });

  test("what does not fit into one message has parts, each saying how many there are", () => {
    const { session } = setUp(460);
    const topics = [...session.describe()].map(({ topic, payload }) => {
      const { part, parts, tags } = JSON.parse(Buffer.from(payload).toString());
      return [topic, part, parts, Object.keys(tags)];
    });
    assert.deepEqual(topics, [
      ["plant-7/pump-house-3/tags/pump-1", 1, 2, ["speed"]],
      ["plant-7/pump-house-3/tags/pump-1/2", 2, 2, ["total"]],
      ["plant-7/pump-house-3/tags/inputs", undefined, undefined, ["door"]],
    ]);
  });

  test("the id follows its template", () => {
    const clock = new VirtualClock(T);
    const values = new SettableValues(clock, [{ name: "inputs", tags: [door] }], []);
    const format = createJsonFormat({ topics: topicsBelow("x"), id: "Site.{device}.{tag}", values, clock });
    const session = format.session({ session: 1, connectMs: T }, { messageMaxBytes: ROOMY, retainAvailable: true });
    assert.match(shown(session.picture()).join(), /"id":"Site\.inputs\.door"/);
  });
});

describe("messages of samples", () => {
  const value = fc.oneof(
    fc.boolean(),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: "binary", maxLength: 250 }),
    fc.constant(null),
  );
  const sample = fc.record({
    tag: fc.constantFrom(...VALUE_TYPES.map((type) => tagOf("device", type, type))),
    value,
    status: fc.constantFrom(...STATUS_NAMES),
    sourceTimestampMs: fc.integer({ min: 0, max: 2 ** 45 }),
    epoch: fc.integer({ min: 1, max: 3 }),
    number: fc.nat(),
  });
  const kinds = ["live", "history", "forgone"] as const satisfies readonly (keyof SessionFormat)[];

  test("P7: every message keeps to its limit, takes at least one sample, and all samples in the end", () => {
    fc.assert(
      fc.property(
        fc.array(sample, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 2_500, max: 10_000 }),
        fc.constantFrom(...kinds),
        (samples, maxBytes, kind) => {
          const { session } = setUp();
          let rest: readonly NumberedSample[] = samples;
          for (let seq = 1; rest.length > 0; seq++) {
            const { messages, taken } = session[kind](rest, maxBytes);
            const [message] = messages;
            assert.ok(message && taken >= 1);
            assert.ok(message.payload.length + message.topic.length < maxBytes);
            const parsed = JSON.parse(Buffer.from(message.payload).toString());
            assert.equal(parsed.seq, seq);
            if (kind !== "forgone") assert.equal(parsed.values.length, taken);
            rest = rest.slice(taken);
          }
        },
      ),
    );
  });

  test("what stands in a message is what was sampled", () => {
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 20 }), (samples) => {
        const { session } = setUp();
        const [message] = session.history(samples, ROOMY).messages;
        const { epoch, values } = JSON.parse(Buffer.from(message?.payload ?? []).toString());
        for (const [index, given] of samples.entries()) {
          const { id, q, s, t, h, e } = values[index];
          assert.deepEqual(
            [id, q, s ?? "Good", t, h, e ?? epoch],
            [given.tag.id, given.status === "Good", given.status, given.sourceTimestampMs, 1, given.epoch],
          );
        }
      }),
    );
  });

  test("a read before a jump is not parted from it where a message ends", () => {
    const { session } = setUp();
    const samples = numbered(
      Array.from({ length: 20 }, (_, i) => ({
        tag: speed,
        value: i,
        sourceTimestampMs: T + i,
        ...good,
        ...(i % 2 === 0 && { readBefore: true as const }),
      })),
    );
    for (const maxBytes of [400, 450, 500, 550, 600]) {
      let rest: readonly NumberedSample[] = samples;
      while (rest.length > 0) {
        const { taken } = session.live(rest, maxBytes);
        assert.notEqual(rest[taken - 1]?.readBefore, true);
        rest = rest.slice(taken);
      }
    }
  });
});
