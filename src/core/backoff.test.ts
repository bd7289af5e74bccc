import assert from "node:assert/strict";
import { test } from "node:test";
import { busiestSecond } from "../testing/fleet.ts";
import { backoffMs, reconnectMs } from "./backoff.ts";
import { seededRandom } from "./random.ts";

const GATEWAYS = 2_000;
const SPREAD_MS = 30_000;
const MAX_MS = 120_000;
const OUTAGES_S = [0.5, 5, 10, 15, 20, 25, 29, 35, 45, 60, 90, 120, 300, 900];

test("P7: 2,000 gateways are met by a broker at most 100 a second, whenever it returns, and all within two minutes", () => {
  const random = seededRandom(7);
  for (const outageS of OUTAGES_S) {
    const returnMs = outageS * 1_000;
    const connectsMs = Array.from({ length: GATEWAYS }, () => {
      let atMs = 0;
      for (let attempt = 1; atMs < returnMs || attempt === 1; attempt++) {
        atMs += reconnectMs(attempt, SPREAD_MS, MAX_MS, random);
      }
      return Math.max(atMs, returnMs);
    }).sort((a, b) => a - b);
    const busiest = busiestSecond(connectsMs.filter((ms) => ms > returnMs));
    assert.ok(busiest <= 100, `${busiest} in a second after ${outageS} s`);
    assert.ok((connectsMs.at(-1) ?? 0) - returnMs <= MAX_MS);
  }
});

test("the first retry comes within the spread, later ones after it and within the maximum, growing until then", () => {
  const at = (chance: number) => ({ next: () => chance });
  const delays = (chance: number) => [1, 2, 3, 4, 40].map((n) => reconnectMs(n, SPREAD_MS, MAX_MS, at(chance)));
  assert.deepEqual(delays(0), [0, 30_000, 30_000, 30_000, 30_000]);
  assert.deepEqual(delays(0.5), [15_000, 45_000, 75_000, 75_000, 75_000]);
  assert.deepEqual(delays(1), [30_000, 60_000, 120_000, 120_000, 120_000]);
  assert.deepEqual(
    [1, 2, 3].map((n) => reconnectMs(n, 0, 8_000, at(1))),
    [0, 2_000, 4_000],
  );
  assert.equal(reconnectMs(2, SPREAD_MS, SPREAD_MS, at(0.5)), SPREAD_MS);
});

test("without such a crowd chance draws from the whole delay", () => {
  const random = { next: () => 0.25 };
  assert.deepEqual(
    [1, 2, 3].map((n) => backoffMs(n, 1_000, 3_000, random)),
    [250, 500, 750],
  );
});

test("the busiest second is found wherever it begins", () => {
  assert.equal(busiestSecond([]), 0);
  assert.equal(busiestSecond([0, 900, 1_000, 1_100, 1_899, 1_900, 2_500]), 4);
});
