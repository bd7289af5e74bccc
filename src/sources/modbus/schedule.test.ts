import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  deviceLost,
  deviceReturned,
  finished,
  held,
  joined,
  nextJob,
  PROBE_INTERVAL_MIN_MS,
  PROBE_SHARE,
  probed,
  replaced,
  retried,
  type Schedule,
  slowed,
  startSchedule,
} from "./schedule.ts";

const read = (key: number, periodMs: number, device = "d") => ({ key, device, periodMs });

interface Run {
  readonly schedule: Schedule;
  /** Times at which each key was read. */
  readonly readsMs: ReadonlyMap<number, readonly number[]>;
  readonly probesMs: number;
  readonly lateMs: number;
}

type Cost = number | ((key: number) => number);

/** Serves jobs for a while, each read taking `cost`, a probe `probeCostMs`. */
function serve(start: Schedule, fromMs: number, untilMs: number, cost: Cost, probeCostMs = 0): Run {
  const costOf = typeof cost === "number" ? () => cost : cost;
  let schedule = start;
  const readsMs = new Map<number, number[]>();
  let probesMs = 0;
  let lateMs = 0;
  for (let nowMs = fromMs; nowMs < untilMs; ) {
    const job = nextJob(schedule, nowMs);
    if (job.kind === "idle") {
      nowMs = job.untilMs;
    } else if (job.kind === "probe") {
      nowMs += probeCostMs;
      probesMs += probeCostMs;
      schedule = probed(schedule, job.device, nowMs, probeCostMs);
    } else {
      readsMs.set(job.key, [...(readsMs.get(job.key) ?? []), nowMs]);
      const dueMs = schedule.slots.find((s) => s.key === job.key)?.dueMs ?? nowMs;
      lateMs = Math.max(lateMs, nowMs - dueMs);
      nowMs += costOf(job.key);
      schedule = finished(schedule, job.key, nowMs);
    }
  }
  return { schedule, readsMs, probesMs, lateMs };
}

test("all is read at once, then each in its period, spread over it", () => {
  const run = serve(startSchedule([read(0, 1_000), read(1, 1_000), read(2, 1_000), read(3, 1_000)], 0), 0, 10_000, 10);
  assert.deepEqual(
    [...run.readsMs.values()].map(([first]) => first),
    [0, 10, 20, 30],
  );
  const later = [...run.readsMs.values()].map((times) => times.slice(2).map((ms) => ms % 1_000));
  assert.deepEqual(
    later.map(([phase]) => phase),
    [0, 250, 500, 750],
  );
  for (const phases of later) assert.equal(new Set(phases).size, 1);
  assert.equal(run.schedule.missedPeriods, 0);
});

test("what fits on the line misses no period, whatever the periods", () => {
  const periods = fc.array(fc.constantFrom(100, 250, 500, 1_000, 5_000), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(periods, (drawn) => {
      const load = drawn.reduce((sum, periodMs) => sum + 1 / periodMs, 0);
      const costMs = Math.min(50, 0.6 / load);
      const reads = drawn.map((periodMs, key) => read(key, periodMs));
      const { schedule } = serve(startSchedule(reads, 0), 0, 30_000, costMs);
      assert.equal(schedule.missedPeriods, 0);
    }),
  );
});

test("the earliest deadline goes first: a slow read never makes a fast one wait for more than itself", () => {
  const slow = Array.from({ length: 20 }, (_, i) => read(i, 10_000));
  const { readsMs } = serve(startSchedule([...slow, read(99, 100)], 0), 0, 30_000, 20);
  const times = readsMs.get(99) ?? [];
  for (const [i, ms] of times.entries()) assert.ok(i === 0 || ms - (times[i - 1] ?? 0) <= 140);
});

/** Reads made of those that were asked for, a number each. */
function servedShares(run: Run, reads: readonly { readonly key: number; readonly periodMs: number }[], ms: number) {
  return reads.map(({ key, periodMs }) => ((run.readsMs.get(key)?.length ?? 0) * periodMs) / ms);
}

test("P6: a line at twice its load gives each read half its rate, whatever its period", () => {
  const reads = [read(0, 100, "a"), read(1, 200, "b"), read(2, 1_000, "c")];
  const run = serve(startSchedule(reads, 0), 0, 100_000, 125);
  const shares = servedShares(run, reads, 100_000);
  for (const share of shares) assert.ok(share > 0.48 && share < 0.52, shares.join());
  const asked = 1_000 + 500 + 100;
  assert.ok(run.schedule.missedPeriods > 0.46 * asked && run.schedule.missedPeriods < 0.54 * asked);
});

test("P6: whatever an overloaded line is asked, no read gets a tenth more of its rate than another", () => {
  const loads = fc.array(
    fc.record({
      periodMs: fc.constantFrom(100, 200, 250, 500, 1_000),
      costMs: fc.integer({ min: 5, max: 60 }),
    }),
    { minLength: 2, maxLength: 8 },
  );
  fc.assert(
    fc.property(loads, fc.double({ min: 1.1, max: 5, noNaN: true }), (drawn, load) => {
      const whole = drawn.reduce((sum, { periodMs, costMs }) => sum + costMs / periodMs, 0);
      const reads = drawn.map(({ periodMs }, key) => read(key, periodMs));
      const costOf = (key: number) => ((drawn[key]?.costMs ?? 0) * load) / whole;
      const durationMs = 40 * 1_000 * load;
      const run = serve(startSchedule(reads, 0), 0, durationMs, costOf);
      const shares = servedShares(run, reads, durationMs);
      assert.ok(Math.max(...shares) <= 1.1 * Math.min(...shares), shares.join());
    }),
    { numRuns: 30 },
  );
});

test("what an overload has cost is not made up for", () => {
  const reads = [read(0, 100), read(1, 200), read(2, 1_000)];
  const overloaded = serve(startSchedule(reads, 0), 0, 60_000, 125);
  const relieved = serve(overloaded.schedule, 60_000, 70_000, 5);
  for (const share of servedShares(relieved, reads, 10_000)) assert.ok(share <= 1.2, `${share}`);
});

test("a read that is held misses its periods alone", () => {
  const start = startSchedule([read(0, 100), read(1, 200)], 0);
  const waiting = held(serve(start, 0, 1_000, 5).schedule, 0, 2_000);
  const run = serve(waiting, 1_000, 3_000, 5);
  const times = run.readsMs.get(1) ?? [];
  assert.equal(times.length, 10);
  for (const [i, ms] of times.entries()) assert.ok(i === 0 || Math.abs(ms - (times[i - 1] ?? 0) - 200) <= 10);
  assert.equal(run.readsMs.get(0)?.length, 10);
  assert.ok(run.schedule.missedPeriods >= 9 && run.schedule.missedPeriods <= 10);
});

test("P6: a probe goes when its time has come, on an overloaded line too", () => {
  const start = deviceLost(startSchedule([read(0, 100), read(1, 100), read(2, 100, "dead")], 0), "dead", 2, 0);
  const run = serve(start, 0, 100_000, 90, 300);
  assert.equal(run.probesMs, 9 * 300);
});

test("a retry counts and waits, a hold only waits", () => {
  const start = startSchedule([read(0, 1_000)], 0);
  assert.deepEqual(nextJob(retried(start, 0, 50), 0), { kind: "idle", untilMs: 50 });
  assert.deepEqual(nextJob(retried(start, 0, 50), 50), { kind: "read", key: 0, attempts: 1 });
  assert.deepEqual(nextJob(held(start, 0, 50), 50), { kind: "read", key: 0, attempts: 0 });
  const after = finished(retried(start, 0, 50), 0, 60);
  assert.deepEqual(nextJob(after, 1_000), { kind: "read", key: 0, attempts: 0 });
});

test("a refused read becomes slow, its halves take its place at once", () => {
  const start = startSchedule([read(0, 1_000)], 0);
  assert.deepEqual(nextJob(slowed(start, 0, 60_000, 10), 10), { kind: "idle", untilMs: 60_010 });
  const halves = replaced(start, 0, [read(1, 1_000), read(2, 1_000)], 10);
  assert.deepEqual(nextJob(halves, 10), { kind: "read", key: 1, attempts: 0 });
  assert.equal(halves.slots.length, 2);
});

test("P6: all lost devices of a line together cost at most a twentieth of it, and each is still probed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 20, max: 2_000 }), (count, probeCostMs) => {
      const reads = Array.from({ length: count }, (_, i) => read(i, 1_000, `d${i}`));
      let schedule = startSchedule(reads, 0);
      for (const { key, device } of reads) schedule = deviceLost(schedule, device, key, 0);
      const durationMs = 100 * Math.max(PROBE_INTERVAL_MIN_MS, (count * probeCostMs) / PROBE_SHARE);
      const run = serve(schedule, 0, durationMs, 0, probeCostMs);
      assert.ok(run.probesMs / durationMs <= PROBE_SHARE);
      assert.ok(run.probesMs >= 80 * count * probeCostMs, "each of them about once an interval");
      assert.equal(run.readsMs.size, 0);
    }),
    { numRuns: 20 },
  );
});

test("a device that returns is read in full at once", () => {
  const start = startSchedule([read(0, 1_000), read(1, 1_000)], 0);
  const lost = deviceLost(start, "d", 0, 100);
  assert.deepEqual(nextJob(lost, 5_000), { kind: "idle", untilMs: 100 + PROBE_INTERVAL_MIN_MS });
  assert.equal(nextJob(lost, 10_100).kind, "probe");
  const back = deviceReturned(lost, "d", 10_100);
  assert.deepEqual(back.lost, []);
  assert.deepEqual(nextJob(back, 10_100), { kind: "read", key: 0, attempts: 0 });
});

test("joined reads are one, due when the first of them was", () => {
  const pieces = serve(startSchedule([read(0, 1_000), read(1, 1_000), read(2, 1_000)], 0), 0, 1_700, 10);
  const whole = joined(pieces.schedule, [1, 2], read(7, 1_000));
  assert.deepEqual(
    whole.slots.map((s) => s.key),
    [0, 7],
  );
  const dueMs = Math.min(...pieces.schedule.slots.filter((s) => s.key !== 0).map((s) => s.dueMs));
  assert.equal(whole.slots.find((s) => s.key === 7)?.dueMs, dueMs);
  assert.throws(() => joined(whole, [1], read(8, 1_000)), /nothing to be joined/);
});
