import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isGood, STATUS_NAMES, STATUSES } from "../../core/quality.ts";
import { VALUE_TYPES, type Value } from "../../core/tag.ts";
import type { Sample } from "../../pipeline.ts";
import { DATATYPE, wireValueOf } from "./datatype.ts";
import { bornMetric, writeHistorical, writeLive } from "./metrics.ts";
import { encodePayload, type Metric, type Property } from "./payload.ts";
import { ProtobufWriter } from "./protobuf.ts";

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
  fc.string(),
);
const drawn = fc.record({
  type: fc.constantFrom(...VALUE_TYPES),
  alias: fc.constantFrom(undefined, 0, 7, 300),
  value,
  status: fc.constantFrom("Good" as const, ...STATUS_NAMES),
  epoch: fc.constantFrom(1, 2, 1_790_000_000),
  sourceTimestampMs: fc.constantFrom(0, 2 ** 31, 1_790_000_000_000, 1_790_000_000_001),
  toldBad: fc.boolean(),
  isUnsynced: fc.boolean(),
  datatypeInData: fc.boolean(),
});

/** Many at once: what a sample has in common with the one before it is not worked out again. */
test("P3: each metric of data is the one that its sample makes by itself, whatever was written before it", () => {
  fc.assert(
    fc.property(fc.array(drawn, { maxLength: 20 }), (all) => {
      const written = new ProtobufWriter();
      const expected: Metric[] = [];
      for (const { type, alias, toldBad, isUnsynced, datatypeInData, ...read } of all) {
        const born = bornMetric("speed", type, alias);
        const tag = { id: "pump/speed", device: "pump", name: "speed", type, priority: "normal" } as const;
        const sample: Sample = { tag, ...read };
        const wire = wireValueOf(read.value, type);
        const metric: Metric = {
          ...(alias === undefined ? { name: "speed" } : { alias }),
          timestamp: read.sourceTimestampMs,
          ...(datatypeInData && { datatype: DATATYPE[type] }),
          ...(wire === undefined ? { isNull: true } : { value: wire }),
        };
        const told = qualityOf(read.status);
        writeLive(written, born, sample, toldBad, isUnsynced, { datatypeInData });
        expected.push({
          ...metric,
          ...(isUnsynced && { isTransient: true }),
          ...((!isGood(read.status) || toldBad) && { properties: told }),
        });
        if (wire === undefined && read.value !== null) continue;
        writeHistorical(written, born, sample, { datatypeInData });
        const epoch: Property = {
          key: "Epoch",
          type: DATATYPE.int64,
          value: { field: "long", value: BigInt(read.epoch) },
        };
        expected.push({ ...metric, isHistorical: true, properties: [...(isGood(read.status) ? [] : told), epoch] });
      }
      assert.deepEqual(Buffer.from(written.take()), Buffer.from(encodePayload({ metrics: expected })));
    }),
    { numRuns: 300 },
  );
});

function qualityOf(status: Sample["status"]): Property[] {
  return [
    { key: "Quality", type: DATATYPE.int32, value: { field: "int", value: STATUSES[status].sparkplug } },
    { key: "StatusName", type: DATATYPE.string, value: { field: "string", value: status } },
  ];
}
