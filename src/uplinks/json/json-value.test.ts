import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Value, ValueType } from "../../core/tag.ts";
import { decimalOfFloat32, jsonOfValue } from "./json-value.ts";

describe("values as JSON", () => {
  const golden: readonly (readonly [Value, ValueType, string])[] = [
    [Math.fround(0.1), "float32", "0.1"],
    [1490.5, "float32", "1490.5"],
    [Math.fround(3.4028234e38), "float32", "3.4028235e+38"],
    [2 ** -149, "float32", "1e-45"],
    [16_777_216, "float32", "16777216"],
    [0.1, "float64", "0.1"],
    [Math.fround(0.1), "float64", "0.10000000149011612"],
    [-0, "float64", "-0"],
    [Number.NaN, "float32", "null"],
    [Number.POSITIVE_INFINITY, "float64", "null"],
    [65_535, "uint16", "65535"],
    [2n ** 53n, "uint64", "9007199254740992"],
    [2n ** 53n + 1n, "uint64", '"9007199254740993"'],
    [-(2n ** 63n), "int64", '"-9223372036854775808"'],
    [true, "bool", "true"],
    [false, "bool", "false"],
    ['a "quoted"\nline', "string", '"a \\"quoted\\"\\nline"'],
    [null, "int16", "null"],
  ];
  for (const [value, type, json] of golden) {
    test(`${type} ${String(value)} is ${json}`, () => assert.equal(jsonOfValue(value, type), json));
  }

  test("any float32 reads back as itself", () => {
    const float = fc.float({ noDefaultInfinity: true, noNaN: true });
    fc.assert(fc.property(float, (value) => Object.is(Math.fround(JSON.parse(jsonOfValue(value, "float32"))), value)));
  });

  test("no float32 has a shorter decimal among those nearest to it", () => {
    const float = fc.float({ noDefaultInfinity: true, noNaN: true }).filter((value) => value !== 0);
    fc.assert(
      fc.property(float, (value) => {
        const digits = digitsOf(decimalOfFloat32(value));
        return digits === 1 || Math.fround(Number(value.toPrecision(digits - 1))) !== value;
      }),
    );
  });

  test("any other number reads back as itself", () => {
    const double = fc.double({ noDefaultInfinity: true, noNaN: true });
    fc.assert(fc.property(double, (value) => Object.is(JSON.parse(jsonOfValue(value, "float64")), value)));
  });

  test("any 64-bit integer reads back as itself, by its type", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
        (value) => BigInt(JSON.parse(jsonOfValue(value, "int64"))) === value,
      ),
    );
  });

  test("any text reads back as itself", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => JSON.parse(jsonOfValue(value, "string")) === value),
    );
  });
});

/** Significant decimal digits. */
function digitsOf(value: number): number {
  const [mantissa = ""] = Math.abs(value).toExponential().split("e");
  return mantissa.replace(".", "").length;
}
