import assert from "node:assert/strict";
import { test } from "node:test";
import { clearAtMs, guardedRequest, NOTHING_WRITTEN, sent, type WriteGuard } from "./write-guard.ts";

const UNTIL_MS = 60_000;

function write(value: number) {
  return guardedRequest({ kind: "writeRegister", unitId: 1, address: 100, value });
}

test("P7: a write that is repeated without an answer is awaited once, and until the last of its replies may have come", () => {
  let guard: WriteGuard = NOTHING_WRITTEN;
  for (let nowMs = 0; nowMs < 1_000; nowMs++) guard = sent(guard, write(3), false, nowMs + UNTIL_MS, nowMs);
  assert.equal(guard.awaited.length, 1);
  const other = sent(guard, write(4), true, 1_000 + UNTIL_MS, 1_000);
  assert.equal(clearAtMs(other, write(3), 1_001), 999 + UNTIL_MS);
});

test("P5: the answer to a write does not end the wait for the reply to the one before, which had none", () => {
  const silent = sent(NOTHING_WRITTEN, write(3), false, 2_000, 0);
  const both = sent(silent, write(3), true, 1_000, 10);
  assert.equal(clearAtMs(sent(both, write(4), true, 1_010, 20), write(3), 30), 2_000);
});
