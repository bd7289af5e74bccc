import assert from "node:assert/strict";
import { test } from "node:test";
import type { LossReason, NumberedSample } from "../pipeline.ts";
import { tagRef } from "../testing/store-rig.ts";
import { addLoss, draftsOf, type LossDraft, type LossRecord, lostSamples, MAX_LOSSES } from "./losses.ts";

function sampleOf(number: number, id: string, epoch = 1, priority: "low" | "high" = "low"): NumberedSample {
  return { tag: tagRef(id, priority), value: 1, status: "Good", sourceTimestampMs: number * 10, epoch, number };
}

function draft(reason: LossReason, epoch: number, count: number | null = 1): LossDraft {
  const tags = [{ tag: tagRef("a/b"), count }];
  return { reason, epoch, toEpoch: epoch, fromMs: epoch, toMs: epoch + 1, priority: "normal", tags };
}

test("P4: records of several epochs reach from the first to the last of them, by epoch and by time", () => {
  let losses: readonly LossRecord[] = [];
  const late = { epoch: 100, toEpoch: 101, fromMs: 5, toMs: 6 };
  for (let epoch = 1; epoch <= MAX_LOSSES; epoch++) losses = addLoss(losses, draft("too old", epoch), epoch);
  losses = addLoss(losses, { ...draft("too old", 1), ...late }, 999);
  const merged = losses.find(({ id }) => id === 999);
  assert.deepEqual([merged?.epoch, merged?.toEpoch, merged?.fromMs, merged?.toMs], [1, 101, 1, 6]);
});

test("lost samples are counted per tag, apart by priority and epoch", () => {
  const tag = sampleOf(1, "a/x").tag;
  const same = (number: number) => ({ ...sampleOf(number, "a/x"), tag });
  const drafts = draftsOf("too old", [same(1), sampleOf(2, "a/y", 1, "high"), same(3), { ...same(4), epoch: 2 }]);
  assert.deepEqual(
    drafts.map(({ priority, epoch, fromMs, toMs, tags }) => [priority, epoch, fromMs, toMs, tags.map((t) => t.count)]),
    [
      ["low", 1, 10, 30, [2]],
      ["high", 1, 20, 20, [1]],
      ["low", 2, 40, 40, [1]],
    ],
  );
});

test("P4: a record that grows gets a new id, so that an old acknowledgement does not end it", () => {
  const first = addLoss([], draft("outbox full", 1, 2), 7);
  const second = addLoss(first, draft("outbox full", 1, 3), 8);
  assert.deepEqual(
    second.map(({ id }) => id),
    [8],
  );
  assert.equal(lostSamples(second[0] ?? assert.fail()), 5);
  const unknown = addLoss(second, draft("outbox full", 1, null), 9);
  assert.deepEqual(
    unknown[0]?.tags.map(({ count }) => count),
    [null],
    "what is not known stays unknown",
  );
});

test("P7: records are bounded: epochs merge at the limit, and no span is lost", () => {
  let losses: readonly LossRecord[] = [];
  for (let epoch = 1; epoch <= 500; epoch++) losses = addLoss(losses, draft("unclean stop", epoch), epoch);
  assert.equal(losses.length, MAX_LOSSES);
  assert.equal(
    losses.reduce((sum, loss) => sum + lostSamples(loss), 0),
    500,
  );
  for (let epoch = 1; epoch <= 500; epoch++) {
    assert.ok(losses.some(({ fromMs, toMs }) => fromMs <= epoch && epoch + 1 <= toMs));
  }
});
