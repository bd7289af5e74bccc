import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../core/random.ts";
import { minima, type Point, spanFor, theilSen } from "./trend.ts";

const HOUR_S = 3_600;

/** A look every 5 s for two hours. */
function record(valueAt: (s: number) => number): readonly Point[] {
  return Array.from({ length: (2 * HOUR_S) / 5 }, (_, i) => ({ s: i * 5, value: valueAt(i * 5) }));
}

function slopeOf(points: readonly Point[]): number {
  return theilSen(minima(points, spanFor(points)))?.perHour ?? Number.NaN;
}

test("a straight line has its slope, an hour", () => {
  assert.ok(Math.abs(slopeOf(record((s) => 80 + (3 * s) / HOUR_S)) - 3) < 1e-9);
  assert.equal(slopeOf(record(() => 80)), 0);
});

test("what is taken for a moment and given back is no growth", () => {
  const random = seededRandom(4);
  const sawtooth = record((s) => 80 + (s % 37) / 4 + (random.next() < 0.02 ? 40 : 0));
  assert.ok(Math.abs(slopeOf(sawtooth)) < 0.05);
});

test("a heap that is collected more and more seldom, to the same floor, does not grow", () => {
  let sinceS = 0;
  const collected = record((s) => {
    sinceS = sinceS >= 60 + s / 36 ? 0 : sinceS + 5;
    return 115 + sinceS / 6;
  });
  assert.ok(Math.abs(slopeOf(collected)) < 0.05, `${slopeOf(collected)}`);
});

test("a leak under noise is found, within the range that is told", () => {
  const random = seededRandom(5);
  const leaking = minima(
    record((s) => 80 + (0.8 * s) / HOUR_S + 4 * random.next()),
    60,
  );
  const trend = theilSen(leaking);
  assert.ok(trend !== undefined);
  assert.ok(Math.abs(trend.perHour - 0.8) < 0.15, `${trend.perHour}`);
  assert.ok(trend.lowPerHour < 0.8 && trend.highPerHour > 0.8, `${trend.lowPerHour} … ${trend.highPerHour}`);
  assert.equal(trend.points, 120);
});

test("a third of the points that are far off does not turn the line", () => {
  const crooked = record((s) => 80 + s / HOUR_S).map(({ s, value }, i) => ({
    s,
    value: i % 3 === 0 ? value + 50 : value,
  }));
  const trend = theilSen(crooked.slice(0, 300));
  assert.ok(Math.abs((trend?.perHour ?? 0) - 1) < 0.2, `${trend?.perHour}`);
});

test("each span gives its least point, at its own time", () => {
  const points = [5, 3, 4, 9, 8].map((value, i) => ({ s: i * 20, value }));
  assert.deepEqual(minima(points, 60), [
    { s: 20, value: 3 },
    { s: 80, value: 8 },
  ]);
});

test("spans are five minutes, and longer where weeks would make too many of them", () => {
  assert.equal(spanFor(record(() => 1)), 300);
  assert.equal(spanFor([0, 720 * HOUR_S].map((s) => ({ s, value: 1 }))), 6_480);
});

test("two points make no trend", () => {
  assert.equal(
    theilSen([
      { s: 0, value: 1 },
      { s: 9, value: 2 },
    ]),
    undefined,
  );
});
