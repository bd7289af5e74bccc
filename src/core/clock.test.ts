import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { hostClock, reach } from "./clock.ts";

test("a moment is reached, never before it has come: the host's clock", async () => {
  for (const delayMs of [-1, 0, 0.05, 0.5, 1.2, 1.75, 3.3]) {
    const atMs = hostClock.monotonicMs() + delayMs;
    await reach(hostClock, atMs);
    assert.ok(hostClock.monotonicMs() >= atMs, `${delayMs} ms`);
  }
});

test("a moment is reached to the very fraction in virtual time", async () => {
  const clock = new VirtualClock();
  let reachedAtMs = 0;
  void reach(clock, 1.75).then(() => {
    reachedAtMs = clock.monotonicMs();
  });
  await clock.advance(5);
  assert.equal(reachedAtMs, 1.75);
});
