import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RegisterTag, RegisterType } from "../../config/config.ts";
import type { Value } from "../../core/tag.ts";
import { registerTag } from "../../testing/modbus-config.ts";
import { decodeRegisters } from "./register-codec.ts";
import { bytesOf, encodeTag } from "./tag-encoder.ts";

function tag(
  type: RegisterType,
  more: Partial<RegisterTag> = {},
  register: Partial<RegisterTag["register"]> = {},
): RegisterTag {
  return registerTag("d", "t", { table: "holdingRegister", address: 0, type, ...register }, more);
}

function words(of: RegisterTag, value: Value): readonly number[] | string {
  const encoded = encodeTag(of, value);
  return encoded.kind === "registers" ? encoded.words : encoded.kind === "unfit" ? encoded.reason : `${encoded.on}`;
}

test("P5: what is written reads back as the value that was meant, in every type and byte order", () => {
  const numbers: readonly (readonly [RegisterType, fc.Arbitrary<Value>])[] = [
    ["int16", fc.integer({ min: -32_768, max: 32_767 })],
    ["uint32", fc.integer({ min: 0, max: 0xffff_ffff })],
    ["int64", fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
    ["float32", fc.float({ noNaN: true, noDefaultInfinity: true })],
    ["float64", fc.double({ noNaN: true, noDefaultInfinity: true })],
    ["bcd16", fc.integer({ min: 0, max: 9_999 })],
    [
      "string",
      fc
        .string({ maxLength: 8, unit: fc.constantFrom("a", "Z", "ü", "7") })
        .filter((text) => Buffer.byteLength(text) <= 8),
    ],
  ];
  for (const [type, values] of numbers) {
    for (const byteOrder of ["ABCD", "BADC", "CDAB", "DCBA"] as const) {
      const of = tag(type, {}, { byteOrder, ...(type === "string" && { lengthBytes: 8 }) });
      fc.assert(
        fc.property(values, (value) => {
          const encoded = encodeTag(of, value);
          assert.ok(encoded.kind === "registers");
          assert.equal(decodeRegisters(of, bytesOf(encoded.words)).value, value === 0 ? 0 : value);
        }),
        { numRuns: 20 },
      );
    }
  }
});

test("a scaled value must be one that the register can hold", () => {
  const level = tag("int16", { scale: 0.1, offset: 5 });
  assert.deepEqual(words(level, 5.3), [3]);
  assert.deepEqual(words(level, -1), [0xffc4]);
  assert.match(String(words(level, 5.25)), /would hold 5\.[23], not 5\.25/);
  assert.match(String(words(level, 5_000)), /beyond/);
  assert.deepEqual(words(tag("float32", { scale: 0.1 }), 1.1), words(tag("float32"), 11));
});

test("what a device would read as no value, or cannot be written alone, is refused", () => {
  assert.match(String(words(tag("uint16", { notAvailable: 0xffff }), 65_535)), /own mark for no value/);
  assert.match(String(words(tag("uint16", {}, { bit: 3 }), true)), /together with something else/);
  assert.match(String(words(tag("uint16", { scaleFrom: { table: "holdingRegister", address: 9 } }), 1)), /together/);
  assert.match(String(words(tag("uint16", {}, { table: "inputRegister" }), 1)), /cannot write/);
  assert.match(String(words(tag("string", {}, { lengthBytes: 4 }), "äöü")), /6 bytes of text are more than 4/);
  assert.deepEqual(words(tag("bool"), true), [1]);
  assert.deepEqual(encodeTag(registerTag("d", "c", { table: "coil", address: 1 }), true), { kind: "coil", on: true });
});
