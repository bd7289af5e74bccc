import assert from "node:assert/strict";
import { test } from "node:test";
import { type CommitState, checkMsOf, isDue, PROGRESS_INTERVAL_MS } from "./commit-loop.ts";

const QUIET: CommitState = {
  oldestMs: undefined,
  intervalMs: 1_000,
  isUrgent: false,
  hasProgress: false,
  lastCommitMs: 0,
  failures: 0,
};

test("P11: with nothing of age nothing is written", () => {
  assert.equal(isDue(QUIET, 1e9), false);
  assert.equal(isDue({ ...QUIET, oldestMs: 5_001 }, 6_000), false);
  assert.equal(isDue({ ...QUIET, oldestMs: 5_000 }, 6_000), true);
  assert.equal(isDue({ ...QUIET, oldestMs: 6_000, intervalMs: 0 }, 6_000), true);
});

test("P11: progress alone waits for its turn, what must not be hidden does not", () => {
  const state = { ...QUIET, hasProgress: true };
  assert.equal(isDue(state, PROGRESS_INTERVAL_MS - 1), false);
  assert.equal(isDue(state, PROGRESS_INTERVAL_MS), true);
  assert.equal(isDue({ ...QUIET, isUrgent: true }, 0), true);
});

test("P7: after failures everything waits, at most a minute", () => {
  const state = { ...QUIET, oldestMs: 0, isUrgent: true, failures: 1 };
  assert.equal(isDue(state, 999), false);
  assert.equal(isDue(state, 1_000), true);
  assert.equal(isDue({ ...state, failures: 3 }, 3_999), false);
  assert.equal(isDue({ ...state, failures: 1_000 }, 60_000), true);
});

test("P4: checks come every quarter of the smaller interval, and for what is no sample in any case", () => {
  assert.equal(checkMsOf([60_000, 1_000]), 250);
  assert.equal(checkMsOf([200, 60_000]), 50);
  assert.equal(checkMsOf([3_600_000, 3_600_000]), 2_500);
  assert.equal(checkMsOf([0, 60_000]), 250);
  assert.equal(checkMsOf([0, 200]), 50);
});
