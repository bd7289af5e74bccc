import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { VALUE_TYPES, type Value, type ValueType } from "../../core/tag.ts";
import { jsonOfValue } from "./json-value.ts";
import { JsonWriter } from "./json-writer.ts";

const FLOATING: readonly ValueType[] = ["float32", "float64"];

function written(write: (out: JsonWriter) => void): string {
  const out = new JsonWriter();
  write(out);
  return Buffer.from(out.take()).toString();
}

describe("JSON as bytes", () => {
  const numbers: readonly (readonly [name: string, numbers: fc.Arbitrary<number>])[] = [
    ["any double", fc.double({ noDefaultInfinity: true })],
    ["any float32", fc.float({ noDefaultInfinity: true })],
    ["any float32 that a sensor may show", fc.float({ min: Math.fround(1e-5), max: Math.fround(1e8) })],
    [
      "any scaled register",
      fc.tuple(fc.integer(), fc.integer({ min: 0, max: 8 })).map(([raw, places]) => raw / 10 ** places),
    ],
    ["any whole number", fc.maxSafeInteger()],
  ];
  for (const [name, some] of numbers) {
    test(`${name} has the digits of jsonOfValue, not one more or less`, () => {
      const cases = fc.tuple(some, fc.constantFrom(...FLOATING), fc.constantFrom(1, -1));
      fc.assert(
        fc.property(cases, ([size, type, sign]) => {
          const value = size * sign;
          assert.equal(
            written((out) => out.value(value, type)),
            jsonOfValue(value, type),
          );
        }),
        { numRuns: 2_000 },
      );
    });
  }

  test("so does what stands at the edge of a way of writing", () => {
    const edges = [0, -0, 1e-4, 1e-7, 9.999995, 999999.5, 2 ** 24, 2 ** 24 + 1, 1e15, 2 ** 53, 1e21, 5e-324, 1e38];
    const around = edges.flatMap((edge) => [edge, -edge, edge * (1 + Number.EPSILON), edge * (1 - Number.EPSILON)]);
    for (const type of FLOATING)
      for (const value of [...around, Number.NaN, Number.POSITIVE_INFINITY])
        assert.equal(
          written((out) => out.value(value, type)),
          jsonOfValue(value, type),
        );
  });

  test("values that are no number, too, whatever the type", () => {
    const values: readonly Value[] = [null, true, false, "", 'ä"\n', 7n, -(2n ** 63n)];
    for (const type of VALUE_TYPES)
      for (const value of values)
        assert.equal(
          written((out) => out.value(value, type)),
          jsonOfValue(value, type),
        );
  });

  test("grows as it is filled, goes back to where it was told, and begins anew when it was taken", () => {
    const out = new JsonWriter();
    const line = "ä".repeat(999);
    for (let n = 0; n < 20; n++) out.text(line);
    const { length } = out;
    out.encoded(Buffer.from(line));
    out.back(length);
    assert.equal(out.takeText(), line.repeat(20));
    out.value(1, "int16");
    assert.equal(Buffer.from(out.take()).toString(), "1");
  });
});
