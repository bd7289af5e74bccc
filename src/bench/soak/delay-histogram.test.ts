import assert from "node:assert/strict";
import { test } from "node:test";
import { DelayHistogram } from "./delay-histogram.ts";

test("quantiles are told within 9 %, and never above the greatest", () => {
  const delays = new DelayHistogram();
  for (let ms = 1; ms <= 1_000; ms++) delays.add(ms);
  for (const [share, right] of [
    [0.5, 500],
    [0.99, 990],
    [1, 1_000],
  ] as const) {
    const told = delays.quantileMs(share);
    assert.ok(told >= right && told <= right * 1.1, `${share}: ${told}`);
  }
  assert.ok(delays.quantileMs(1) <= delays.maxMs);
});

test("nothing, less than nothing and hours have a place", () => {
  const delays = new DelayHistogram();
  assert.equal(delays.quantileMs(0.5), 0);
  for (const ms of [-3, 0, 1e9]) delays.add(ms);
  assert.equal(delays.count, 3);
  assert.equal(delays.quantileMs(0.5), 1);
  assert.equal(delays.maxMs, 1e9);
  delays.reset();
  assert.equal(delays.count, 0);
  assert.equal(delays.quantileMs(0.99), 0);
});
