import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLog } from "../../core/log.ts";
import type { Tag } from "../../core/tag.ts";
import type { Loss, Message, NumberedSample, Sample } from "../../pipeline.ts";
import { MemoryState } from "../../testing/memory-state.ts";
import { SettableValues, tagOf } from "../../testing/settable-values.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { decodePayload, type Metric } from "./payload.ts";
import { createSparkplugFormat } from "./sparkplug-format.ts";

const T = 1_790_000_000_000;
const ROOMY = 100_000;
const speed = tagOf("pump", "speed", "float32", { units: "rpm", min: 0, max: 1500 });
const count = tagOf("pump", "count", "uint16");
const uptime = tagOf("gateway", "process/uptimeS");

class UnsyncedValues extends SettableValues {
  unsynced = false;

  override isUnsynced(): boolean {
    return this.unsynced;
  }
}

function setUp(changes: { aliases?: boolean; datatypeInData?: boolean } = {}) {
  const clock = new VirtualClock(T);
  const taken: Sample[] = [];
  const devices = [
    { name: "pump", tags: [speed, count] },
    { name: "gateway", tags: [uptime] },
  ];
  const intake = { append: (samples: readonly unknown[]) => void taken.push(...(samples as readonly Sample[])) };
  const values = new UnsyncedValues(clock, devices, [intake]);
  const sparkplug = { aliases: false, datatypeInData: false, barrier: "ping" as const, ...changes };
  const config = { name: "cloud", node: { group: "g", name: "n" }, servers: ["mqtts://a"], sparkplug };
  const format = createSparkplugFormat({ config, values, state: new MemoryState(), clock, log: silentLog });
  const session = format.session({ session: 1, connectMs: T }, { messageMaxBytes: ROOMY, retainAvailable: false });
  const numbered = (): readonly NumberedSample[] => taken.map((sample, index) => ({ ...sample, number: index + 1 }));
  return { clock, values, session, numbered };
}

function topics(messages: Iterable<Message>): readonly string[] {
  return [...messages].map(({ topic }) => topic.replace("spBv1.0/g/", ""));
}

function metrics(messages: Iterable<Message>, name?: string): readonly Metric[] {
  const all = [...messages].flatMap(({ payload }) => decodePayload(payload).metrics);
  return name === undefined ? all : all.filter((metric) => metric.name === name);
}

function properties(metric: Metric | undefined): Record<string, unknown> {
  return Object.fromEntries((metric?.properties ?? []).map(({ key, value }) => [key, value?.value]));
}

function sampleOf(tag: Tag, value: Sample["value"], changes: Partial<NumberedSample> = {}): NumberedSample {
  return { tag, value, status: "Good", sourceTimestampMs: T, epoch: 1, number: 1, ...changes };
}

describe("the words of Sparkplug", () => {
  test("P3: a birth describes and shows; data tell of quality where it is, or was, not good", () => {
    const { values, session, numbered } = setUp();
    values.set("pump/speed", 1490.5);
    const births = [...session.picture()];
    assert.deepEqual(topics(births), ["NBIRTH/n", "DBIRTH/n/pump"]);
    const [born] = metrics(births, "speed");
    assert.deepEqual([born?.datatype, born?.value?.value], [9, 1490.5]);
    assert.deepEqual(properties(born), {
      Quality: 192,
      StatusName: "Good",
      engUnit: "rpm",
      engLow: 0,
      engHigh: 1500,
    });
    values.set("pump/speed", 1491);
    values.set("pump/speed", null, "BadSensorFailure");
    values.set("pump/speed", 1492);
    values.set("pump/speed", 1493);
    const told = metrics(session.live(numbered().slice(1), ROOMY).messages);
    assert.deepEqual(
      told.map((metric) => [metric.value?.value ?? null, properties(metric).Quality, metric.datatype]),
      [
        [1491, undefined, undefined],
        [null, 0, undefined],
        [1492, 192, undefined],
        [1493, undefined, undefined],
      ],
    );
    assert.equal(told[1]?.isNull, true);
  });

  test("P3: what is older than the birth shows is of the past, and so is what the clock left behind", () => {
    const { values, session, numbered } = setUp();
    values.set("pump/speed", 1);
    values.set("pump/speed", 2);
    [...session.picture()];
    const [older, same] = metrics(session.live(numbered(), ROOMY).messages);
    assert.deepEqual([older?.isHistorical, same?.isHistorical], [true, undefined]);
    assert.equal(properties(older).Epoch, 1n);
    values.raiseEpoch();
    values.set("pump/speed", 3);
    const { messages } = session.live(numbered().slice(2), ROOMY);
    assert.deepEqual(topics(messages), ["NDATA/n", "DDATA/n/pump"]);
    assert.equal(metrics(messages, "clock/epoch")[0]?.value?.value, 2n);
    const [late] = metrics(session.live([sampleOf(count, 7, { sourceTimestampMs: T + 9, epoch: 1 })], ROOMY).messages);
    assert.deepEqual([late?.isHistorical, properties(late).Epoch], [true, 1n]);
  });

  test("values in a message stand in the order of time, what is past before them", () => {
    const { session } = setUp();
    [...session.picture()];
    const samples = [
      sampleOf(speed, 3, { sourceTimestampMs: T + 3 }),
      sampleOf(count, 1, { sourceTimestampMs: T + 1 }),
      sampleOf(speed, 5, { sourceTimestampMs: T + 5 }),
    ];
    const told = metrics(session.live(samples, ROOMY).messages);
    assert.deepEqual(
      told.map(({ timestamp }) => Number(timestamp) - T),
      [1, 3, 5],
    );
  });

  test("P9: as long as nobody knows the time, everything is transient, and the node says why", () => {
    const { values, session } = setUp();
    values.unsynced = true;
    const births = [...session.picture()];
    assert.equal(metrics(births, "ClockGood")[0]?.value?.value, false);
    assert.ok(metrics(births.slice(1)).every(({ isTransient }) => isTransient === true));
    const copy = { ...sampleOf(speed, 3, { sourceTimestampMs: T + 3 }), unsynced: true as const };
    assert.equal(metrics(session.live([copy], ROOMY).messages)[0]?.isTransient, true);
    values.unsynced = false;
    assert.equal(session.upkeepDueMs(), 0);
    assert.equal(metrics(session.upkeep(1), "ClockGood")[0]?.value?.value, true);
    assert.equal(session.upkeepDueMs(), Number.POSITIVE_INFINITY);
  });

  test("P4: what a changed type cannot hold is told as lost, and what it can hold is told", () => {
    const { session } = setUp();
    [...session.picture()];
    const before = { ...count, type: "float64" as const };
    const told = metrics(session.history([sampleOf(before, 7), sampleOf(before, 7.5)], ROOMY).messages);
    assert.equal(told[0]?.value?.value, 7);
    assert.deepEqual(
      [told[1]?.isNull, properties(told[1]).LostReason, properties(told[1]).LostCount],
      [true, "type changed", 1n],
    );
  });

  test("P4: a loss is a null of the past at its beginning, for every tag, those that are no more among them", () => {
    const { session } = setUp();
    [...session.picture()];
    const loss: Loss = {
      id: 1,
      reason: "outbox full",
      epoch: 1,
      toEpoch: 2,
      fromMs: T,
      toMs: T + 9,
      tags: [
        { tag: speed, count: 3 },
        { tag: tagOf("fan", "speed"), count: null },
      ],
    };
    const births = session.beforeLost?.(loss) ?? [];
    assert.deepEqual(topics(births), ["DBIRTH/n/fan"]);
    const messages = [...session.lost(loss, ROOMY)];
    assert.deepEqual(topics(messages), ["DDATA/n/pump", "DDATA/n/fan"]);
    const [first, second] = metrics(messages);
    assert.deepEqual([first?.isHistorical, first?.isNull, first?.timestamp], [true, true, T]);
    assert.deepEqual(properties(first), {
      Quality: 0,
      StatusName: "BadDataLost",
      Epoch: 1n,
      LostFrom: BigInt(T),
      LostTo: BigInt(T + 9),
      LostToEpoch: 2n,
      LostCount: 3n,
      LostReason: "outbox full",
    });
    assert.equal(properties(second).LostCount, undefined);
  });

  test("P4: for history of a metric that the node has no more, the whole node is born anew with it", () => {
    const { session, values } = setUp();
    values.lose("pump");
    assert.deepEqual(topics(session.picture()), ["NBIRTH/n"]);
    const former = tagOf("gateway", "lines/old/utilisation");
    const { messages } = session.history([sampleOf(former, 5), sampleOf(speed, 6)], ROOMY);
    assert.deepEqual(topics(messages), ["NBIRTH/n", "DBIRTH/n/pump", "NDATA/n", "DDATA/n/pump"]);
    assert.equal(metrics(messages, former.name)[0]?.isNull, true);
    assert.equal(metrics(messages, former.name)[1]?.value?.value, 5);
  });

  test("P4: history that is off is told as lost, one stretch a tag", () => {
    const { session } = setUp();
    [...session.picture()];
    const samples = [1, 2, 3].map((ms) => sampleOf(speed, ms, { sourceTimestampMs: T + ms }));
    const { messages, taken } = session.forgone(samples, ROOMY);
    assert.equal(taken, 3);
    const [lost, ...more] = metrics(messages);
    assert.deepEqual(more, []);
    const { LostFrom, LostTo, LostCount, LostReason } = properties(lost);
    assert.deepEqual([LostFrom, LostTo, LostCount, LostReason], [BigInt(T + 1), BigInt(T + 3), 3n, "history off"]);
  });

  test("P7: messages stay within their limit, and a read before a jump goes beside it", () => {
    const { session } = setUp();
    [...session.picture()];
    const samples = Array.from({ length: 500 }, (_, index) => sampleOf(speed, index, { sourceTimestampMs: T + index }));
    const { messages, taken } = session.history(samples, 4_096);
    assert.ok(taken > 50 && taken < 500);
    assert.ok(messages.reduce((sum, { topic, payload }) => sum + topic.length + payload.length, 0) <= 4_096);
    const jump = samples.map((sample, index) =>
      index === taken - 1 ? { ...sample, readBefore: true as const } : sample,
    );
    assert.equal(session.history(jump, 4_096).taken, taken - 1);
  });

  test("P4: history of a node metric that is no more bears the node anew, and a lost device with it", () => {
    const { values, session } = setUp();
    const former = tagOf("gateway", "lines/old/utilisation");
    const owed = [sampleOf(former, 1, { number: 1 }), sampleOf(speed, 2, { number: 2 })];
    [...session.picture()];
    values.lose("pump");
    const { messages, taken } = session.history(owed, ROOMY);
    assert.equal(taken, 2);
    assert.deepEqual(topics(messages), ["NBIRTH/n", "DBIRTH/n/pump", "NDATA/n", "DDATA/n/pump"]);
  });

  test("the options: a datatype in data, an alias in place of the name", () => {
    const { session } = setUp({ aliases: true, datatypeInData: true });
    [...session.picture()];
    const [metric] = metrics(session.live([sampleOf(speed, 3, { sourceTimestampMs: T + 3 })], ROOMY).messages);
    assert.deepEqual([metric?.name, typeof metric?.alias, metric?.datatype], [undefined, "number", 9]);
  });
});
