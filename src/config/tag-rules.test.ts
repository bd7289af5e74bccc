import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import * as v from "valibot";
import { DEFAULTS } from "./defaults.ts";
import { rawMark, staleDefaultMs, tagMistakes } from "./tag-rules.ts";
import { tagSchema } from "./tag-schema.ts";

function mistakes(keys: Record<string, unknown>, around: { maxQuantity?: number } = {}): string[] {
  return tagMistakes(v.parse(tagSchema, keys), {
    written: (key) => key in keys,
    scanRateMs: DEFAULTS.scanRateMs,
    maxQuantity: around.maxQuantity ?? DEFAULTS.maxQuantity,
    unreadable: [{ table: "holdingRegister", from: 200, to: 219 }],
  }).map(({ key, wrong }) => `${key}: ${wrong}`);
}

describe("what cannot be, in a tag", () => {
  const at = { holdingRegister: 1 };
  const cases: [Record<string, unknown>, ...string[]][] = [
    [{}, ": has no address"],
    [{ coil: 1, inputRegister: 2 }, "inputRegister: the address is given as coil, too"],
    [{ coil: 1, type: "uint16" }, "type: a coil is one bit"],
    [{ discreteInput: 1, bit: 3 }, "bit: a discreteInput is one bit already"],
    [{ coil: 1, byteOrder: "CDAB" }, "byteOrder: a coil has no bytes"],
    [{ ...at, bit: 3, type: "uint32" }, "bit: a bit cannot be cut out of a uint32"],
    [{ ...at, bit: 3, scale: 2 }, "scale: means nothing for a bool"],
    [{ ...at, type: "string(8)", min: 1 }, "min: means nothing for a string"],
    [{ ...at, scale: 0 }, "scale: a scale of 0 makes every value 0"],
    [{ ...at, min: 1, max: 1 }, "max: 1 is not above min 1"],
    [{ ...at, deadband: "5%", min: 1 }, "deadband: a share in % needs the range it is a share of"],
    [{ ...at, notAvailable: 65_536 }, "notAvailable: 65536 never stands in a uint16"],
    [{ ...at, notAvailable: 0.5 }, "notAvailable: 0.5 never stands in a uint16"],
    [{ ...at, notAvailable: { from: 0xfff8, to: 65_536 } }, "notAvailable: 65536 never stands in a uint16"],
    [{ ...at, notAvailable: { from: 3, to: 3 } }, "notAvailable: its end 3 is not above 3"],
    [{ ...at, type: "float32", notAvailable: { from: 1, to: 2 } }, "notAvailable: a float32 has no range of marks"],
    [{ ...at, bit: 3, notAvailable: 65_536 }, "notAvailable: 65536 never stands in a uint16"],
    [{ ...at, bit: 3, notAvailable: 65_535 }],
    [{ ...at, type: "float32", enum: { 0: "off" } }, "enum: a float32 has no whole numbers to name"],
    [{ coil: 1, enum: { 2: "on" } }, "enum: a bool is never 2"],
    [{ ...at, enum: { 1: "on", "01": "running" } }, "enum: names the number 1 twice"],
    [{ inputRegister: 1, writable: true }, "writable: Modbus cannot write to inputRegisters"],
    [{ ...at, bit: 1, writable: true }, "writable: a single bit of a register cannot be written"],
    [{ coil: 1, writable: { min: 0 } }, "writable: limits mean nothing for a bool"],
    [{ ...at, writable: { min: 2, max: 1 } }, "writable: its max 1 is below its min 2"],
    [
      { ...at, writable: true, writeFirst: { holdingRegister: 9, value: 1 } },
      "writable: a tag with writeFirst is read only",
    ],
    [{ ...at, unsigned: true }, "unsigned: means nothing where nothing is writable"],
    [{ ...at, stale: "500ms" }, "stale: 500ms is shorter than the scan rate of 1s, so the value is always old"],
    [{ holdingRegister: 65_533, type: "int64" }, ": 4 registers from holdingRegister:65533 (465534) end behind 65535"],
    [
      { holdingRegister: 199, type: "int32" },
      ": holdingRegister:199 (40200) lies in what the device lists as unreadable",
    ],
    [
      { ...at, scaleFrom: "30001" },
      "scaleFrom: lies among inputRegisters, and one request reads only the tag's holdingRegisters",
    ],
    [{ ...at, scaleFrom: { coil: 1, holdingRegister: 2 } }, "scaleFrom: names more than one register"],
    [
      { holdingRegister: 300, scaleFrom: { holdingRegister: 425 } },
      "scaleFrom: lies so far off that one request of 125 registers cannot hold both",
    ],
  ];
  for (const [keys, ...expected] of cases) {
    test(JSON.stringify(keys), () => assert.deepEqual(mistakes(keys), expected));
  }

  test("a value longer than one request of its device", () => {
    assert.deepEqual(mistakes({ ...at, type: "string(18)" }, { maxQuantity: 8 }), [
      "type: takes 9 registers, and the device gives 8 in one request",
    ]);
  });
});

test("what can be is left alone", () => {
  for (const keys of [
    { coil: 0, writable: true },
    { holdingRegister: 65_535 },
    { holdingRegister: 198, type: "float32" },
    { holdingRegister: 220, type: "string(250)" },
    { holdingRegister: 1, bit: 15, type: "uint16" },
    { holdingRegister: 1, type: "int16", scale: 0.1, scaleFrom: { holdingRegister: 125 } },
    { inputRegister: 1, writeFirst: { holdingRegister: 100, value: 3 } },
    { holdingRegister: 1, min: -1, max: 1, deadband: "100%" },
    { holdingRegister: 1, enum: { 0: "off", 70000: "odd" } },
    { inputRegister: 200, type: "float64", notAvailable: -9999.9 },
  ]) {
    assert.deepEqual(mistakes(keys), [], JSON.stringify(keys));
  }
});

test("a mark is what the registers hold, however it is written", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff }), (bits) => {
      assert.equal(rawMark(bits, "uint16"), bits);
      assert.equal(rawMark(bits, "int16"), new Int16Array([bits])[0]);
      assert.equal(rawMark(BigInt(bits) << 48n, "int64"), BigInt.asIntN(64, BigInt(bits) << 48n));
    }),
  );
  assert.equal(rawMark(-32_769, "int16"), undefined);
  assert.equal(rawMark(0.1, "float32"), Math.fround(0.1));
  assert.equal(rawMark(2n ** 64n, "uint64"), undefined);
});

test("stale is the longer of 5 s and three scans", () => {
  assert.deepEqual([10, 500, 1_000, 2_000, 60_000].map(staleDefaultMs), [5_000, 5_000, 5_000, 6_000, 180_000]);
});
