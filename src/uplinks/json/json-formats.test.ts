import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Loss, Message, NumberedSample, UnsyncedCopy } from "../../pipeline.ts";
import { SettableValues, tagOf } from "../../testing/settable-values.ts";
import { rigConfig } from "../../testing/uplink-rig.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { jsonFormatOf } from "./json-formats.ts";

/** 2026-01-01, the virtual clock's beginning. */
const T = 1_767_225_600_000;
const ROOMY = 100_000;
const NODE = { group: "plant-7", name: "pump-house-3" };

const speed = tagOf("pump-1", "speed", "float32", { units: "rpm" });
const running = tagOf("pump-1", "running", "bool");

function setUp(config: Parameters<typeof rigConfig>[0], retainAvailable = true) {
  const clock = new VirtualClock(T);
  const values = new SettableValues(clock, [{ name: "pump-1", tags: [speed, running] }], []);
  const format = jsonFormatOf(rigConfig({ node: NODE, ...config }), values, clock);
  const opening = { session: 12, connectMs: T - 5 };
  return {
    clock,
    values,
    will: format.will(opening),
    session: format.session(opening, { messageMaxBytes: ROOMY, retainAvailable }),
  };
}

/** Topic, QoS, whether retained, and the bytes. */
function shown(messages: Iterable<Message>): readonly string[] {
  return [...messages].map(
    ({ topic, payload, qos, retain }) => `${topic} ${qos}${retain ? " retained" : ""} ${Buffer.from(payload)}`,
  );
}

const samples: readonly NumberedSample[] = [
  { number: 1, tag: speed, value: 1490.5, status: "Good", sourceTimestampMs: T, epoch: 1 },
  { number: 2, tag: running, value: true, status: "BadNoCommunication", sourceTimestampMs: T + 1, epoch: 1 },
];

const loss: Loss = {
  id: 1,
  reason: "unclean stop",
  epoch: 1,
  toEpoch: 1,
  fromMs: T - 2_000,
  toMs: T - 1_000,
  tags: [{ tag: speed, count: null }],
};

describe("kepware: what its IoT Gateway publishes, to the byte", () => {
  const KEPWARE = { format: "kepware", topic: "iotgateway", id: "Channel1.{device}.{tag}" } as const;

  test("live values: topic, payload and ids, and not a key more", () => {
    const { session } = setUp(KEPWARE);
    const { messages, taken } = session.live(samples, ROOMY);
    assert.equal(taken, 2);
    assert.deepEqual(shown(messages), [
      `iotgateway 1 {"timestamp":1767225600000,"values":[{"id":"Channel1.pump-1.speed","v":1490.5,"q":true,"t":1767225600000},{"id":"Channel1.pump-1.running","v":true,"q":false,"t":1767225600001}]}`,
    ]);
  });

  test("P3: at every connect each value once, in the same form", () => {
    const { session, values } = setUp(KEPWARE);
    values.set("pump-1/speed", 1490.5);
    assert.deepEqual(shown(session.describe()), []);
    assert.deepEqual(shown(session.picture()), [
      `iotgateway 1 {"timestamp":${T},"values":[{"id":"Channel1.pump-1.speed","v":1490.5,"q":true,"t":${T + 1}},{"id":"Channel1.pump-1.running","v":null,"q":false,"t":${T}}]}`,
    ]);
  });

  test("P9: a value whose time is a guess is not good", () => {
    const { session } = setUp(KEPWARE);
    const copies = samples.map((sample): UnsyncedCopy => ({ ...sample, unsynced: true }));
    assert.match(shown(session.live(copies.slice(0, 1), ROOMY).messages).join(), /"v":1490\.5,"q":false,/);
  });

  test("what Kepware has no word for stands beside: status, history and losses, each gateway its own", () => {
    const { session, will } = setUp(KEPWARE);
    const beside = "iotgateway/plant-7/pump-house-3";
    assert.deepEqual(shown([will, ...session.online(), ...session.offline()]), [
      `${beside}/status 1 retained {"online":false,"timestamp":${T - 5},"session":12,"epoch":1}`,
      `${beside}/status 1 retained {"online":true,"timestamp":${T},"session":12,"epoch":1,"seq":0,"devices":{}}`,
      `${beside}/status 1 retained {"online":false,"timestamp":${T},"session":12,"epoch":1}`,
    ]);
    assert.deepEqual(session.retainedTopics(), [`${beside}/status`]);
    assert.deepEqual(shown([...session.history(samples.slice(0, 1), ROOMY).messages, ...session.lost(loss, ROOMY)]), [
      `${beside}/history 1 {"timestamp":${T},"session":12,"epoch":1,"seq":1,"values":[{"id":"Channel1.pump-1.speed","v":1490.5,"q":true,"t":${T},"h":1}]}`,
      `${beside}/history 1 {"timestamp":${T},"session":12,"epoch":1,"seq":2,"values":[{"id":"Channel1.pump-1.speed","v":null,"q":false,"s":"BadDataLost","t":${T - 2000},"h":1,"from":${T - 2000},"to":${T - 1000},"count":null,"reason":"unclean stop"}]}`,
    ]);
    assert.match(shown(session.forgone(samples, ROOMY).messages).join(), /history off/);
  });

  test("the status is told again every minute, and nothing else", async () => {
    const { session, clock, values } = setUp(KEPWARE);
    for (const _ of session.picture());
    session.online();
    values.set("pump-1/speed", 1);
    await clock.advance(59_999);
    assert.deepEqual(session.upkeep(clock.monotonicMs()), []);
    assert.equal(session.upkeepDueMs(), clock.monotonicMs() + 1);
    await clock.advance(1);
    assert.match(shown(session.upkeep(clock.monotonicMs())).join(), /^iotgateway\/plant-7\/pump-house-3\/status 1 ret/);
  });

  test("P7: no message is larger than asked for, and none is empty", () => {
    const { session } = setUp(KEPWARE);
    const many = Array.from(
      { length: 500 },
      (_, n): NumberedSample => ({ ...(samples[0] as NumberedSample), number: n + 1 }),
    );
    for (let rest = many; rest.length > 0; ) {
      const { messages, taken } = session.live(rest, 4_096);
      for (const { topic, payload } of messages) assert.ok(topic.length + payload.length <= 4_096);
      assert.ok(taken > 20);
      rest = rest.slice(taken);
    }
  });
});

describe("aws-iot: our own JSON, to the byte", () => {
  test("QoS 1 everywhere, at most seven slashes", () => {
    const { session, will, values } = setUp({ format: "aws-iot", topic: "a/b/c/d/plant" });
    values.set("pump-1/speed", 1490.5);
    const told = [
      ...session.describe(),
      ...session.picture(),
      ...session.online(),
      ...session.live(samples, ROOMY).messages,
      ...session.history(samples.slice(0, 1), ROOMY).messages,
      ...session.lost(loss, ROOMY),
    ];
    for (const { qos, topic } of [will, ...told]) {
      assert.equal(qos, 1);
      assert.ok(topic.split("/").length <= 8, topic);
    }
    assert.deepEqual(shown(told.slice(3, 4)), [
      `a/b/c/d/plant/data 1 {"timestamp":${T},"session":12,"epoch":1,"seq":1,"values":[{"id":"pump-1/speed","v":1490.5,"q":true,"t":${T}},{"id":"pump-1/running","v":true,"q":false,"s":"BadNoCommunication","t":${T + 1}}]}`,
    ]);
  });
});

describe("azure-iot-hub: its topic with properties, our own JSON in it, to the byte", () => {
  const AZURE = { format: "azure-iot-hub", topic: "devices/pump-3/messages/events" } as const;
  const PREFIX = "devices/pump-3/messages/events/$.ct=application%2Fjson&$.ce=utf-8&kind=";

  test("every kind of message, none retained", () => {
    const { session, will, values } = setUp(AZURE, false);
    values.set("pump-1/speed", 1490.5);
    assert.deepEqual(
      shown([
        will,
        ...session.describe(),
        ...session.picture(),
        ...session.online(),
        ...session.live(samples.slice(0, 1), ROOMY).messages,
        ...session.history(samples.slice(0, 1), ROOMY).messages,
        ...session.offline(),
      ]),
      [
        `${PREFIX}status 1 {"online":false,"timestamp":${T - 5},"session":12,"epoch":1}`,
        `${PREFIX}tags&device=pump-1 1 {"timestamp":${T},"session":12,"tags":{"speed":{"type":"float32","units":"rpm","scanRate":1000,"stale":5000,"writable":false},"running":{"type":"bool","scanRate":1000,"stale":5000,"writable":false}}}`,
        `${PREFIX}snapshot&device=pump-1 1 {"timestamp":${T},"session":12,"epoch":1,"after":0,"values":[{"id":"pump-1/speed","v":1490.5,"q":true,"t":${T + 1}},{"id":"pump-1/running","v":null,"q":false,"s":"BadWaitingForInitialData","t":${T}}]}`,
        `${PREFIX}status 1 {"online":true,"timestamp":${T},"session":12,"epoch":1,"seq":0,"devices":{}}`,
        `${PREFIX}data 1 {"timestamp":${T},"session":12,"epoch":1,"seq":1,"values":[{"id":"pump-1/speed","v":1490.5,"q":true,"t":${T}}]}`,
        `${PREFIX}history 1 {"timestamp":${T},"session":12,"epoch":1,"seq":1,"values":[{"id":"pump-1/speed","v":1490.5,"q":true,"t":${T},"h":1}]}`,
        `${PREFIX}status 1 {"online":false,"timestamp":${T},"session":12,"epoch":1}`,
      ],
    );
    assert.deepEqual(session.retainedTopics(), []);
  });

  test("parts of a snapshot are told by a property; what is not retained is not cleared", () => {
    const clock = new VirtualClock(T);
    const tags = Array.from({ length: 40 }, (_, n) => tagOf("pump-1", `tag-${n}`));
    const values = new SettableValues(clock, [{ name: "pump-1", tags }], []);
    const format = jsonFormatOf(rigConfig(AZURE), values, clock);
    const session = format.session({ session: 1, connectMs: T }, { messageMaxBytes: 2_000, retainAvailable: false });
    const topics = [...session.picture()].map(({ topic }) => topic);
    assert.deepEqual(topics.slice(0, 2), [`${PREFIX}snapshot&device=pump-1`, `${PREFIX}snapshot&device=pump-1&part=2`]);
    // Good values have no status beside them: they need fewer parts.
    for (const { id } of tags) values.set(id, 1);
    const fewer = [...session.picture()];
    assert.ok(fewer.length < topics.length);
    for (const { payload } of fewer) assert.ok(payload.length > 0);
  });
});
