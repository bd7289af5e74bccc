import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { STATUS_NAMES } from "../core/quality.ts";
import type { NumberedSample } from "../pipeline.ts";
import { afterCollection } from "../testing/garbage.ts";
import { tagOf } from "../testing/settable-values.ts";
import { columnsOf } from "./sample-columns.ts";

const tags = [tagOf("pump", "speed"), tagOf("pump", "running"), tagOf("valve", "position")];

const samples: fc.Arbitrary<readonly NumberedSample[]> = fc.array(
  fc.record(
    {
      tag: fc.constantFrom(...tags),
      value: fc.oneof(fc.double(), fc.integer(), fc.boolean(), fc.string(), fc.bigInt(), fc.constant(null)),
      status: fc.constantFrom(...STATUS_NAMES),
      sourceTimestampMs: fc.maxSafeNat(),
      epoch: fc.nat(),
      number: fc.maxSafeNat(),
      readBefore: fc.constant(true),
    },
    { requiredKeys: ["tag", "value", "status", "sourceTimestampMs", "epoch", "number"], noNullPrototype: true },
  ),
);

test("P4: samples that were packed come back as they were", () => {
  fc.assert(
    fc.property(samples, (given) => {
      const timely = given.map(({ readBefore, ...one }) => one);
      const alike = timely.map((one) => ({ ...one, status: "Good", epoch: 3 }) as const);
      // Each mark by itself: beside the others that differ it would not be missed.
      const unlike = [
        timely.map((one) => ({ ...one, epoch: 3 })),
        timely.map((one) => ({ ...one, status: "Good" as const })),
        given.map((one) => ({ ...one, status: "Good" as const, epoch: 3 })),
      ];
      for (const each of [given, alike, ...unlike]) assert.deepEqual(columnsOf(each)(), each);
      const timed = columnsOf(alike.map((one) => ({ ...one, takenInMs: 5 })))();
      assert.deepEqual(
        timed.map(({ takenInMs, ...one }) => one),
        alike,
      );
    }),
  );
});

test("P7: samples in columns are not kept beside them", async () => {
  const tag = tagOf("pump", "speed");
  const given: WeakRef<object>[] = [];
  const kept = (() => {
    const made = Array.from({ length: 50 }, (_, number): NumberedSample => {
      return { tag, value: number, status: "Good", sourceTimestampMs: number, epoch: 1, number };
    });
    given.push(new WeakRef(made), ...made.map((sample) => new WeakRef(sample)));
    return columnsOf(made);
  })();
  assert.ok((await afterCollection(given)).every((isGone) => isGone));
  assert.equal(kept().length, 50);
});
