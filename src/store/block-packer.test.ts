import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PRIORITIES } from "../core/tag.ts";
import type { NumberedSample } from "../pipeline.ts";
import { tagRef } from "../testing/store-rig.ts";
import { type OpenBlocks, type PackedBlock, pack } from "./block-packer.ts";
import { MAX_BLOCK_SPAN } from "./block-store.ts";

const LIMITS = { maxBlockSamples: 4, maxBlockText: 20, maxBlockOpenMs: 1_000 };

function sampleOf(number: number, rank = 1, value: string | null = null): NumberedSample {
  const tag = tagRef("a/b", PRIORITIES[rank]);
  return { tag, value, status: "Good", sourceTimestampMs: number, epoch: 1, number };
}

const samples = fc
  .uniqueArray(
    fc.record({
      number: fc.integer({ min: 1, max: 4 * MAX_BLOCK_SPAN }),
      rank: fc.nat({ max: 2 }),
      text: fc.string({ maxLength: 15 }),
    }),
    { selector: ({ number }) => number, maxLength: 40 },
  )
  .map((drafts) => drafts.sort((a, b) => a.number - b.number).map((d) => sampleOf(d.number, d.rank, d.text)));

test("every sample lies in exactly one block, of its priority, within the limits", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(samples, fc.boolean(), fc.nat({ max: 2_000 })), { maxLength: 5 }), (commits) => {
      const stored = new Map<number, PackedBlock>();
      const seen = new Set<number>();
      const wanted: number[] = [];
      let open: OpenBlocks = new Map();
      let runMs = 0;
      for (const [batch, grows, waitMs] of commits) {
        runMs += waitMs;
        const fresh = batch.filter(({ number }) => !seen.has(number));
        for (const { number } of fresh) seen.add(number);
        wanted.push(...fresh.map(({ number }) => number));
        const packed = pack(open, fresh, () => grows, runMs, LIMITS);
        for (const block of packed.blocks) stored.set(block.samples[0]?.number ?? -1, block);
        open = packed.open;
      }
      const found: number[] = [];
      for (const { rank, samples } of stored.values()) {
        const numbers = samples.map(({ number }) => number);
        found.push(...numbers);
        assert.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
          "ascending",
        );
        assert.ok(samples.every(({ tag }) => tag.priority === PRIORITIES[rank]));
        assert.ok(samples.length <= LIMITS.maxBlockSamples);
        assert.ok((numbers.at(-1) ?? 0) - (numbers[0] ?? 0) < MAX_BLOCK_SPAN);
        const text = samples.reduce((sum, { value }) => sum + String(value).length, 0);
        assert.ok(samples.length === 1 || text <= LIMITS.maxBlockText);
      }
      assert.deepEqual(
        found.sort((a, b) => a - b),
        wanted.sort((a, b) => a - b),
      );
    }),
  );
});

test("P11: the last block grows in place until it is full, released or old", () => {
  const yes = () => true;
  const one = pack(new Map(), [sampleOf(1), sampleOf(2)], yes, 0, LIMITS);
  assert.equal(one.blocks.length, 1);
  const two = pack(one.open, [sampleOf(3)], yes, 500, LIMITS);
  assert.deepEqual(
    two.blocks.map(({ samples }) => samples.map(({ number }) => number)),
    [[1, 2, 3]],
  );
  const numbersOf = (open: OpenBlocks, mayGrow: () => boolean, runMs: number) =>
    pack(open, [sampleOf(4)], mayGrow, runMs, LIMITS).blocks.map(({ samples }) => samples.map(({ number }) => number));
  assert.deepEqual(
    numbersOf(two.open, () => false, 500),
    [[4]],
    "released",
  );
  assert.deepEqual(numbersOf(two.open, yes, 1_000), [[4]], "old");
});
