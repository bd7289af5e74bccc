import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Reader } from "../testing/reader.ts";
import { deviceOf, tagOf } from "../testing/settable-values.ts";
import { TOPIC, UplinkRig } from "../testing/uplink-rig.ts";
import type { LossOnWire, SnapshotOnWire, StatusOnWire, ValuesOnWire } from "../testing/wire.ts";
import { LIVE_LAG_MIN_MS } from "./flow.ts";

const CURRENT = { current: true, reason: "" };

function assertClean(rig: UplinkRig): void {
  assert.deepEqual(rig.ledger.violations(), []);
  assert.deepEqual(rig.order.violations(), []);
  assert.equal(rig.ledger.summary().lost, 0);
}

describe("a session", () => {
  test("P3: tells tags, then snapshots, then that it is online, then what happens, with what is owed marked as history", async () => {
    const rig = new UplinkRig();
    rig.values.set("pump/speed", 1490.5);
    await rig.start();
    rig.values.set("pump/speed", 1491);
    await rig.drained();
    assert.deepEqual(rig.topics(), ["tags/pump", "snapshot/pump", "status", "history", "data"]);
    const [data] = rig.payloads<ValuesOnWire>("data");
    assert.deepEqual(
      data?.values.map(({ v, h }) => [v, h]),
      [[1491, undefined]],
    );
    const [history] = rig.payloads<ValuesOnWire>("history");
    assert.deepEqual(
      history?.values.map(({ v, h }) => [v, h]),
      [[1490.5, 1]],
    );
    assert.deepEqual([data?.seq, history?.seq, data?.session, history?.session], [1, 1, 1, 1]);
    assert.deepEqual(rig.reader.currency("pump"), CURRENT);
    assertClean(rig);
  });

  test("P3: snapshots are acknowledged before the status says online, and online before data goes out", async () => {
    const rig = new UplinkRig();
    rig.broker.ackDelayMs = 1_000;
    rig.uplink.start();
    rig.values.set("pump/speed", 1);
    await rig.clock.advance(2_999);
    assert.deepEqual(rig.topics(), ["tags/pump", "snapshot/pump", "status"]);
    assert.notEqual(rig.uplink.report().state, "connected");
    await rig.drained();
    assert.equal(rig.uplink.report().state, "connected");
    assertClean(rig);
  });

  test("P3: a stop is told, the broker sends no will, and nothing is left running", async () => {
    const rig = new UplinkRig();
    await rig.start();
    await rig.stop();
    assert.deepEqual(
      rig.payloads<StatusOnWire>("status").map(({ online }) => online),
      [true, false],
    );
    assert.equal(rig.broker.connections(), 0);
    assert.equal(rig.clock.pendingTimers(), 0);
    assert.deepEqual(rig.reader.currency("pump"), { current: false, reason: "the gateway is offline" });
  });

  test("P4: what was taken in right before a stop still goes out live, before the status says offline", async () => {
    const rig = new UplinkRig({ broker: { latencyMs: 20 } });
    await rig.start();
    for (let value = 1; value <= 50; value++) rig.values.set("pump/speed", value);
    await rig.stop();
    assert.deepEqual(rig.topics().slice(-2), ["data", "status"]);
    assert.equal(rig.reader.tag("pump/speed")?.value, 50);
    assertClean(rig);
  });

  test("P4: a broker that acknowledges nothing any more cannot hold up a stop for long", async () => {
    const rig = new UplinkRig();
    await rig.start();
    rig.broker.ackDelayMs = 600_000;
    rig.values.set("pump/speed", 1);
    const beganMs = rig.clock.monotonicMs();
    await rig.stop();
    assert.ok(rig.clock.monotonicMs() - beganMs <= 5_000);
    assert.ok(rig.queue.depth() > 0, "it keeps for the next start");
  });

  test("P3: a stop in the middle of the announcement is the last word", async () => {
    const names = Array.from({ length: 200 }, (_, i) => `device-${i}`);
    const rig = new UplinkRig({ devices: names.map((name) => deviceOf(name, ["x"])), broker: { latencyMs: 100 } });
    rig.uplink.start();
    await rig.clock.advance(900);
    assert.ok(rig.broker.received.length > 0 && rig.broker.received.length < 400);
    await rig.stop();
    assert.equal(rig.topics().at(-1), "status");
    assert.equal(rig.payloads<StatusOnWire>("status").length, 1);
    assert.ok(rig.broker.received.length < 400);
  });

  test("P3: the will tells session, epoch and the time of CONNECT", async () => {
    const rig = new UplinkRig();
    const connectMs = rig.clock.wallMs();
    await rig.start();
    await rig.clock.advance(5_000);
    rig.broker.drop();
    assert.deepEqual(rig.payloads("status").at(-1), { online: false, timestamp: connectMs, session: 1, epoch: 1 });
  });

  test("P3: the status comes again every minute, with the seq of data and of each device", async () => {
    const rig = new UplinkRig({ devices: [deviceOf("pump", ["speed"]), deviceOf("meter", ["power"])] });
    await rig.start();
    rig.values.set("pump/speed", 1);
    await rig.drained();
    rig.values.set("meter/power", 2);
    await rig.drained();
    rig.values.set("meter/power", 3);
    await rig.drained();
    await rig.clock.advance(120_000);
    const statuses = rig.payloads<StatusOnWire>("status");
    assert.equal(statuses.length, 3);
    assert.deepEqual([statuses[0]?.seq, statuses[0]?.devices], [0, {}]);
    assert.deepEqual([statuses[1]?.seq, statuses[1]?.devices], [3, { pump: 1, meter: 3 }]);
    assert.equal((statuses[2]?.timestamp ?? 0) - (statuses[1]?.timestamp ?? 0), 60_000);
  });

  test("P3: a reader that comes late is right after at most one status period", async () => {
    const rig = new UplinkRig();
    await rig.start();
    rig.values.set("pump/speed", 1);
    await rig.clock.advance(10_000);
    const late = new Reader(TOPIC);
    rig.broker.subscribe("#", (message, retained) => late.receive(message.topic, message.payload, retained));
    assert.deepEqual(late.currency("pump"), { current: false, reason: "no status since listening" });
    rig.values.set("pump/flow", 2);
    await rig.clock.advance(50_000);
    assert.deepEqual(late.currency("pump"), CURRENT);
    assert.equal(late.tag("pump/speed")?.value, 1);
    assert.equal(late.tag("pump/flow")?.value, 2);
  });

  test("a retained snapshot is renewed at most once a minute, and only when something was read since", async () => {
    const rig = new UplinkRig();
    await rig.start();
    await rig.clock.advance(600_000);
    assert.equal(rig.payloads("snapshot/pump").length, 1);
    for (let i = 0; i < 300; i++) {
      rig.values.set("pump/speed", i);
      await rig.clock.advance(1_000);
    }
    const snapshots = rig.payloads<SnapshotOnWire>("snapshot/pump");
    assert.equal(snapshots.length, 1 + 1 + 5);
    const gaps = snapshots.slice(1).map(({ timestamp }, i) => timestamp - (snapshots[i]?.timestamp ?? 0));
    assert.ok(gaps.every((gapMs) => gapMs >= 60_000));
    const last = snapshots.at(-1);
    const speed = last?.values.find(({ id }) => id === "pump/speed");
    assert.equal(last?.after, Number(speed?.v) + 1);
    await rig.clock.advance(600_000);
    assert.equal(rig.payloads("snapshot/pump").length, snapshots.length);
  });

  test("P3: the retained snapshot shows the last read, also where the deadband kept it from being sent", async () => {
    const rig = new UplinkRig();
    await rig.start();
    rig.values.set("pump/speed", 100);
    await rig.clock.advance(61_000);
    rig.values.read("pump/speed", 100.4);
    await rig.clock.advance(61_000);
    assert.equal(rig.payloads("data").length, 1);
    const late = new Reader(TOPIC);
    rig.broker.subscribe("#", (message, retained) => late.receive(message.topic, message.payload, retained));
    assert.equal(late.tag("pump/speed")?.value, 100.4);
    await rig.clock.advance(60_000);
    assert.deepEqual(late.currency("pump"), CURRENT);
  });

  test("P3: what was given up before it was told is told by a new picture, and the link is not filled with them", async () => {
    const rig = new UplinkRig();
    await rig.start();
    await rig.clock.advance(30_000);
    rig.broker.received.length = 0;
    const forMs = 30_000;
    for (let passedMs = 0; passedMs < forMs; passedMs += 250) {
      rig.values.set("pump/flow", passedMs);
      rig.values.set("pump/speed", passedMs);
      // As an outbox whose memory is full, while the first of the two is being read.
      rig.queue.acknowledge({ from: rig.queue.newest(), to: rig.queue.newest() });
      await rig.clock.advance(250);
      const shown = Number(rig.reader.tag("pump/speed")?.value);
      assert.ok(passedMs - shown <= LIVE_LAG_MIN_MS, `${shown} is shown after ${passedMs} ms`);
    }
    const pictures = rig.topics().filter((topic) => topic === "snapshot/pump").length;
    assert.ok(pictures <= 1 + forMs / LIVE_LAG_MIN_MS, `${pictures} pictures`);
  });

  test("P7: no message is larger than the broker takes, and none reaches 100 kB", async () => {
    const names = Array.from({ length: 3_000 }, (_, i) => `a-tag-with-a-rather-long-name-${i}`);
    for (const maxPacketBytes of [5_000, 1_000_000]) {
      const rig = new UplinkRig({ devices: [deviceOf("pump", names)], broker: { limits: { maxPacketBytes } } });
      rig.values.setAll(names.map((name, i) => [`pump/${name}`, i]));
      await rig.start();
      rig.values.setAll(names.map((name, i) => [`pump/${name}`, i + 0.5]));
      await rig.drained();
      const largest = Math.max(...rig.broker.received.map(({ topic, payload }) => topic.length + payload.length + 8));
      assert.ok(largest < Math.min(100_000, maxPacketBytes), `${largest}`);
      assert.deepEqual(rig.reader.currency("pump"), CURRENT);
      assertClean(rig);
    }
  });

  test("a read before a jump travels in the message of the jump", async () => {
    const rig = new UplinkRig();
    await rig.start();
    rig.values.jump("pump/speed", 1, 100);
    await rig.drained();
    const [data] = rig.payloads<ValuesOnWire>("data");
    assert.deepEqual(
      data?.values.map(({ v }) => v),
      [1, 100],
    );
  });

  test("a read before a jump is not parted from it where a batch of the outbox ends", async () => {
    for (const before of [999, 3_999]) {
      const rig = new UplinkRig();
      for (let i = 0; i < before; i++) rig.values.set("pump/speed", 0);
      rig.values.jump("pump/flow", 1, 100);
      await rig.start();
      await rig.drained();
      const messages = rig.payloads<ValuesOnWire>("history").map(({ values }) => values.map(({ v }) => v));
      assert.deepEqual(
        messages.filter((values) => values.includes(1)).map((values) => values.includes(100)),
        [true],
      );
    }
  });

  test("a value of another epoch than its message says so", async () => {
    const rig = new UplinkRig();
    rig.values.set("pump/speed", 1);
    rig.values.raiseEpoch();
    await rig.start();
    await rig.drained();
    const [history] = rig.payloads<ValuesOnWire>("history");
    assert.deepEqual([history?.epoch, history?.values[0]?.e], [2, 1]);
    assertClean(rig);
  });
});

describe("what is retained", () => {
  test("a device that was removed is cleared at the next connect", async () => {
    const rig = new UplinkRig({ devices: [deviceOf("pump", ["speed"]), deviceOf("meter", ["power"])] });
    await rig.start();
    await rig.stop();
    rig.values.remove("meter");
    await rig.restart();
    const topics = ["snapshot/pump", "status", "tags/pump"].map((below) => `${TOPIC}/${below}`);
    assert.deepEqual([...rig.broker.retained.keys()].sort(), topics);
    assert.deepEqual([...rig.state.retained("cloud", "mqtts://broker:8883")].sort(), topics);
    assert.deepEqual(rig.reader.devices(), ["pump"]);
  });

  test("P8: it is noted on the card before it is published, so that none is forgotten", async () => {
    const rig = new UplinkRig();
    rig.uplink.start();
    rig.broker.subscribe("#", ({ topic, payload, retain }) => {
      if (!retain || payload.length === 0) return;
      assert.ok(rig.state.retained("cloud", "mqtts://broker:8883").includes(topic), `${topic} is not noted`);
    });
    await rig.until("connected", () => rig.uplink.report().state === "connected");
    assert.equal(rig.broker.retained.size, 3);
    assert.equal(rig.state.retainedWrites, 1, "P11: in one write");
  });

  test("a snapshot that needs fewer parts leaves none behind", async () => {
    const device = { name: "pump", tags: Array.from({ length: 60 }, (_, i) => tagOf("pump", `t${i}`, "string")) };
    const rig = new UplinkRig({ devices: [device], broker: { limits: { maxPacketBytes: 10_000 } } });
    rig.values.setAll(device.tags.map(({ id }) => [id, "x".repeat(250)]));
    await rig.start();
    const parts = () => [...rig.broker.retained.keys()].filter((topic) => topic.includes("/snapshot/")).length;
    assert.equal(parts(), 2);
    assert.deepEqual(rig.reader.currency("pump"), CURRENT);
    rig.values.setAll(device.tags.map(({ id }) => [id, "x"]));
    await rig.clock.advance(61_000);
    assert.equal(parts(), 1);
    assert.deepEqual(rig.reader.currency("pump"), CURRENT);
  });

  test("a broker that keeps nothing still gets everything", async () => {
    const rig = new UplinkRig({ broker: { limits: { retainAvailable: false } } });
    await rig.start();
    rig.values.set("pump/speed", 1);
    await rig.drained();
    assert.deepEqual(rig.reader.currency("pump"), CURRENT);
    assert.match(rig.log.join("\n"), /keeps no retained messages/);
  });
});

describe("losses", () => {
  const lost = { id: 7, reason: "outbox full", epoch: 1, toEpoch: 1, fromMs: 1_000, toMs: 2_000 } as const;

  test("P4: are told on the history topic, one entry a tag, and acknowledged only then", async () => {
    const rig = new UplinkRig();
    const [speed, flow] = [tagOf("pump", "speed"), tagOf("pump", "flow")];
    rig.queue.lose({
      ...lost,
      tags: [
        { tag: speed, count: 12 },
        { tag: flow, count: null },
      ],
    });
    rig.broker.ackDelayMs = 500;
    await rig.start();
    await rig.until("the loss is on its way", () => rig.payloads("history").length === 1);
    await rig.clock.advance(300);
    assert.equal(rig.queue.losses().length, 1);
    await rig.until("the loss is told", () => rig.queue.losses().length === 0);
    const [history] = rig.payloads<ValuesOnWire>("history");
    assert.deepEqual(history?.values, [
      {
        id: "pump/speed",
        v: null,
        q: false,
        s: "BadDataLost",
        t: 1_000,
        h: 1,
        from: 1_000,
        to: 2_000,
        count: 12,
        reason: "outbox full",
      },
      {
        id: "pump/flow",
        v: null,
        q: false,
        s: "BadDataLost",
        t: 1_000,
        h: 1,
        from: 1_000,
        to: 2_000,
        count: null,
        reason: "outbox full",
      },
    ]);
    assert.equal(rig.uplink.report().dropped, 12);
  });

  test("P4: a loss of thousands of tags goes out in pieces and is told when the last one is", async () => {
    const rig = new UplinkRig();
    const tags = Array.from({ length: 2_000 }, (_, i) => ({ tag: tagOf("pump", `t${i}`), count: 1 }));
    await rig.start();
    rig.queue.lose({ ...lost, tags });
    await rig.until("the loss is told", () => rig.queue.losses().length === 0);
    const values = rig.payloads<ValuesOnWire>("history").flatMap((message) => message.values);
    assert.equal(new Set(values.map(({ id }) => id)).size, 2_000);
    assert.ok(rig.payloads("history").length > 10);
  });

  test("P4: with history off, what is owed is told as lost and not sent", async () => {
    const history = { enabled: false, maxAgeMs: 1, maxSizeBytes: 1, rateBytesPerS: Number.POSITIVE_INFINITY };
    const rig = new UplinkRig({ config: { history } });
    for (let i = 0; i < 1_000; i++) rig.values.set("pump/speed", i);
    await rig.start();
    await rig.drained();
    const entries = rig.payloads<ValuesOnWire>("history").flatMap((message) => message.values) as readonly LossOnWire[];
    assert.deepEqual(new Set(entries.map(({ reason }) => reason)), new Set(["history off"]));
    assert.equal(
      entries.reduce((sum, { count }) => sum + (count ?? 0), 0),
      1_000,
    );
    assert.equal(rig.ledger.summary().toldLost, 1_000);
    assert.equal(rig.uplink.report().dropped, 1_000);
    assertClean(rig);
  });
});
