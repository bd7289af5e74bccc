import assert from "node:assert/strict";
import { test } from "node:test";
import { type Arrival, countingValue, parseServed, percentile, type Served, tally } from "./tally.ts";

const SPAN = { fromMs: 0, toMs: 1_000_000 };
const PLACE = { line: 1, unit: 3, register: 104 };
/** Three reads of one register, a second apart. */
const SERVED: readonly Served[] = [1_000, 2_000, 3_000].map((atMs) => ({
  ...PLACE,
  quantity: 1,
  atMs,
  repeated: false,
}));

function arrival(nth: number, atMs: number, history = false): Arrival {
  return { ...PLACE, value: countingValue(PLACE, nth), atMs, history };
}

test("each value served and arrived once is neither lost, doubled nor out of order", () => {
  const arrivals = [arrival(1, 1_020), arrival(2, 2_030), arrival(3, 3_010)];
  assert.deepEqual(tally(SERVED, arrivals, [], SPAN), {
    served: 3,
    lost: 0,
    told: 0,
    repeated: 0,
    doubled: 0,
    outOfOrder: 0,
    asHistory: 0,
    wrong: 0,
    latenciesMs: [10, 20, 30],
  });
});

test("what never arrives is lost, and told only where the peer said so for that register and time", () => {
  const told = [
    { ...PLACE, fromMs: 51_900, toMs: 52_100 },
    { ...PLACE, register: 105, fromMs: 52_900, toMs: 53_100 },
  ];
  const { lost, told: toldOf } = tally(SERVED, [arrival(1, 1_020)], told, SPAN, 50_000);
  assert.deepEqual([lost, toldOf], [2, 1]);
});

test("a value that comes again is doubled and not out of order", () => {
  const { doubled, outOfOrder } = tally(SERVED, [arrival(1, 1_020), arrival(2, 2_020), arrival(1, 2_030)], [], SPAN);
  assert.deepEqual([doubled, outOfOrder], [1, 0]);
});

test("an older value after a newer one is out of order, whether it is marked as history or not", () => {
  const arrivals = [arrival(3, 3_010), arrival(1, 3_020, true), arrival(2, 3_030)];
  const { outOfOrder, asHistory } = tally(SERVED, arrivals, [], SPAN);
  assert.deepEqual([outOfOrder, asHistory], [2, 1]);
});

test("a value of another register, of another unit, or of a read that nobody made is wrong", () => {
  const others = [
    { ...PLACE, register: 4 },
    { ...PLACE, register: 103 },
    { ...PLACE, unit: 4 },
  ];
  const foreign = others.map((place) => ({ ...arrival(1, 1_020), value: countingValue(place, 1) }));
  assert.equal(tally(SERVED, [...foreign, arrival(7, 3_010)], [], SPAN).wrong, 4);
});

test("a count that has gone round is the newest one served by then", () => {
  const served = Array.from({ length: 300 }, (_, i) => ({ ...PLACE, quantity: 1, atMs: i * 10, repeated: false }));
  const { lost, latenciesMs } = tally(served, [arrival(2, 15), arrival(258, 2_577)], [], SPAN);
  assert.deepEqual([lost, latenciesMs], [298, [5, 7]]);
});

test("registers read beyond the wanted ones count for nobody", () => {
  const served = [{ ...PLACE, register: 100, quantity: 11, atMs: 1_000, repeated: false }];
  assert.equal(tally(served, [], [], SPAN).served, 10);
});

test("a reply that is being written down is not read yet", () => {
  assert.deepEqual(parseServed(2, "1500000 3 100 10\n2500000 3 100 1"), [
    { line: 2, unit: 3, register: 100, quantity: 10, atMs: 1.5, repeated: false },
  ]);
});

test("a reply that is lost counts apart where the same was asked for again at once", () => {
  const served = parseServed(1, "1000000000 3 104 1\n2000000000 3 104 2\n3000000000 4 104 1\n4000000000 3 104 1\n");
  const { lost, repeated } = tally(served, [arrival(2, 2_010)], [], SPAN);
  assert.deepEqual([lost, repeated], [4, 1]);
});

test("a percentile of many is one of them", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile([7], 0.99)], [51, 100, 7]);
});
