import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ResponseTimes } from "./response-times.ts";

test("percentiles are right to a twentieth, from 1 ms to 10 s", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 1, max: 10_000, noNaN: true }), { minLength: 1, maxLength: 1_000 }),
      fc.constantFrom(0.5, 0.99),
      (durationsMs, share) => {
        const times = new ResponseTimes();
        for (const ms of durationsMs) times.add(ms);
        const sorted = durationsMs.toSorted((a, b) => a - b);
        const exactMs = sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
        const ratio = times.percentileMs(share) / exactMs;
        assert.ok(ratio > 0.95 && ratio < 1.05, `${times.percentileMs(share)} for ${exactMs}`);
      },
    ),
  );
});

test("nothing yet is 0, and no time is too short or too long", () => {
  const times = new ResponseTimes();
  assert.equal(times.percentileMs(0.5), 0);
  times.add(0);
  assert.ok(times.percentileMs(0.5) <= 1);
  times.add(1e9);
  assert.ok(times.percentileMs(0.99) > 10_000);
});

test("P7: what was long ago is forgotten, so that a device that became slow shows, and nothing grows", () => {
  const times = new ResponseTimes();
  for (let i = 0; i < 1_000_000; i++) times.add(10);
  assert.ok(times.percentileMs(0.99) < 11);
  for (let i = 0; i < 1_100; i++) times.add(100);
  assert.ok(times.percentileMs(0.5) > 95);
  for (let i = 0; i < 10_000; i++) times.add(100);
  assert.ok(times.percentileMs(0.01) > 95);
});
