import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Loss, NumberedSample } from "../pipeline.ts";
import { afterCollection } from "../testing/garbage.ts";
import { tagOf } from "../testing/settable-values.ts";
import { AGAIN_AFTER_MS, MISSES_ALL, RollingWindow, WINDOW_MAX_BYTES, WINDOW_MS } from "./rolling-window.ts";

const tag = tagOf("pump", "speed");

function sample(number: number): NumberedSample {
  return { tag, value: number, status: "Good", sourceTimestampMs: number, epoch: 1, number };
}

function samples(from: number, count: number): readonly NumberedSample[] {
  return Array.from({ length: count }, (_, index) => sample(from + index));
}

function windowOf(...kept: readonly (readonly [atMs: number, ...numbers: number[]])[]): RollingWindow {
  const window = new RollingWindow();
  for (const [atMs, ...numbers] of kept) window.sending(numbers.map(sample))(atMs);
  return window;
}

function owed(window: RollingWindow, from = 0): readonly number[] {
  return window.samples.owed(from, Number.POSITIVE_INFINITY).items.map(({ number }) => number);
}

/** All that is owed goes out again and is acknowledged. */
function repeat(window: RollingWindow, atMs: number): void {
  const { from, items } = window.samples.owed(0, Number.POSITIVE_INFINITY);
  window.samples.repeating(from + items.length)(atMs);
}

describe("a host that was gone", () => {
  test("P4: is owed what was acknowledged within the window, oldest first, until it is acknowledged again", () => {
    const window = windowOf([0, 1], [1_000, 2, 3], [WINDOW_MS + 1, 4]);
    assert.deepEqual(owed(window), []);
    window.owe(MISSES_ALL, WINDOW_MS + 2);
    assert.deepEqual(owed(window), [2, 3, 4]);
    window.samples.repeating(1)(WINDOW_MS + 2);
    assert.deepEqual(owed(window), [3, 4]);
  });

  test("P4: is owed again what went out again, however soon it goes again", () => {
    const window = windowOf([0, 1, 2]);
    window.owe(MISSES_ALL, 1_000);
    repeat(window, 2_000);
    window.owe(MISSES_ALL, 3_000);
    assert.deepEqual(owed(window), [1, 2]);
    repeat(window, WINDOW_MS);
    window.sending([sample(3)])(WINDOW_MS + 1_000);
    window.owe(MISSES_ALL, WINDOW_MS + 1_000);
    assert.deepEqual(owed(window), [1, 2, 3], "young by its last acknowledgement");
  });

  test("P4: is owed what nobody could tell it since: a link that was down makes nothing older", () => {
    const window = windowOf([0, 1]);
    window.owe(MISSES_ALL, 10 * WINDOW_MS);
    assert.deepEqual(owed(window), [1]);
  });

  test("P4: has its time in each session to be found gone: one that was cut short shows nothing", () => {
    const window = windowOf([0, 1]);
    window.begin(WINDOW_MS);
    window.sending([sample(2)])(2 * WINDOW_MS);
    window.sending([sample(3)])(2 * WINDOW_MS + 1);
    window.owe(MISSES_ALL, 2 * WINDOW_MS + 1);
    assert.deepEqual(owed(window), [2, 3]);
    const other = windowOf([0, 1]);
    other.begin(WINDOW_MS);
    other.sending([sample(2)])(2 * WINDOW_MS);
    other.owe(MISSES_ALL, 2 * WINDOW_MS);
    assert.deepEqual(owed(other), [1, 2]);
  });

  test("P4: is owed what was on its way when it was found to be gone, once it is acknowledged", () => {
    const window = windowOf([0, 1]);
    const onItsWay = window.sending([sample(2)]);
    window.owe(MISSES_ALL, 100);
    const again = window.samples.repeating(1);
    onItsWay(200);
    assert.deepEqual(owed(window), [1, 2]);
    window.owe(MISSES_ALL, 300);
    again(400);
    assert.deepEqual(owed(window), [2, 1]);
  });

  test("P4: is owed losses, too", () => {
    const window = new RollingWindow();
    const span = { epoch: 1, toEpoch: 1, fromMs: 0, toMs: 9 };
    const loss: Loss = { id: 7, reason: "too old", ...span, tags: [{ tag, count: 3 }] };
    window.losses.sending([loss])(0);
    window.owe(MISSES_ALL, 1);
    assert.deepEqual(window.losses.owed(0, 9).items, [loss]);
  });
});

describe("a host that asks for what it misses", () => {
  test("P4: gets what was first acknowledged since then", () => {
    const window = windowOf([0, 1], [1_000, 2]);
    window.owe(500, 2_000);
    assert.deepEqual(owed(window), [2]);
    window.owe(MISSES_ALL, 3_000);
    assert.deepEqual(owed(window), [2, 1], "the rest is kept for one that was gone");
  });

  test("P7: gets the same once a minute, however often it asks", () => {
    const window = windowOf([0, 1]);
    window.owe(0, 1_000);
    repeat(window, 2_000);
    window.sending([sample(2)])(3_000);
    window.owe(0, 4_000);
    assert.deepEqual(owed(window), [2]);
    repeat(window, 5_000);
    window.owe(0, 2_000 + AGAIN_AFTER_MS);
    assert.deepEqual(owed(window), [1]);
  });
});

test("P7: the window is bounded, and keeps the newest", () => {
  const window = new RollingWindow();
  const count = (2 * WINDOW_MAX_BYTES) / 200;
  for (let number = 1; number <= count; number += 1_000) window.sending(samples(number, 1_000))(0);
  window.owe(MISSES_ALL, 0);
  assert.equal(owed(window).length, WINDOW_MAX_BYTES / 200);
  assert.equal(owed(window).at(-1), count);
});

test("P7: what is too old leaves memory at once", async () => {
  const window = new RollingWindow();
  const kept: WeakRef<object>[] = [];
  const tell = (number: number, atMs: number) => {
    const own = tagOf("pump", `speed ${number}`);
    kept.push(new WeakRef(own));
    window.sending([{ ...sample(number), tag: own }])(atMs);
  };
  for (const number of [1, 2, 3, 4, 5]) tell(number, number);
  tell(6, WINDOW_MS + 3);
  assert.deepEqual(await afterCollection(kept), [true, true, false, false, false, false]);
  window.owe(MISSES_ALL, WINDOW_MS + 3);
  assert.deepEqual(owed(window), [3, 4, 5, 6]);
});

test("P7: long texts that are owed again count by what they take", () => {
  const window = new RollingWindow();
  const text = "x".repeat(1_000_000);
  for (let number = 1; number <= 20; number += 1) {
    window.sending([{ ...sample(number), value: text }])(0);
    window.owe(MISSES_ALL, 0);
  }
  assert.deepEqual(owed(window), [14, 15, 16, 17, 18, 19, 20]);
});

test("P4: what is owed behind what is on its way stays owed, also when the oldest is cut", () => {
  const window = new RollingWindow();
  const most = WINDOW_MAX_BYTES / 200;
  window.sending(samples(1, most))(0);
  window.owe(MISSES_ALL, 0);
  const first = window.samples.owed(0, 1_000);
  const next = first.from + first.items.length;
  const acknowledged = window.samples.repeating(next);
  window.sending([sample(most + 1)])(0);
  window.owe(MISSES_ALL, 0);
  assert.equal(owed(window, next)[0], 1_001);
  acknowledged(0);
  assert.equal(owed(window)[0], 1_001);
});

test("P3: a session that begins when all that was owed is delivered owes nothing", () => {
  const window = windowOf([0, 1]);
  assert.equal(window.samples.owes(0), false);
  window.owe(MISSES_ALL, 1);
  assert.equal(window.samples.owes(0), true);
  repeat(window, 2);
  assert.equal(window.samples.owes(0), false);
});

test("P9: what has no time yet is not kept", () => {
  const window = new RollingWindow();
  window.sending([{ ...sample(1), unsynced: true }])(0);
  window.owe(MISSES_ALL, 0);
  assert.deepEqual(owed(window), []);
});
