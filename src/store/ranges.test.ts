import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Range } from "../pipeline.ts";
import {
  add,
  bound,
  clip,
  contains,
  containsAll,
  countUpTo,
  firstFrom,
  gaps,
  MAX_RANGES,
  type Ranges,
  subtract,
  union,
} from "./ranges.ts";

/** Numbers the model looks at; an open range is seen as far as this. */
const TOP = 60;

const range: fc.Arbitrary<Range> = fc
  .tuple(fc.integer({ min: 0, max: TOP }), fc.oneof(fc.integer({ min: -2, max: 12 }), fc.constant(Infinity)))
  .map(([from, length]) => ({ from, to: from + length }));

const step = fc.record({ take: fc.boolean(), range });

function modelOf(steps: readonly { take: boolean; range: Range }[]): { ranges: Ranges; model: Set<number> } {
  let ranges: Ranges = [];
  const model = new Set<number>();
  for (const { take, range } of steps) {
    ranges = take ? subtract(ranges, range) : add(ranges, range);
    for (let n = range.from; n <= Math.min(range.to, TOP); n++) take ? model.delete(n) : model.add(n);
  }
  return { ranges, model };
}

function numbersOf(ranges: Ranges): number[] {
  return Array.from({ length: TOP + 1 }, (_, n) => n).filter((n) => contains(ranges, n));
}

function assertTidy(ranges: Ranges): void {
  ranges.forEach(({ from, to }, i) => {
    assert.ok(from <= to, "no empty range");
    const next = ranges[i + 1];
    if (next !== undefined) assert.ok(to + 1 < next.from, "ascending, disjoint, not touching");
  });
}

test("ranges hold exactly what a set would hold", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const { ranges, model } = modelOf(steps);
      assertTidy(ranges);
      assert.deepEqual(
        numbersOf(ranges),
        [...model].sort((a, b) => a - b),
      );
    }),
  );
});

test("union, clip, gaps, count and search agree with a set", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 12 }),
      fc.array(step, { maxLength: 12 }),
      range,
      fc.integer({ min: 0, max: TOP }),
      (a, b, window, n) => {
        const one = modelOf(a);
        const two = modelOf(b);
        assertTidy(union([one.ranges, two.ranges]));
        assert.deepEqual(
          numbersOf(union([one.ranges, two.ranges])),
          [...new Set([...one.model, ...two.model])].sort((x, y) => x - y),
        );
        const inWindow = (x: number) => x >= window.from && x <= window.to;
        const all = Array.from({ length: TOP + 1 }, (_, x) => x);
        assert.deepEqual(
          numbersOf(clip(one.ranges, window)),
          all.filter((x) => inWindow(x) && one.model.has(x)),
        );
        assert.deepEqual(
          numbersOf(gaps(one.ranges, window)),
          all.filter((x) => inWindow(x) && !one.model.has(x)),
        );
        assert.equal(countUpTo(one.ranges, n), all.filter((x) => x <= n && one.model.has(x)).length);
        const first = firstFrom(one.ranges, n);
        assert.equal(
          first !== undefined && first <= TOP ? first : undefined,
          all.find((x) => x >= n && one.model.has(x)),
        );
        const whole = window.to <= TOP && window.from <= window.to;
        if (whole)
          assert.equal(
            containsAll(one.ranges, window),
            all.filter(inWindow).every((x) => one.model.has(x)),
          );
      },
    ),
  );
});

test("P4 P7: beyond the limit neighbours merge, the nearest first: duplicates, never holes", () => {
  const many = Array.from({ length: 1_000 }, (_, i) => ({ from: i * 100, to: i * 100 + (i % 7) }));
  const few = bound(many);
  assert.equal(few.length, MAX_RANGES);
  assertTidy(few);
  for (const { from, to } of many) assert.ok(containsAll(few, { from, to }));
  assert.deepEqual(
    bound(
      [
        { from: 1, to: 2 },
        { from: 10, to: 11 },
        { from: 13, to: Infinity },
      ],
      2,
    ),
    [
      { from: 1, to: 2 },
      { from: 10, to: Infinity },
    ],
  );
});
