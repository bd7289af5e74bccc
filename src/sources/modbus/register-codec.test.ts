import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ByteOrder, RegisterTag, RegisterType } from "../../config/config.ts";
import { type RegisterChoice, registerTag } from "../../testing/modbus-config.ts";
import { decodeRegisters } from "./register-codec.ts";

const ORDERS: readonly ByteOrder[] = ["ABCD", "BADC", "CDAB", "DCBA"];

function tagOf(choice: Partial<RegisterChoice>, more: Partial<RegisterTag> = {}): RegisterTag {
  return registerTag("d", "t", { table: "holdingRegister", address: 0, ...choice }, more);
}

/** Standard order to the given one, by the letters of its name and not by the code under test. */
function shuffle(bytes: Uint8Array, order: ByteOrder): Uint8Array {
  const words = Array.from({ length: bytes.length / 2 }, (_, i) => bytes.subarray(i * 2, i * 2 + 2));
  const lastFirst = order.indexOf("A") > 1;
  const swapped = order.indexOf("A") % 2 === 1;
  const placed = lastFirst ? words.toReversed() : words;
  return Uint8Array.from(placed.flatMap((word) => (swapped ? [...word].reverse() : [...word])));
}

function encoded(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  write(new DataView(bytes.buffer));
  return bytes;
}

function bytesOf(...bytes: readonly number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

const NUMBERS: readonly [RegisterType, fc.Arbitrary<number | bigint>, (value: number | bigint) => Uint8Array][] = [
  ["int16", fc.integer({ min: -0x8000, max: 0x7fff }), (v) => encoded(2, (d) => d.setInt16(0, Number(v)))],
  ["uint16", fc.integer({ min: 0, max: 0xffff }), (v) => encoded(2, (d) => d.setUint16(0, Number(v)))],
  ["int32", fc.integer(), (v) => encoded(4, (d) => d.setInt32(0, Number(v)))],
  ["uint32", fc.nat(), (v) => encoded(4, (d) => d.setUint32(0, Number(v)))],
  ["float32", fc.float({ noNaN: true, noDefaultInfinity: true }), (v) => encoded(4, (d) => d.setFloat32(0, Number(v)))],
  [
    "float64",
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    (v) => encoded(8, (d) => d.setFloat64(0, Number(v))),
  ],
  [
    "int64",
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    (v) => encoded(8, (d) => d.setBigInt64(0, BigInt(v))),
  ],
  ["uint64", fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (v) => encoded(8, (d) => d.setBigUint64(0, BigInt(v)))],
];

for (const [type, values, encode] of NUMBERS) {
  test(`P5: ${type} is read right in every byte order`, () => {
    fc.assert(
      fc.property(values, fc.constantFrom(...ORDERS), (value, byteOrder) => {
        const decoded = decodeRegisters(tagOf({ type, byteOrder }), shuffle(encode(value), byteOrder));
        assert.deepEqual(decoded, { value, status: "Good" });
      }),
    );
  });
}

test("the byte orders are those of the standard's letters", () => {
  const wire: Readonly<Record<ByteOrder, Uint8Array>> = {
    ABCD: bytesOf(0x12, 0x34, 0x56, 0x78),
    BADC: bytesOf(0x34, 0x12, 0x78, 0x56),
    CDAB: bytesOf(0x56, 0x78, 0x12, 0x34),
    DCBA: bytesOf(0x78, 0x56, 0x34, 0x12),
  };
  for (const byteOrder of ORDERS) {
    assert.equal(decodeRegisters(tagOf({ type: "uint32", byteOrder }), wire[byteOrder]).value, 0x12345678);
  }
});

test("text ends at NUL or padding, in any byte order, and is read as Latin-1 where it is not UTF-8", () => {
  const text = bytesOf(0x50, 0x75, 0x6d, 0x70, 0x20, 0x00);
  for (const byteOrder of ORDERS) {
    const tag = tagOf({ type: "string", lengthBytes: 6, byteOrder });
    assert.deepEqual(decodeRegisters(tag, shuffle(text, byteOrder)), { value: "Pump", status: "Good" });
  }
  assert.equal(decodeRegisters(tagOf({ type: "string", lengthBytes: 2 }), bytesOf(0xb0, 0x43)).value, "°C");
});

test("BCD digits are decimal, anything else is no number", () => {
  assert.equal(decodeRegisters(tagOf({ type: "bcd16" }), bytesOf(0x12, 0x34)).value, 1234);
  assert.equal(
    decodeRegisters(tagOf({ type: "bcd32", byteOrder: "CDAB" }), bytesOf(0x56, 0x78, 0x12, 0x34)).value,
    12345678,
  );
  assert.deepEqual(decodeRegisters(tagOf({ type: "bcd16" }), bytesOf(0x12, 0x3a)), {
    value: null,
    status: "BadOutOfRange",
  });
});

test("a bit is told apart from its neighbours", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 0xffff }), (bit, word) => {
      const decoded = decodeRegisters(tagOf({ bit }), bytesOf(word >> 8, word & 0xff));
      assert.deepEqual(decoded, { value: ((word >> bit) & 1) === 1, status: "Good" });
    }),
  );
  assert.equal(decodeRegisters(tagOf({ type: "bool" }), bytesOf(0, 2)).value, true);
});

test("NaN and infinity are BadOutOfRange without a value", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const float32 = encoded(4, (view) => view.setFloat32(0, value));
    const float64 = encoded(8, (view) => view.setFloat64(0, value));
    assert.deepEqual(decodeRegisters(tagOf({ type: "float32" }), float32), { value: null, status: "BadOutOfRange" });
    assert.deepEqual(decodeRegisters(tagOf({ type: "float64" }), float64), { value: null, status: "BadOutOfRange" });
  }
});

test("the device's own mark is BadSensorFailure without a value, however the mark is written", () => {
  const marked: readonly [Partial<RegisterChoice>, number | bigint, Uint8Array][] = [
    [{ type: "int16" }, 0x8000, bytesOf(0x80, 0)],
    [{ type: "int16" }, -0x8000, bytesOf(0x80, 0)],
    [{ type: "uint16", bit: 3 }, 0xffff, bytesOf(0xff, 0xff)],
    [{ type: "uint32", byteOrder: "CDAB" }, 0xffff_0000, bytesOf(0, 0, 0xff, 0xff)],
    [{ type: "uint64" }, 2n ** 64n - 1n, bytesOf(255, 255, 255, 255, 255, 255, 255, 255)],
    [{ type: "int64" }, 2n ** 64n - 1n, bytesOf(255, 255, 255, 255, 255, 255, 255, 255)],
    [{ type: "float32" }, 9.96921e36, encoded(4, (view) => view.setFloat32(0, 9.96921e36))],
    [{ type: "float32" }, Number.NaN, encoded(4, (view) => view.setFloat32(0, Number.NaN))],
    [{ type: "bcd16" }, 0xffff, bytesOf(0xff, 0xff)],
    [{ type: "bcd16" }, 9999, bytesOf(0x99, 0x99)],
  ];
  for (const [choice, notAvailable, bytes] of marked) {
    const tag = tagOf(choice, { notAvailable });
    assert.deepEqual(decodeRegisters(tag, bytes), { value: null, status: "BadSensorFailure" }, String(choice.type));
  }
  assert.equal(decodeRegisters(tagOf({ type: "int16" }, { notAvailable: 0x8000 }), bytesOf(0x7f, 0xff)).value, 0x7fff);
});

test("a range of marks is not available from its first to its last value, and no further", () => {
  const range = (type: RegisterType, notAvailable: number | bigint, notAvailableTo: number | bigint) =>
    tagOf({ type }, { notAvailable, notAvailableTo });
  const ends: readonly [RegisterTag, readonly [below: Uint8Array, first: Uint8Array, last: Uint8Array]][] = [
    [range("uint16", 0xfff8, 0xffff), [bytesOf(0xff, 0xf7), bytesOf(0xff, 0xf8), bytesOf(0xff, 0xff)]],
    [range("int16", 0x7ff8, 0x7fff), [bytesOf(0x7f, 0xf7), bytesOf(0x7f, 0xf8), bytesOf(0x7f, 0xff)]],
    [range("int16", -8, -1), [bytesOf(0xff, 0xf7), bytesOf(0xff, 0xf8), bytesOf(0xff, 0xff)]],
    [
      range("uint64", 2n ** 64n - 8n, 2n ** 64n - 1n),
      [
        bytesOf(255, 255, 255, 255, 255, 255, 255, 0xf7),
        bytesOf(255, 255, 255, 255, 255, 255, 255, 0xf8),
        bytesOf(255, 255, 255, 255, 255, 255, 255, 255),
      ],
    ],
  ];
  for (const [tag, [below, first, last]] of ends) {
    assert.equal(decodeRegisters(tag, below).status, "Good");
    assert.equal(decodeRegisters(tag, first).status, "BadSensorFailure");
    assert.equal(decodeRegisters(tag, last).status, "BadSensorFailure");
  }
});

test("scale and offset give the nearest decimal", () => {
  const scaled = (raw: number, more: Partial<RegisterTag>) =>
    decodeRegisters(tagOf({ type: "uint16" }, more), bytesOf(raw >> 8, raw & 0xff)).value;
  assert.equal(scaled(3, { scale: 0.1 }), 0.3);
  assert.equal(scaled(14_905, { scale: 0.01 }), 149.05);
  assert.equal(scaled(100, { scale: 2.5, offset: -40 }), 210);
  assert.equal(scaled(0, { offset: 5 }), 5);
  const big = decodeRegisters(tagOf({ type: "uint64" }, { scale: 0.001 }), bytesOf(0, 0, 0, 0, 0, 0, 0x30, 0x39));
  assert.deepEqual(big, { value: 12.345, status: "Good" });
});

test("a scale register moves the point; where it is missing or absurd there is no value", () => {
  const tag = tagOf({ type: "int16" }, { scaleFrom: { table: "holdingRegister", address: 1 } });
  const scaledBy = (exponent: number) =>
    decodeRegisters(tag, bytesOf(0, 15), bytesOf((exponent >> 8) & 0xff, exponent & 0xff));
  assert.equal(scaledBy(-1).value, 1.5);
  assert.equal(scaledBy(2).value, 1500);
  assert.deepEqual(scaledBy(-0x8000), { value: null, status: "BadSensorFailure" });
  assert.deepEqual(scaledBy(11), { value: null, status: "BadOutOfRange" });
});
