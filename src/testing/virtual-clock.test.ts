import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "./virtual-clock.ts";

test("time passes with every delay, however small: who waits again for the rest of it comes to an end", async () => {
  const clock = new VirtualClock();
  await clock.advance(66_114.47916666666);
  const dueMs = clock.monotonicMs() + 1e-13;
  let looks = 0;
  const look = () => {
    looks += 1;
    if (looks < 10 && clock.monotonicMs() <= dueMs) clock.after(1e-13, look);
  };
  clock.after(1e-13, look);
  await clock.advance(1);
  assert.equal(looks, 1);
});

test("who waits for no time at all again and again is told so", async () => {
  const clock = new VirtualClock(undefined, 0);
  const again = () => void clock.after(0, again);
  again();
  await assert.rejects(clock.advance(1), /time stands still/);
});
