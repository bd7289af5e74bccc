import assert from "node:assert/strict";
import { test } from "node:test";
import { STATUS_NAMES } from "../core/quality.ts";
import { isOverdue, isUsable } from "./staleness.ts";

test("a good read is overdue from the moment its stale time is over", () => {
  assert.equal(isOverdue(1_000, 5_000, 5_999.9), false);
  assert.equal(isOverdue(1_000, 5_000, 6_000), true);
});

test("P5: only a read that succeeded counts as good, and only such a value grows old", () => {
  assert.deepEqual(STATUS_NAMES.filter(isUsable), ["Good", "UncertainEngineeringUnitsExceeded"]);
});
