import assert from "node:assert/strict";
import { test } from "node:test";
import { VALUE_TYPES } from "../../core/tag.ts";
import { wireValueOf } from "./datatype.ts";

test("P5: a type holds what it holds, to the last bit, and nothing else", () => {
  assert.deepEqual(wireValueOf(-5, "int16"), { field: "int", value: -5 });
  assert.deepEqual(wireValueOf(2 ** 32 - 1, "uint32"), { field: "int", value: 2 ** 32 - 1 });
  assert.deepEqual(wireValueOf(2n ** 63n, "uint64"), { field: "long", value: 2n ** 63n });
  assert.deepEqual(wireValueOf(7, "int64"), { field: "long", value: 7n });
  assert.deepEqual(wireValueOf(0.1, "float64"), { field: "double", value: 0.1 });
  assert.deepEqual(wireValueOf(7n, "float64"), { field: "double", value: 7 });
  assert.deepEqual(wireValueOf(false, "bool"), { field: "boolean", value: false });
  assert.deepEqual(wireValueOf("", "string"), { field: "string", value: "" });
  const foreign = [
    [70_000, "uint16"],
    [-1, "uint32"],
    [1.5, "int32"],
    [2n ** 53n + 1n, "float64"],
    [Number.POSITIVE_INFINITY, "float64"],
    [1e39, "float32"],
    [1, "bool"],
    [true, "uint16"],
    ["1", "uint16"],
    [1, "string"],
  ] as const;
  for (const [value, type] of foreign) assert.equal(wireValueOf(value, type), undefined, `${value} as ${type}`);
  for (const type of VALUE_TYPES) assert.equal(wireValueOf(null, type), undefined);
});
