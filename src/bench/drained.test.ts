import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { drained } from "./drained.ts";

const LOOK_MS = 1_000;
const HOUR_MS = 3_600_000;

test("a slow drain is waited for, as long as anything is acknowledged", async () => {
  const clock = new VirtualClock();
  const waited = drained(
    { depth: () => Math.max(0, 100 - Math.floor(clock.monotonicMs() / 30_000)) },
    clock,
    LOOK_MS,
    () => "connected",
  );
  await clock.advance(HOUR_MS);
  await waited;
});

test("a drain that gets nowhere is given up, with what the uplink says of itself", async () => {
  const clock = new VirtualClock();
  const waited = assert.rejects(
    drained({ depth: () => 7 }, clock, LOOK_MS, () => "failed: no broker"),
    /^Error: 7 samples wait, and the uplink is failed: no broker$/,
  );
  await clock.advance(HOUR_MS);
  await waited;
});
