import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { STATUS_NAMES } from "../core/quality.ts";
import type { NumberedSample } from "../pipeline.ts";
import { tagOf } from "../testing/settable-values.ts";
import { packSamples } from "./packed-samples.ts";

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
      const unlike = [
        timely.map((one) => ({ ...one, epoch: 3 })),
        timely.map((one) => ({ ...one, status: "Good" as const })),
      ];
      for (const each of [given, alike, ...unlike]) assert.deepEqual(packSamples(each)(), each);
      assert.deepEqual(packSamples(alike.map((one) => ({ ...one, takenInMs: 5 })))(), alike);
    }),
  );
});
