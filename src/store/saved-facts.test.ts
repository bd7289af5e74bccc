import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LossReason } from "../pipeline.ts";
import { tagRef } from "../testing/store-rig.ts";
import { Dictionary } from "./dictionary.ts";
import type { LossRecord } from "./losses.ts";
import { MAX_RANGES, type Ranges, union } from "./ranges.ts";
import { FACT, laterSafe, lossText, progressText, safeText, savedOutbox } from "./saved-facts.ts";

const empty = new Dictionary([]);

test("P8: progress and losses come back as they were stored", () => {
  const ranges: fc.Arbitrary<Ranges> = fc
    .array(fc.tuple(fc.nat(), fc.nat({ max: 50 })), { maxLength: 30 })
    .map((pairs) =>
      union([pairs.map(([from, length]) => ({ from, to: from + length })), [{ from: 2 ** 40, to: Infinity }]]),
    );
  fc.assert(
    fc.property(ranges, fc.array(fc.nat()), fc.option(fc.nat(), { nil: undefined }), (pending, floors, parkedRunMs) => {
      const facts = [[FACT.uplink("cloud"), progressText({ pending, floors, parkedRunMs })] as const];
      assert.deepEqual(savedOutbox(facts, empty).uplinks.get("cloud"), { pending, floors, parkedRunMs });
    }),
  );
  const dictionary = new Dictionary([]);
  const loss: LossRecord = {
    id: 12,
    reason: "outbox full",
    epoch: 3,
    toEpoch: 5,
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

test("P8: a fact that is not ours costs itself: it is named, and the others are read; ranges stay bounded", () => {
  const name = fc.constantFrom(FACT.uplink("a"), FACT.loss("a", 1), FACT.safe, FACT.runMs);
  const other = progressText({ pending: [{ from: 7, to: Infinity }], floors: [], parkedRunMs: undefined });
  fc.assert(
    fc.property(name, fc.oneof(fc.string(), fc.json()), (fact, text) => {
      const facts = [[fact, text] as const, [FACT.uplink("other"), other] as const];
      const saved = savedOutbox(facts, empty);
      assert.deepEqual(saved.uplinks.get("other")?.pending, [{ from: 7, to: Infinity }]);
      if (saved.bad.length === 0) return;
      assert.deepEqual(
        saved.bad.map((bad) => [bad.name, bad.loser]),
        [[fact, fact === FACT.loss("a", 1) ? "a" : undefined]],
      );
    }),
  );
  assert.equal(
    savedOutbox([[FACT.clean, "tru\u0000"]], empty).wasClean,
    false,
    "what cannot be read says nothing good",
  );
  const many = Array.from({ length: 5_000 }, (_, i) => ({ from: i * 10, to: i * 10 + 1 }));
  const saved = savedOutbox(
    [[FACT.uplink("a"), progressText({ pending: many, floors: [], parkedRunMs: undefined })]],
    empty,
  );
  assert.equal(saved.uplinks.get("a")?.pending.length, MAX_RANGES);
});

test("P8: every reason for a loss comes back", () => {
  const reasons: Record<LossReason, true> = {
    "unclean stop": true,
    "outbox full": true,
    "too old": true,
    "damaged file": true,
    "type changed": true,
    "history off": true,
  };
  for (const reason of Object.keys(reasons)) {
    const text = JSON.stringify({ reason, epoch: 1, priority: -1, fromMs: 1, toMs: 2, tags: [] });
    const { losses, bad } = savedOutbox([[FACT.loss("a", 1), text]], empty);
    assert.deepEqual(bad, []);
    assert.equal(losses.get("a")?.[0]?.reason, reason);
  }
});

test("P9: of two safe times the one of the greater epoch is the later, whatever the clock said", () => {
  const early = { ms: 9_000, epoch: 1 };
  const late = { ms: 5, epoch: 2 };
  assert.equal(laterSafe(early, late), late);
  assert.equal(laterSafe(late, early), late);
  assert.equal(laterSafe(undefined, early), early);
  assert.deepEqual(savedOutbox([[FACT.safe, safeText(late)]], empty).safe, late);
});
