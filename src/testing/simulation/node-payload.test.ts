import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodePayload, type Metric, type WireValue } from "../../uplinks/sparkplug/payload.ts";
import { nodePayload } from "./node-payload.ts";

/** Far beyond any time. */
const TIME_MAX_MS = 2 ** 48;
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const value: fc.Arbitrary<WireValue> = fc.oneof(
  fc.nat().map((value) => ({ field: "int" as const, value })),
  uint64.map((value) => ({ field: "long" as const, value })),
  fc.float({ noNaN: true }).map((value) => ({ field: "float" as const, value })),
  fc.double({ noNaN: true }).map((value) => ({ field: "double" as const, value })),
  fc.boolean().map((value) => ({ field: "boolean" as const, value })),
  fc.string().map((value) => ({ field: "string" as const, value })),
);
const metric: fc.Arbitrary<Metric> = fc.record(
  {
    name: fc.string(),
    alias: fc.nat(),
    timestamp: fc.nat({ max: TIME_MAX_MS }),
    datatype: fc.nat({ max: 34 }),
    isHistorical: fc.boolean(),
    isTransient: fc.boolean(),
    isNull: fc.boolean(),
    properties: fc.array(fc.record({ key: fc.string(), type: fc.nat({ max: 34 }), value })),
    value,
  },
  { requiredKeys: [] },
);

test("the simulated far end reads what the gateway writes, and what is not on the wire it does not know", () => {
  const payload = fc.record({
    timestamp: fc.nat({ max: TIME_MAX_MS }),
    seq: fc.nat({ max: 255 }),
    metrics: fc.array(metric),
  });
  fc.assert(
    fc.property(payload, ({ timestamp, seq, metrics }) => {
      const read = nodePayload(encodePayload({ timestamp, seq, metrics }));
      assert.deepEqual([read.timestamp, read.seq, read.metrics.length], [timestamp, seq, metrics.length]);
      for (const [i, { properties = [], value, ...plain }] of metrics.entries()) {
        const {
          properties: readProperties,
          value: readValue,
          ...readPlain
        } = read.metrics[i] ?? { properties: new Map() };
        assert.deepEqual(readPlain, plain);
        assert.deepEqual(numeric(readValue), numeric(value?.value));
        for (const { key } of properties) {
          const last = properties.findLast((property) => property.key === key);
          assert.deepEqual(numeric(readProperties.get(key)), numeric(last?.value?.value));
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("a payload that ends too early, or is none, is refused", () => {
  const whole = encodePayload({ timestamp: 1, seq: 2, metrics: [{ name: "a", value: { field: "double", value: 1 } }] });
  assert.throws(() => nodePayload(whole.slice(0, -5)), RangeError);
  assert.throws(() => nodePayload(Uint8Array.of(0x0f)), RangeError);
});

/** Whole numbers alike, however wide. */
function numeric(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
