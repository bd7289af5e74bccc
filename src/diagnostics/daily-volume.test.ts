import assert from "node:assert/strict";
import { test } from "node:test";
import { DailyVolume } from "./daily-volume.ts";

const HOUR_MS = 3_600_000;

test("within the first day the volume is what was written since the start", () => {
  const volume = new DailyVolume();
  assert.equal(volume.note(500, 0), 0);
  assert.equal(volume.note(800, 10), 300);
  assert.equal(volume.note(1_500, 20 * HOUR_MS), 1_000);
});

test("after that it is what was written within the last day, however long it runs", () => {
  const volume = new DailyVolume();
  for (let hour = 0; hour <= 1_000; hour++) {
    const told = volume.note(hour * 10, hour * HOUR_MS);
    assert.ok(told <= 240, `hour ${hour} tells ${told}`);
    if (hour >= 24) assert.ok(told >= 230, `hour ${hour} tells ${told}`);
  }
});

test("what was written long ago is forgotten", () => {
  const volume = new DailyVolume();
  volume.note(0, 0);
  volume.note(1_000_000, 1);
  for (let hour = 1; hour <= 25; hour++) volume.note(1_000_000, hour * HOUR_MS);
  assert.equal(volume.note(1_000_007, 25.5 * HOUR_MS), 7);
});
