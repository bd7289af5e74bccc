import assert from "node:assert/strict";
import { test } from "node:test";
import { atLeast, atMost, told } from "./figure.ts";
import { measuredOver, median, medianDistance } from "./noise.ts";

test("the median of an even number lies between the two in the middle", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
});

test("one odd run widens the spread as little as it moves the middle", () => {
  assert.equal(medianDistance([10, 11, 12, 13, 500]), 1);
  assert.equal(medianDistance([10]), 0);
});

test("each figure is one over all runs, in its place, with the limit and verdict of the run in the middle", () => {
  const runs = [0.95, 0.99, 0.97].map((ratio, i) => [atLeast("ratio", ratio, "ratio", 0.96), told("cpu", i, "%")]);
  const [ratio, cpu] = measuredOver(runs);
  assert.equal(ratio?.value, 0.97);
  assert.equal(ratio?.verdict, "pass");
  assert.equal(ratio?.limit, ">= 0.96");
  assert.equal(ratio?.runs, 3);
  assert.ok(Math.abs((ratio?.mad ?? 0) - 0.02) < 1e-9);
  assert.deepEqual([cpu?.name, cpu?.value, cpu?.mad], ["cpu", 1, 1]);
});

test("a figure that only some runs have stands for those", () => {
  const [only, always] = measuredOver([[told("only", 1, "ms"), told("always", 1, "ms")], [told("always", 3, "ms")]]);
  assert.deepEqual([only?.runs, always?.runs, always?.value], [1, 2, 2]);
});

test("a run in which the value never came is the worst of all, whichever way is the better one", () => {
  const never = Number.NaN;
  const [delay, rate] = measuredOver(
    [5, never, 7].map((value) => [atMost("delay", value, "ms", 6), atLeast("rate", value, "samples/s", 6)]),
  );
  assert.deepEqual([delay?.value, delay?.verdict, delay?.mad], [7, "FAIL", 2]);
  assert.deepEqual([rate?.value, rate?.verdict, rate?.mad], [5, "FAIL", 2]);
});

test("of two runs the worse one gives the verdict", () => {
  const [slow, few] = measuredOver(
    [5, 7].map((value) => [atMost("slow", value, "ms", 6), atLeast("few", value, "samples/s", 6)]),
  );
  assert.deepEqual([slow?.verdict, few?.verdict], ["FAIL", "FAIL"]);
});
