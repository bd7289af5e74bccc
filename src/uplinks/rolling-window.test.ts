import assert from "node:assert/strict";
import { test } from "node:test";
import type { NumberedSample } from "../pipeline.ts";
import { tagOf } from "../testing/settable-values.ts";
import { RollingWindow, WINDOW_MAX_BYTES, WINDOW_MS } from "./rolling-window.ts";

const tag = tagOf("pump", "speed");

function sample(number: number): NumberedSample {
  return { tag, value: number, status: "Good", sourceTimestampMs: number, epoch: 1, number };
}

function numbers(window: RollingWindow): readonly number[] {
  return window.owed(0, Number.POSITIVE_INFINITY).samples.map(({ number }) => number);
}

test("P4: what was acknowledged within the window is owed again, oldest first, until it is acknowledged again", () => {
  const window = new RollingWindow();
  window.keep([sample(1)], 0);
  window.keep([sample(2), sample(3)], 1_000);
  assert.deepEqual(numbers(window), []);
  window.owe(WINDOW_MS + 1);
  assert.deepEqual(numbers(window), [2, 3]);
  window.delivered(1);
  assert.deepEqual(numbers(window), [3]);
  window.owe(WINDOW_MS + 2);
  assert.deepEqual(numbers(window), [3], "owed once for each time that it was acknowledged");
});

test("P7: the window is bounded, and keeps the newest", () => {
  const window = new RollingWindow();
  const count = (2 * WINDOW_MAX_BYTES) / 200;
  for (let number = 1; number <= count; number += 1_000) {
    window.keep(
      Array.from({ length: 1_000 }, (_, index) => sample(number + index)),
      0,
    );
  }
  window.owe(0);
  assert.equal(numbers(window).length, WINDOW_MAX_BYTES / 200);
  assert.equal(numbers(window).at(-1), count);
});

test("P7: long texts that are owed again count by what they take", () => {
  const window = new RollingWindow();
  const text = "x".repeat(1_000_000);
  for (let number = 1; number <= 20; number += 1) {
    window.keep([{ ...sample(number), value: text }], 0);
    window.owe(0);
  }
  assert.deepEqual(numbers(window), [14, 15, 16, 17, 18, 19, 20]);
});

test("P4: what is owed behind what is on its way stays owed, also when the oldest is cut", () => {
  const window = new RollingWindow();
  const most = WINDOW_MAX_BYTES / 200;
  const fill = (from: number) =>
    window.keep(
      Array.from({ length: most }, (_, index) => sample(from + index)),
      0,
    );
  fill(1);
  window.owe(0);
  const onItsWay = window.owed(0, 1_000);
  window.keep([sample(most + 1)], 0);
  window.owe(0);
  const next = onItsWay.from + onItsWay.samples.length;
  assert.equal(window.owed(next, 1).samples[0]?.number, 1_001);
  window.delivered(next);
  assert.equal(numbers(window)[0], 1_001);
});

test("P9: what has no time yet is not kept", () => {
  const window = new RollingWindow();
  window.keep([{ ...sample(1), unsynced: true }], 0);
  window.owe(0);
  assert.deepEqual(numbers(window), []);
});
