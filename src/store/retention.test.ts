import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Candidate, type CandidateGroup, decideDrops, isOverfull, roomOf, walBytesOf } from "./retention.ts";

/** Where blocks begin to go. */
const FULL = 875_000;
const LIMITS = { roomBytes: FULL, maxAgeMs: 1_000 };

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

const MB = 1_000_000;
const SIZES = { maxSizeBytes: 2_000 * MB };
/** Of a file without a log. */
const space = (pagesMb: number, freeMb: number, sizeMb = 16_000) => ({
  pagesBytes: pagesMb * MB,
  fileBytes: pagesMb * MB,
  partition: { sizeBytes: sizeMb * MB, freeBytes: freeMb * MB },
});

test("P7: the outbox grows up to its limit, or until the partition comes to its reserve", () => {
  const walBytes = walBytesOf(SIZES.maxSizeBytes);
  const unlimited = SIZES.maxSizeBytes - walBytes;
  assert.equal(roomOf(SIZES, { ...space(10, 0), partition: undefined }), unlimited);
  assert.equal(roomOf(SIZES, space(10, 10_000)), unlimited);
  const reserveBytes = 100 * MB;
  assert.equal(roomOf({ ...SIZES, reserveBytes }, space(10, 300)), 210 * MB - walBytes);
  assert.equal(roomOf(SIZES, space(10, 300, 1_000)), 260 * MB - walBytes, "5 % of a small partition");
});

test("P8: a partition that others fill takes nothing from what the outbox holds, and leaves it a little", () => {
  assert.equal(roomOf(SIZES, space(500, 0)), 500 * MB);
  assert.equal(roomOf(SIZES, space(0, 0)), MB);
});
