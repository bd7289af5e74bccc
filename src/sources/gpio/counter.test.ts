import assert from "node:assert/strict";
import { test } from "node:test";
import { type Count, countChange, totalOf } from "./counter.ts";

const NOTHING_COUNTED: Count = { edges: 0, certain: true };

const PULSES = [true, false, true, false, true];

test("a counter counts the edges it is told to", () => {
  const edges = (edge: "rising" | "falling" | "both") =>
    PULSES.reduce((count, level) => countChange(count, level, edge), NOTHING_COUNTED).edges;
  assert.equal(edges("rising"), 3);
  assert.equal(edges("falling"), 2);
  assert.equal(edges("both"), 5);
});

test("a total does not drift: 10 million pulses of 0.001 are 10,000, not nearly", () => {
  const settings = { edge: "rising", start: 0, scale: 0.001 } as const;
  assert.equal(totalOf({ edges: 10_000_000, certain: true }, settings), 10_000);
});

test("a total goes on from its start", () => {
  const settings = { edge: "rising", start: 48_211.5, scale: 0.5 } as const;
  assert.equal(totalOf(NOTHING_COUNTED, settings), 48_211.5);
  assert.equal(totalOf({ edges: 3, certain: true }, settings), 48_213);
});

test("counting does not make an uncertain total certain", () => {
  assert.deepEqual(countChange({ edges: 4, certain: false }, true, "rising"), { edges: 5, certain: false });
});
