import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Candidate, type CandidateGroup, decideDrops, isOverfull, walBytesOf } from "./retention.ts";

const LIMITS = { maxSizeBytes: 1_000_000, maxAgeMs: 1_000 };
/** Where blocks begin to go, and where it stops. */
const FULL = LIMITS.maxSizeBytes - walBytesOf(LIMITS.maxSizeBytes);

function block(first: number, runMs = 0, sizeBytes = 1_000): Candidate {
  return { first, runMs, sizeBytes };
}

test("nothing goes while there is room and nothing is old", () => {
  assert.deepEqual(decideDrops([{ oldest: [block(1)], isAll: true }], FULL, 1_000, LIMITS), []);
});

test("what is too old goes whatever the room, of every priority", () => {
  const groups = [1, 2].map((n) => ({ oldest: [block(n), block(n + 10, 500)], isAll: true }));
  assert.deepEqual(decideDrops(groups, 0, 1_001, LIMITS), [
    { first: 1, reason: "too old" },
    { first: 2, reason: "too old" },
  ]);
});

test("a higher priority goes only after all of the lower", () => {
  const low = { oldest: [block(1), block(2)], isAll: false };
  const high = { oldest: [block(3)], isAll: true };
  const firsts = (groups: readonly CandidateGroup[]) =>
    decideDrops(groups, 2 * FULL, 0, LIMITS).map(({ first }) => first);
  assert.deepEqual(firsts([low, high]), [1, 2]);
  assert.deepEqual(firsts([{ ...low, isAll: true }, high]), [1, 2, 3]);
});

test("P7: enough goes to leave headroom, and no block more", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 60, maxLength: 60 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 100_000 }), (sizeBytes, overBytes) => {
      const oldest = sizeBytes.map((size, i) => block(i, 0, size));
      const dropped = decideDrops([{ oldest, isAll: true }], FULL + overBytes, 0, LIMITS);
      const freed = oldest.slice(0, dropped.length).reduce((sum, candidate) => sum + candidate.sizeBytes, 0);
      assert.deepEqual(
        dropped.map(({ first }) => first),
        [...dropped.keys()],
        "the oldest first",
      );
      if (dropped.length < oldest.length) assert.ok(!isOverfull(FULL + overBytes - freed, LIMITS));
      const last = oldest[dropped.length - 1]?.sizeBytes ?? 0;
      assert.ok(FULL + overBytes - freed + last > FULL * 0.95);
    }),
  );
});
