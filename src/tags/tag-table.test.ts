import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../core/log.ts";
import type { Status } from "../core/quality.ts";
import type { Value } from "../core/tag.ts";
import type { Sample } from "../pipeline.ts";
import { tagRig as rig, tagOf } from "../testing/tag-rig.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { createTagTable } from "./tag-table.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** What matters of samples when time does not. */
function brief(samples: readonly Sample[]): readonly unknown[] {
  return samples.map((s) => (s.readBefore ? ["before", s.value, s.status] : [s.value, s.status]));
}

test("P3: every tag has a value, a status and a time from the first moment, and the outbox stays quiet", () => {
  const speed = tagOf("speed");
  const off = tagOf("off", { enabled: false });
  const { clock, table, taken } = rig(speed, off);
  const expected = { value: null, sourceTimestampMs: clock.wallMs(), epoch: 7 };
  assert.deepEqual(table.snapshot("pump-1"), [
    { tag: speed, status: "BadWaitingForInitialData", ...expected },
    { tag: off, status: "BadOutOfService", ...expected },
  ]);
  assert.deepEqual(taken(), []);
});

test("the first status carries the time of the start, not of the building", async () => {
  const clock = new VirtualClock();
  const tag = tagOf("speed");
  const table = createTagTable({
    devices: [{ name: "pump-1", tags: [tag] }],
    intake: { append: () => undefined },
    clock,
    epochs: { epoch: () => 1, raiseEpoch: () => 2 },
    log: silentLog,
  });
  await clock.advance(30 * SECOND);
  table.start();
  assert.equal(table.snapshot("pump-1")[0]?.sourceTimestampMs, clock.wallMs());
  table.stop();
  assert.equal(clock.pendingTimers(), 0);
});

test("P3: a failed read is a sample with a Bad status, and the last value stays for information", () => {
  const speed = tagOf("speed");
  const { read, taken } = rig(speed);
  read(speed, undefined, "BadNoCommunication");
  read(speed, 1490);
  read(speed, undefined, "BadDeviceFailure");
  read(speed, 1490);
  assert.deepEqual(brief(taken()), [
    [null, "BadNoCommunication"],
    [1490, "Good"],
    [1490, "BadDeviceFailure"],
    [1490, "Good"],
  ]);
});

test("a sample carries the time of its own reply, also when it is handed in later", async () => {
  const speed = tagOf("speed");
  const { clock, table, taken } = rig(speed);
  const replyMs = clock.monotonicMs();
  const replyWallMs = clock.wallMs();
  await clock.advance(250);
  table.read([{ tag: speed, value: 1, status: "Good" }], replyMs + 0.4);
  // The start took the stamp of that very millisecond.
  assert.equal(taken()[0]?.sourceTimestampMs, replyWallMs + 1);
});

test("only a value beyond the deadband of the last reported one is taken in, with the read before it", async () => {
  const level = tagOf("level", { deadband: 1 });
  const { clock, read, taken, current } = rig(level);
  const times: number[] = [];
  for (const value of [10, 10.6, 10.9, 11, 12.5, 12.6]) {
    await clock.advance(SECOND);
    times.push(clock.wallMs());
    read(level, value);
  }
  const samples = taken();
  assert.deepEqual(brief(samples), [
    [10, "Good"],
    ["before", 11, "Good"],
    [12.5, "Good"],
  ]);
  assert.deepEqual(
    samples.map((s) => s.sourceTimestampMs),
    [times[0], times[3], times[4]],
  );
  assert.equal(current(level).value, 12.6);
  assert.equal(current(level).sourceTimestampMs, times[5]);
});

test("a slow drift cannot hide behind the deadband: it is measured from the last reported value", () => {
  const level = tagOf("level", { deadband: 1 });
  const { read, taken } = rig(level);
  for (let value = 0; value <= 30; value++) read(level, value / 10);
  assert.deepEqual(brief(taken()), [
    [0, "Good"],
    ["before", 1, "Good"],
    [1.1, "Good"],
    ["before", 2.1, "Good"],
    [2.2, "Good"],
  ]);
});

test("a change of status takes the suppressed read before with it, whether a read changed it or not", async () => {
  const level = tagOf("level", { deadband: 1 });
  const { clock, table, read, taken } = rig(level);
  read(level, 5);
  read(level, 5.5);
  read(level, undefined, "BadNoCommunication");
  read(level, 5.5);
  read(level, 5.75);
  table.presence("pump-1", "lost", clock.monotonicMs());
  assert.deepEqual(brief(taken()), [
    [5, "Good"],
    ["before", 5.5, "Good"],
    [5.5, "BadNoCommunication"],
    [5.5, "Good"],
    ["before", 5.75, "Good"],
    [5.75, "BadNoCommunication"],
  ]);
});

test("P3: a value that does not change is reported again after maxInterval, but not while its device is lost", async () => {
  const speed = tagOf("speed", { maxIntervalMs: 10 * SECOND, staleMs: MINUTE });
  const { clock, table, read, taken } = rig(speed);
  const seconds = async (count: number, value: Value | undefined, status: Status) => {
    for (let i = 0; i < count; i++) {
      await clock.advance(SECOND);
      read(speed, value, status);
    }
  };
  await seconds(21, 3, "Good");
  assert.deepEqual(brief(taken()), [
    [3, "Good"],
    [3, "Good"],
    [3, "Good"],
  ]);
  table.presence("pump-1", "lost", clock.monotonicMs());
  await seconds(30, undefined, "BadNoCommunication");
  assert.deepEqual(brief(taken()), [[3, "BadNoCommunication"]]);
  table.presence("pump-1", "online", clock.monotonicMs());
  await seconds(1, undefined, "BadNoCommunication");
  assert.deepEqual(brief(taken()), [[3, "BadNoCommunication"]]);
});

test("P3: all tags of a lost device turn bad at once, one sample each, in one append", async () => {
  const a = tagOf("a");
  const b = tagOf("b");
  const c = tagOf("c");
  const off = tagOf("off", { enabled: false });
  const { clock, table, calls, read } = rig(a, b, c, off);
  read(a, 1);
  read(b, undefined, "BadNoCommunication");
  calls.length = 0;
  await clock.advance(SECOND);
  table.presence("pump-1", "lost", clock.monotonicMs());
  const picture = table.snapshot("pump-1");
  table.presence("pump-1", "lost", clock.monotonicMs());
  assert.equal(calls.length, 1);
  assert.deepEqual(table.snapshot("pump-1"), picture, "a second word of the same loss changes nothing");
  assert.deepEqual(
    calls[0]?.map((s) => [s.tag.name, s.value, s.status, s.sourceTimestampMs]),
    // b already said so; off is switched off, not silent.
    [
      ["a", 1, "BadNoCommunication", clock.wallMs()],
      ["c", null, "BadNoCommunication", clock.wallMs()],
    ],
  );
});

test("P5: a device that comes back makes nothing Good; its reads do", () => {
  const speed = tagOf("speed");
  const { clock, table, read, taken, current } = rig(speed);
  read(speed, 1);
  table.presence("pump-1", "outOfService", clock.monotonicMs());
  table.presence("pump-1", "online", clock.monotonicMs());
  assert.equal(current(speed).status, "BadOutOfService");
  read(speed, 2);
  assert.deepEqual(brief(taken()), [
    [1, "Good"],
    [1, "BadOutOfService"],
    [2, "Good"],
  ]);
});

test("P3: without a good read for its stale time a value is told as old, stamped when it became so", async () => {
  const speed = tagOf("speed", { staleMs: 3 * SECOND });
  const { clock, read, taken } = rig(speed);
  read(speed, 8);
  taken();
  await clock.advance(2_999);
  assert.deepEqual(taken(), []);
  await clock.advance(SECOND);
  const [old] = taken();
  assert.deepEqual([old?.value, old?.status], [8, "UncertainLastUsableValue"]);
  assert.ok(old !== undefined && clock.wallMs() - old.sourceTimestampMs < SECOND);
  await clock.advance(MINUTE);
  assert.deepEqual(taken(), []);
  read(speed, 8);
  assert.deepEqual(brief(taken()), [[8, "Good"]]);
});

test("age never improves a status: what is Bad stays as Bad as it is", async () => {
  const speed = tagOf("speed");
  const never = tagOf("never");
  const { clock, read, current } = rig(speed, never);
  read(speed, undefined, "BadConfigurationError");
  await clock.advance(MINUTE);
  assert.equal(current(speed).status, "BadConfigurationError");
  assert.equal(current(never).status, "BadWaitingForInitialData");
});

test("P5: what is no number is never Good and never on the wire", () => {
  const speed = tagOf("speed");
  const { read, taken } = rig(speed);
  read(speed, 1);
  read(speed, Number.NaN);
  read(speed, Number.POSITIVE_INFINITY);
  read(speed, 2);
  assert.deepEqual(brief(taken()), [
    [1, "Good"],
    [null, "BadOutOfRange"],
    ["before", null, "BadOutOfRange"],
    [2, "Good"],
  ]);
});

test("P5: a Good without a fresh value is not believed", () => {
  const speed = tagOf("speed");
  const { read, current } = rig(speed);
  read(speed, 1);
  read(speed, undefined, "Good");
  assert.deepEqual([current(speed).value, current(speed).status], [1, "BadUnexpectedError"]);
});

test("a good value outside its engineering range is uncertain, and still a value", () => {
  const speed = tagOf("speed", { min: 0, max: 1_500 });
  const total = tagOf("total", { type: "uint64", max: 10 });
  const { read, taken } = rig(speed, total);
  for (const value of [0, 1_500, 1_501, -1]) read(speed, value);
  read(total, 11n);
  assert.deepEqual(brief(taken()), [
    [0, "Good"],
    [1_500, "Good"],
    [1_501, "UncertainEngineeringUnitsExceeded"],
    [-1, "UncertainEngineeringUnitsExceeded"],
    [11n, "UncertainEngineeringUnitsExceeded"],
  ]);
});

test("P9: a small backward step is counted through; a longer one begins a new epoch; forward steps do nothing", async () => {
  const speed = tagOf("speed");
  const { clock, read, taken } = rig(speed);
  const at = async (value: number) => {
    await clock.advance(10);
    read(speed, value);
    const [sample] = taken();
    assert.ok(sample !== undefined);
    return [sample.epoch, sample.sourceTimestampMs - clock.wallMs()];
  };
  assert.deepEqual(await at(1), [7, 0]);
  clock.stepWall(-900);
  assert.deepEqual(await at(2), [7, 891]);
  // Small steps add up: the epoch never runs more than a second ahead of the clock.
  clock.stepWall(-900);
  assert.deepEqual(await at(3), [8, 0]);
  clock.stepWall(365 * 24 * 60 * MINUTE);
  assert.deepEqual(await at(4), [8, 0]);
  clock.stepWall(-365 * 24 * 60 * MINUTE);
  assert.deepEqual(await at(5), [9, 0]);
});

test("P9: a backward step is noticed within a second, also when nothing is read", async () => {
  const speed = tagOf("speed");
  const { clock, table, read, current } = rig(speed);
  read(speed, 1);
  clock.stepWall(-MINUTE);
  await clock.advance(SECOND);
  assert.equal(table.epoch(), 8);
  assert.equal(current(speed).epoch, 7, "a read keeps the epoch it was stamped in");
});

test("P9: a device lost right after a backward step is told in the new epoch, at the new time", () => {
  const speed = tagOf("speed");
  const { clock, table, current } = rig(speed);
  clock.stepWall(-MINUTE);
  table.presence("pump-1", "lost", clock.monotonicMs());
  assert.deepEqual([current(speed).epoch, current(speed).sourceTimestampMs], [8, clock.wallMs()]);
});

test("reads of one millisecond keep their order, suppressed or not", () => {
  const speed = tagOf("speed", { deadband: 1 });
  const { clock, read, taken, current } = rig(speed);
  const start = clock.wallMs();
  for (const value of [1, 1.5, 1.6, 5]) read(speed, value);
  assert.deepEqual(
    taken().map((s) => s.sourceTimestampMs - start),
    [1, 3, 4],
  );
  assert.equal(current(speed).sourceTimestampMs, start + 4);
});

test("all samples of one reply are taken in together, and a reply with nothing to report not at all", () => {
  const a = tagOf("a");
  const b = tagOf("b");
  const { clock, table, calls } = rig(a, b);
  const reply = [a, b].map((tag) => ({ tag, value: 1, status: "Good" as const }));
  table.read(reply, clock.monotonicMs());
  table.read(reply, clock.monotonicMs());
  assert.deepEqual(
    calls.map((samples) => samples.length),
    [2],
  );
});

test("the revision rises with every read, reported or not, and with every change", async () => {
  const speed = tagOf("speed", { deadband: 10 });
  const { clock, table, read } = rig(speed);
  const seen = [table.revision("pump-1")];
  const look = () => seen.push(table.revision("pump-1"));
  read(speed, 1);
  look();
  read(speed, 2);
  look();
  table.presence("pump-1", "lost", clock.monotonicMs());
  look();
  table.presence("pump-1", "online", clock.monotonicMs());
  assert.deepEqual(seen, [0, 1, 2, 3]);
  assert.equal(table.revision("pump-1"), 3);
});

test("what names no tag or device of the configuration is our own bug", () => {
  const { clock, table } = rig(tagOf("speed"));
  assert.throws(() => table.read([{ tag: tagOf("other"), value: 1, status: "Good" }], 0), /unknown tag pump-1\/other/);
  assert.throws(() => table.presence("pump-2", "lost", clock.monotonicMs()), /unknown device pump-2/);
  assert.deepEqual(table.snapshot("pump-2"), []);
});
