import assert from "node:assert/strict";
import { test } from "node:test";
import { type BenchBaseline, baselineOf, compare, comparisonText, isWorse, marginOf } from "./baseline.ts";
import { atLeast, atMost, context, type Figure, heldTo, told } from "./figure.ts";
import { type Measured, measuredOver } from "./noise.ts";

const HERE = { machine: "a board × 4, arm64", node: "v24.18.0" };
const AROUND = { ...HERE, date: "2026-11-22", loadAverage: 0.1 };

function runsOf(make: (value: number) => Figure, ...values: readonly number[]): readonly Measured[] {
  return measuredOver(values.map((value) => [make(value)]));
}

function outcome(
  make: (value: number) => Figure,
  before: readonly number[],
  now: readonly number[],
  here = HERE,
): string | undefined {
  const baseline: BenchBaseline = baselineOf(runsOf(make, ...before), AROUND);
  return compare(runsOf(make, ...now), baseline, here)[0]?.outcome;
}

const cpu = (value: number) => told("cpu", value, "ns/sample");
const rate = (value: number) => atLeast("rate", value, "samples/s", 40_000);
const ratio = (value: number) => atLeast("ratio", value, "ratio", 0.96);

test("what is worse than a day's change and than the noise is worse, in the direction of its kind", () => {
  assert.equal(outcome(cpu, [100, 101, 99], [130, 131, 129]), "WORSE");
  assert.equal(outcome(cpu, [100, 101, 99], [70, 71, 69]), "better");
  assert.equal(outcome(rate, [100_000, 99_000, 101_000], [70_000, 71_000, 69_000]), "WORSE");
  assert.equal(outcome(rate, [100_000, 99_000, 101_000], [130_000, 131_000, 129_000]), "better");
  assert.equal(outcome(cpu, [100, 101, 99], [110, 111, 109]), "same");
});

test("the same change within the noise of either measurement is none", () => {
  assert.equal(outcome(cpu, [100, 140, 60], [130, 131, 129]), "same");
  assert.equal(outcome(cpu, [100, 101, 99], [130, 150, 95]), "same");
});

test("ratios and bytes are held to less, and on every machine; times and memory on the same one only", () => {
  const other = { machine: "another × 2, x64", node: HERE.node };
  assert.equal(outcome(ratio, [0.98, 0.98, 0.98], [0.92, 0.92, 0.92], other), "WORSE");
  assert.equal(outcome(ratio, [0.98, 0.98, 0.98], [0.95, 0.95, 0.95], other), "same");
  assert.equal(outcome(cpu, [100, 101, 99], [200, 201, 199], other), "other machine");
  assert.equal(outcome(cpu, [100, 101, 99], [200, 201, 199], { ...HERE, node: "v20.1.0" }), "other machine");
  assert.equal(outcome(cpu, [100, 101, 99], [200, 201, 199], { ...HERE, node: "v24.19.1" }), "WORSE");
});

test("a ratio without a limit is held in its own direction, and by what machines differ", () => {
  const more = (value: number) => heldTo("speed", value, "ratio", { better: "more", marginShare: 0.3 });
  const less = (value: number) => heldTo("cpu", value, "ratio", { better: "less", marginShare: 0.3 });
  assert.equal(outcome(more, [0.5, 0.5, 0.5], [0.34, 0.34, 0.34]), "WORSE");
  assert.equal(outcome(more, [0.5, 0.5, 0.5], [0.36, 0.36, 0.36]), "same");
  assert.equal(outcome(less, [2, 2, 2], [2.7, 2.7, 2.7]), "WORSE");
  assert.equal(outcome(less, [2, 2, 2], [1.3, 1.3, 1.3]), "better");
});

test("one fault where there was none is worse; a few milliseconds of nothing are not", () => {
  assert.equal(
    outcome((value) => atMost("faults", value, "count", 0), [0, 0, 0], [1, 1, 1]),
    "WORSE",
  );
  assert.equal(
    outcome((value) => atMost("late", value, "ms", 10), [0.2, 0.2, 0.2], [1.5, 1.5, 1.5]),
    "same",
  );
});

test("a value that never came is worse than any", () => {
  assert.equal(
    outcome((value) => told("p99", value, "ms"), [5, 5, 5], [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 5]),
    "WORSE",
  );
});

test("what the machine disturbed is not called worse", () => {
  const disturbed = (value: number): Figure => ({ ...ratio(value), verdict: "disturbed" });
  assert.equal(outcome(disturbed, [0.98], [0.6]), "same");
});

test("what has no direction or is somebody else's is not compared, nor kept; what is new is called so", () => {
  assert.equal(
    outcome((value) => context("bare", value, "samples/s"), [100], [1]),
    "",
  );
  assert.equal(
    outcome((value) => told("taken", value, "samples"), [100], [1]),
    "",
  );
  assert.deepEqual(
    baselineOf(
      runsOf((value) => context("bare", value, "ms"), 1),
      AROUND,
    ).figures,
    {},
  );
  assert.equal(compare(runsOf(cpu, 5), undefined, HERE)[0]?.outcome, "new");
  assert.equal(isWorse(compare(runsOf(cpu, 5), undefined, HERE)), false);
});

test("a figure in another unit is another figure", () => {
  const inMs = baselineOf(
    runsOf((value) => told("wait", value, "ms"), 5),
    AROUND,
  );
  const [now] = compare(
    runsOf((value) => told("wait", value, "µs/sample"), 5_000),
    inMs,
    HERE,
  );
  assert.deepEqual([now?.outcome, now?.before], ["new", undefined]);
});

test("the margin grows with the noise of both", () => {
  const [measured] = runsOf(cpu, 90, 100, 110);
  assert.ok(measured !== undefined);
  const before = { value: 100, unit: "ns/sample", mad: 10, runs: 3 };
  assert.ok(Math.abs(marginOf(measured, before) - 4 * 1.4826 * Math.hypot(10, 10)) < 1e-9);
  assert.equal(marginOf({ ...measured, mad: 0 }, { ...before, mad: 0 }), 15);
});

test("the table shows what it is held against", () => {
  const comparisons = compare(runsOf(rate, 60_000), baselineOf(runsOf(rate, 80_000), AROUND), HERE);
  assert.match(comparisonText(comparisons), /rate +60000 +samples\/s +>= 40000 +150 % +pass +80000 +-25.0 % +WORSE/);
});

test("a figure that is no longer measured is told, and fails: nobody would see it get worse", () => {
  const both = measuredOver([[cpu(5), rate(60_000)]]);
  const comparisons = compare(runsOf(cpu, 5), baselineOf(both, AROUND), HERE);
  assert.deepEqual(
    comparisons.map(({ figure, outcome }) => [figure.name, outcome]),
    [
      ["cpu", "same"],
      ["rate", "GONE"],
    ],
  );
  assert.equal(isWorse(comparisons), true);
  assert.match(comparisonText(comparisons), /rate +samples\/s +60000 +GONE/);
});
