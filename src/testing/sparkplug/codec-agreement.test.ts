import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodePayload,
  encodePayload,
  type Metric,
  type Payload,
  type Property,
  type WireValue,
} from "../../uplinks/sparkplug/payload.ts";
import { decodePayloads, type PropertySet, type Metric as ReadMetric, type Value } from "./payload-decoder.ts";
import { runProtoc } from "./protoc.ts";

const SEED = 1;
const PAYLOADS = 300;

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.string({ unit: "grapheme", maxLength: 20 });
const value: fc.Arbitrary<WireValue> = fc.oneof(
  fc.record({ field: fc.constant("int" as const), value: fc.integer() }),
  fc.record({ field: fc.constant("long" as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ field: fc.constant("float" as const), value: fc.float() }),
  fc.record({ field: fc.constant("double" as const), value: fc.double() }),
  fc.record({ field: fc.constant("boolean" as const), value: fc.boolean() }),
  fc.record({ field: fc.constant("string" as const), value: text }),
);
const property: fc.Arbitrary<Property> = fc.record(
  { key: text, type: fc.nat(34), isNull: fc.boolean(), value },
  { requiredKeys: ["key"] },
);
const metric: fc.Arbitrary<Metric> = fc.record(
  {
    name: text,
    alias: uint64,
    timestamp: uint64,
    datatype: fc.nat(34),
    isHistorical: fc.boolean(),
    isTransient: fc.boolean(),
    isNull: fc.boolean(),
    properties: fc.array(property, { minLength: 1, maxLength: 4 }),
    value,
  },
  { requiredKeys: [] },
);
const payload: fc.Arbitrary<Payload> = fc.record(
  { timestamp: uint64, metrics: fc.array(metric, { maxLength: 5 }), seq: fc.bigInt({ min: 0n, max: 255n }) },
  { requiredKeys: ["metrics"] },
);

function big(number: number | bigint | undefined): bigint | undefined {
  return number === undefined ? undefined : BigInt(number);
}

/** As it rides on the wire, and as protoc prints it: the shortest decimal that is this float. */
function onWire(wire: WireValue | undefined): Value | undefined {
  if (wire === undefined) return undefined;
  const field = `${wire.field}_value`;
  if (wire.field === "int") return { field, content: BigInt(wire.value >>> 0) };
  if (wire.field === "long") return { field, content: BigInt.asUintN(64, wire.value) };
  return { field, content: wire.value };
}

function propertiesOnWire(properties: readonly Property[] | undefined): PropertySet | undefined {
  return (
    properties && {
      keys: properties.map(({ key }) => key),
      values: properties.map((p) => ({ type: big(p.type), isNull: p.isNull, value: onWire(p.value) })),
    }
  );
}

function metricOnWire({
  name,
  alias,
  timestamp,
  datatype,
  isHistorical,
  isTransient,
  isNull,
  ...rest
}: Metric): ReadMetric {
  return {
    name,
    alias: big(alias),
    timestamp: big(timestamp),
    datatype: big(datatype),
    isHistorical,
    isTransient,
    isNull,
    value: onWire(rest.value),
    properties: propertiesOnWire(rest.properties),
  };
}

/** Two that are the same float, whatever their digits are. */
function rounded(read: unknown): unknown {
  return JSON.parse(
    JSON.stringify(read, (_, part: unknown) => {
      if (typeof part === "bigint") return `${part}n`;
      if (typeof part !== "number") return part;
      return Object.is(part, -0) ? "-0" : String(Math.fround(part));
    }),
  );
}

test("what the encoder writes is what protoc reads, presence and all", async () => {
  const payloads = fc.sample(payload, { seed: SEED, numRuns: PAYLOADS });
  const decoded = await decodePayloads(payloads.map(encodePayload));
  for (const [i, { timestamp, seq, metrics }] of payloads.entries()) {
    const expected = { timestamp: big(timestamp), seq: big(seq), metrics: metrics.map(metricOnWire), flaws: [] };
    assert.deepEqual(rounded(decoded[i]), rounded(expected));
  }
});

test("what protoc writes is read, and what a gateway has no use for is passed over", async () => {
  const bytes = await runProtoc(
    "encode",
    "Payload",
    `timestamp: 5 uuid: "x" body: "y" metric {
       name: "Node Control/Rebirth" timestamp: 6 datatype: 11 boolean_value: true
       metadata { description: "z" size: 7 } properties { key: "Quality" value { type: 3 int_value: 192 } }
     } metric { alias: 3 dataset_value { num_of_columns: 1 } } metric { name: "t" template_value { version: "1" } }`,
  );
  const read = decodePayload(bytes ?? Buffer.alloc(0));
  assert.equal(read.timestamp, 5);
  assert.equal(read.seq, undefined);
  assert.deepEqual(read.metrics, [
    {
      name: "Node Control/Rebirth",
      timestamp: 6,
      datatype: 11,
      value: { field: "boolean", value: true },
      properties: [{ key: "Quality", type: 3, value: { field: "int", value: 192 } }],
    },
    { alias: 3 },
    { name: "t" },
  ]);
});
