import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type BlockRules, cheapestBlocks, load, type Span } from "./read-blocks.ts";

interface Case {
  readonly spans: readonly Span[];
  readonly rules: BlockRules;
}

/** Spans on a short stretch with a limit and a hole, so that every rule comes to bear. */
function cases(periodsMs: readonly number[], maxLength: number): fc.Arbitrary<Case> {
  return fc
    .record({
      drawn: fc.array(
        fc.record({
          from: fc.nat(40),
          length: fc.integer({ min: 1, max: 4 }),
          periodMs: fc.constantFrom(...periodsMs),
        }),
        { minLength: 1, maxLength },
      ),
      maxQuantity: fc.integer({ min: 4, max: 30 }),
      maxGap: fc.nat(12),
      hole: fc.nat(40),
    })
    .map(({ drawn, maxQuantity, maxGap, hole }) => {
      const fits = (from: number, to: number) => to - from < maxQuantity && !(from <= hole && hole <= to);
      const spans = drawn.map(({ from, length, periodMs }) => ({ from, to: from + length - 1, periodMs }));
      const possible = spans.filter(({ from, to }) => fits(from, to));
      return { spans: possible, rules: { requestCost: maxGap + 0.5, fits } };
    });
}

function isAllowed(block: readonly Span[], { fits }: BlockRules): boolean {
  return fits(Math.min(...block.map((s) => s.from)), Math.max(...block.map((s) => s.to)));
}

/** Of all ways to part the spans. */
function leastLoad(spans: readonly Span[], rules: BlockRules): number {
  const [first, ...rest] = spans;
  if (first === undefined) return 0;
  let least = Number.POSITIVE_INFINITY;
  for (let chosen = 0; chosen < 1 << rest.length; chosen++) {
    const block = [first, ...rest.filter((_, i) => chosen & (1 << i))];
    if (!isAllowed(block, rules)) continue;
    const others = rest.filter((_, i) => !(chosen & (1 << i)));
    least = Math.min(least, load([block], rules) + leastLoad(others, rules));
  }
  return least;
}

/** What one reads who takes the next span in as long as it is near and fits. */
function greedy(spans: readonly Span[], rules: BlockRules): readonly (readonly Span[])[] {
  const blocks: Span[][] = [];
  for (const span of spans.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const last = blocks.at(-1);
    const reach = Math.max(...(last ?? []).map((s) => s.to));
    const joins = last !== undefined && span.from - reach - 1 < rules.requestCost && isAllowed([...last, span], rules);
    if (joins) last.push(span);
    else blocks.push([span]);
  }
  return blocks;
}

const SLACK = 1e-9;

test("every span is in one block, and each block is one that may be asked for", () => {
  fc.assert(
    fc.property(cases([500, 1_000, 7_000], 30), ({ spans, rules }) => {
      const blocks = cheapestBlocks(spans, rules);
      assert.ok(blocks.every((block) => isAllowed(block, rules)));
      assert.equal(blocks.flat().length, spans.length);
      assert.deepEqual(new Set(blocks.flat()), new Set(spans));
    }),
  );
});

test("at one period no other way takes less of the line", () => {
  fc.assert(
    fc.property(cases([1_000], 8), ({ spans, rules }) => {
      assert.ok(load(cheapestBlocks(spans, rules), rules) <= leastLoad(spans, rules) + SLACK);
    }),
    { numRuns: 300 },
  );
});

test("at one period it is never worse than taking in whatever is near", () => {
  fc.assert(
    fc.property(cases([1_000], 40), ({ spans, rules }) => {
      assert.ok(load(cheapestBlocks(spans, rules), rules) <= load(greedy(spans, rules), rules) + SLACK);
    }),
  );
});

test("what is near is not always best taken in: a limit makes the later cut the better one", () => {
  const rules = { requestCost: 8.5, fits: (from: number, to: number) => to - from < 10 };
  const spans = [0, 7, 9, 12].map((from) => ({ from, to: from, periodMs: 1_000 }));
  assert.deepEqual(
    greedy(spans, rules).map((block) => block.map((s) => s.from)),
    [[0, 7, 9], [12]],
  );
  assert.deepEqual(
    cheapestBlocks(spans, rules).map((block) => block.map((s) => s.from)),
    [[0], [7, 9, 12]],
  );
});

test("several periods together never cost more than each by itself, and little more than the best there is", () => {
  fc.assert(
    fc.property(cases([500, 1_000, 7_000], 8), ({ spans, rules }) => {
      const found = load(cheapestBlocks(spans, rules), rules);
      const apart = [500, 1_000, 7_000].map((periodMs) => {
        const own = spans.filter((span) => span.periodMs === periodMs);
        return load(cheapestBlocks(own, rules), rules);
      });
      assert.ok(found <= apart.reduce((sum, each) => sum + each, 0) + SLACK);
      assert.ok(found <= 1.1 * leastLoad(spans, rules) + SLACK);
    }),
    { numRuns: 300 },
  );
});
