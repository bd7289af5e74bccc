import assert from "node:assert/strict";
import { test } from "node:test";
import { announcedKeepAliveS, SILENCE_KEEP_ALIVES } from "./keep-alive.ts";

test("P3: also a broker that looks for silent clients every 6 s sends the will within one and a half of keepAlive", () => {
  const announced = [1, 4, 10, 15, 30, 600].map((s) => [s, announcedKeepAliveS(s * 1_000)]);
  assert.deepEqual(announced, [
    [1, 1],
    [4, 2],
    [10, 5],
    [15, 10],
    [30, 25],
    [600, 595],
  ]);
  for (const keepAliveS of [10, 15, 30, 600]) {
    const silentS = Math.floor(announcedKeepAliveS(keepAliveS * 1_000) * SILENCE_KEEP_ALIVES);
    assert.ok(silentS + 1 + 6 <= keepAliveS * SILENCE_KEEP_ALIVES, `${keepAliveS} s`);
  }
  assert.equal(announcedKeepAliveS(70_000_000), 65_535);
});
