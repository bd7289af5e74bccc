import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../core/random.ts";
import { drawPlan, TROUBLES } from "./plan.ts";

const MINUTE_MS = 60_000;
const SIZE = { durationMs: 120 * MINUTE_MS, lines: 4, devicesPerLine: 10, uplinks: 2 };
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);

test("one seed is one plan", () => {
  assert.deepEqual(drawPlan(SIZE, seededRandom(7)), drawPlan(SIZE, seededRandom(7)));
  assert.notDeepEqual(drawPlan(SIZE, seededRandom(7)), drawPlan(SIZE, seededRandom(8)));
});

test("troubles come one after the other, with quiet between and at the end", () => {
  for (const seed of SEEDS) {
    let freeMs = 0;
    for (const { atMs, forMs, line, device, uplink } of drawPlan(SIZE, seededRandom(seed))) {
      assert.ok(atMs >= freeMs + 9_999, `seed ${seed} at ${atMs}`);
      assert.ok(line < SIZE.lines && device < SIZE.devicesPerLine && uplink < SIZE.uplinks);
      freeMs = atMs + forMs;
    }
    assert.ok(freeMs <= SIZE.durationMs - MINUTE_MS + 1);
  }
});

test("the gateway is started anew at both ends only, so that one life can be judged", () => {
  for (const seed of SEEDS) {
    const shares = drawPlan(SIZE, seededRandom(seed))
      .filter(({ kind }) => kind === "gateway restarted")
      .map(({ atMs }) => atMs / SIZE.durationMs);
    assert.ok(shares.some((share) => share < 1 / 8));
    assert.ok(shares.some((share) => share > 7 / 8));
    assert.ok(shares.every((share) => share < 1 / 8 || share > 7 / 8));
  }
});

test("two hours see every kind", () => {
  for (const seed of SEEDS) {
    assert.deepEqual(
      new Set(drawPlan(SIZE, seededRandom(seed)).map(({ kind }) => kind)),
      new Set(TROUBLES),
      `seed ${seed}`,
    );
  }
});
