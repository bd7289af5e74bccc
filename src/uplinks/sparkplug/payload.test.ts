import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodePayload, encodePayload, type Payload, READ_METRICS_MAX, type WireValue } from "./payload.ts";
import { MalformedPayload, type Uint64 } from "./protobuf.ts";

const uint64: fc.Arbitrary<Uint64> = fc
  .bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn })
  .map((value) => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value));
const plain = { noNullPrototype: true };
const text = fc.string({ unit: "binary", maxLength: 20 });

const wireValue: fc.Arbitrary<WireValue> = fc.oneof(
  fc.record({ field: fc.constant("int" as const), value: fc.nat({ max: 0xffff_ffff }) }, plain),
  fc.record({ field: fc.constant("long" as const), value: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }) }, plain),
  fc.record({ field: fc.constant("float" as const), value: fc.float() }, plain),
  fc.record({ field: fc.constant("double" as const), value: fc.double() }, plain),
  fc.record({ field: fc.constant("boolean" as const), value: fc.boolean() }, plain),
  fc.record({ field: fc.constant("string" as const), value: text }, plain),
);

const property = fc.record(
  { key: text, type: fc.nat({ max: 34 }), isNull: fc.boolean(), value: wireValue },
  { requiredKeys: ["key"], noNullPrototype: true },
);

const payload: fc.Arbitrary<Payload> = fc.record(
  {
    timestamp: uint64,
    seq: uint64,
    metrics: fc.array(
      fc.record(
        {
          name: text,
          alias: uint64,
          timestamp: uint64,
          datatype: fc.nat({ max: 0xffff_ffff }),
          isHistorical: fc.boolean(),
          isTransient: fc.boolean(),
          isNull: fc.boolean(),
          properties: fc.array(property, { maxLength: 4 }),
          value: wireValue,
        },
        { requiredKeys: [], noNullPrototype: true },
      ),
      { maxLength: 5 },
    ),
  },
  { requiredKeys: ["metrics"], noNullPrototype: true },
);

test("what is encoded comes back, presence and all", () => {
  fc.assert(
    fc.property(payload, (sent) => {
      assert.deepEqual(decodePayload(encodePayload(sent)), sent);
    }),
  );
});

test("zero, false and empty are present on the wire, and signed numbers go as two's complement", () => {
  const bytes = encodePayload({
    timestamp: 0,
    metrics: [
      { name: "", alias: 0, isNull: false, value: { field: "boolean", value: false } },
      { name: "a", value: { field: "int", value: -5 } },
      { name: "b", value: { field: "long", value: -5n } },
    ],
    seq: 0,
  });
  const written = [
    "0800",
    "1208",
    "0a00",
    "1000",
    "3800",
    "7000",
    "1209",
    "0a0161",
    "50fbffffff0f",
    "120e",
    "0a0162",
    "58fbffffffffffffffff01",
    "1800",
  ];
  assert.equal(Buffer.from(bytes).toString("hex"), written.join(""));
});

test("unknown fields and extensions are passed over", () => {
  // 100: "x", a varint 101, a fixed64 102, a fixed32 103, in the payload; then a metric with field 200 of its own.
  const strange = "a2060178a80601b1060102030405060708bd0601020304";
  const metric = "120b0a0161c20c03010203700" + "1";
  assert.deepEqual(decodePayload(Buffer.from(strange + metric, "hex")), {
    metrics: [{ name: "a", value: { field: "boolean", value: true } }],
  });
});

test("P7: whatever bytes come, they are read or refused as malformed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      assert.ok(isReadOrRefused(bytes));
    }),
    { numRuns: 2_000 },
  );
});

test("P7: a payload that was cut or flipped anywhere is read or refused as malformed", () => {
  fc.assert(
    fc.property(payload, fc.nat(), fc.nat({ max: 7 }), (sent, place, bit) => {
      const bytes = encodePayload(sent);
      const at = bytes.length === 0 ? 0 : place % bytes.length;
      assert.ok(isReadOrRefused(bytes.subarray(0, at)));
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      assert.ok(isReadOrRefused(bytes));
    }),
  );
});

test("P7: more metrics than a command may hold are refused", () => {
  const metrics = new Array(READ_METRICS_MAX + 1).fill({});
  assert.throws(() => decodePayload(encodePayload({ metrics })), MalformedPayload);
});

function isReadOrRefused(bytes: Uint8Array): boolean {
  try {
    decodePayload(bytes);
    return true;
  } catch (error) {
    return error instanceof MalformedPayload;
  }
}
