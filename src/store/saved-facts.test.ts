import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { tagRef } from "../testing/store-rig.ts";
import { Dictionary } from "./dictionary.ts";
import type { LossRecord } from "./losses.ts";
import { MAX_RANGES, type Ranges, union } from "./ranges.ts";
import { FACT, laterSafe, lossText, progressText, safeText, savedOutbox } from "./saved-facts.ts";
import { DamagedBytes } from "./varint.ts";

const empty = new Dictionary([]);

test("P8: progress and losses come back as they were stored", () => {
  const ranges: fc.Arbitrary<Ranges> = fc
    .array(fc.tuple(fc.nat(), fc.nat({ max: 50 })), { maxLength: 30 })
    .map((pairs) =>
      union([pairs.map(([from, length]) => ({ from, to: from + length })), [{ from: 2 ** 40, to: Infinity }]]),
    );
  fc.assert(
    fc.property(ranges, fc.option(fc.nat(), { nil: undefined }), (pending, parkedRunMs) => {
      const facts = [[FACT.uplink("cloud"), progressText({ pending, parkedRunMs })] as const];
      assert.deepEqual(savedOutbox(facts, empty).uplinks.get("cloud"), { pending, parkedRunMs });
    }),
  );
  const dictionary = new Dictionary([]);
  const loss: LossRecord = {
    id: 12,
    reason: "outbox full",
    epoch: 3,
    priority: "low",
    fromMs: 1,
    toMs: 2,
    tags: [
      { tag: tagRef("a/b", "low"), count: 4 },
      { tag: tagRef("a/c", "low"), count: null },
    ],
  };
  const facts = [[FACT.loss("cloud", 12), lossText(loss, dictionary)] as const];
  const stored = new Dictionary(dictionary.unstored());
  assert.deepEqual(savedOutbox(facts, stored).losses.get("cloud"), [loss]);
});

test("P8: facts that are not ours mean a damaged file, never a crash; ranges stay bounded", () => {
  const name = fc.constantFrom(FACT.uplink("a"), FACT.loss("a", 1), FACT.safe, FACT.runMs);
  fc.assert(
    fc.property(name, fc.oneof(fc.string(), fc.json()), (fact, text) => {
      try {
        savedOutbox([[fact, text]], empty);
      } catch (error) {
        if (!(error instanceof DamagedBytes)) throw error;
      }
    }),
  );
  const many = Array.from({ length: 5_000 }, (_, i) => ({ from: i * 10, to: i * 10 + 1 }));
  const saved = savedOutbox([[FACT.uplink("a"), progressText({ pending: many, parkedRunMs: undefined })]], empty);
  assert.equal(saved.uplinks.get("a")?.pending.length, MAX_RANGES);
});

test("P9: of two safe times the one of the greater epoch is the later, whatever the clock said", () => {
  const early = { ms: 9_000, epoch: 1 };
  const late = { ms: 5, epoch: 2 };
  assert.equal(laterSafe(early, late), late);
  assert.equal(laterSafe(late, early), late);
  assert.equal(laterSafe(undefined, early), early);
  assert.deepEqual(savedOutbox([[FACT.safe, safeText(late)]], empty).safe, late);
});
