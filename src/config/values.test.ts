import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import * as v from "valibot";
import { DEFAULTS, LIMITS } from "./defaults.ts";
import {
  deadbandSchema,
  duration,
  durationOrZero,
  durationText,
  parseDuration,
  quantityOf,
  rateSchema,
  registerTypeSchema,
  serialSchema,
  serialText,
  size,
  sizeText,
} from "./values.ts";

const ANY = { min: 0, max: Number.MAX_SAFE_INTEGER };

function messageOf(schema: v.GenericSchema, input: unknown): string {
  const result = v.safeParse(schema, input);
  assert.ok(!result.success, `${JSON.stringify(input)} was accepted`);
  return result.issues.map((issue) => issue.message.replace("\n", "; ")).join(" | ");
}

describe("durations", () => {
  test("each unit is what it says", () => {
    const read = (text: string) => v.parse(duration(ANY), text);
    assert.deepEqual(
      ["300ms", "15s", "10m", "2h", "90d", "1.5s", "0s"].map(read),
      [300, 15_000, 600_000, 7_200_000, 7_776_000_000, 1_500, 0],
    );
    assert.equal(v.parse(duration(ANY), 0), 0);
  });

  test("where 0 means something else, the rest has its own minimum", () => {
    const schema = durationOrZero(LIMITS.commitIntervalMs);
    assert.deepEqual(
      ["0", "0s", 0, "200ms", "1h"].map((text) => v.parse(schema, text)),
      [0, 0, 0, 200, 3_600_000],
    );
    assert.equal(messageOf(schema, "199ms"), "199ms is out of range; write 0, or 200ms to 1h");
  });

  test("every duration reads back as it is shown", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_650 * 86_400_000 }), (ms) => {
        // Beyond nine digits of milliseconds a person writes another unit.
        const shownMs = ms > 999_999_999 ? Math.round(ms / 1_000) * 1_000 : ms;
        assert.equal(parseDuration(durationText(shownMs)), shownMs);
      }),
    );
  });

  test("a number without its unit, or out of range, is refused with its remedy", () => {
    const remedy = "write a number with ms, s, m, h or d behind it, as 15s";
    assert.equal(messageOf(duration(ANY), 15), `15 is not a duration; ${remedy}`);
    assert.equal(messageOf(duration(ANY), "15"), `"15" is not a duration; ${remedy}`);
    assert.equal(messageOf(duration(ANY), "15 s"), `"15 s" is not a duration; ${remedy}`);
    assert.equal(messageOf(duration(LIMITS.keepAliveMs), "1d"), "1d is out of range; write 1s to 65535s");
    assert.throws(() => parseDuration("soon"), { message: `"soon" is not a duration; ${remedy}` });
  });

  test("nothing but a number with a unit is taken for a duration", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (v.safeParse(duration(ANY), text).success) assert.match(text, /^(0|\d+(\.\d+)?(ms|s|m|h|d))$/);
      }),
    );
  });
});

describe("sizes and rates", () => {
  test("each unit is what it says, in thousands", () => {
    const read = (text: string) => v.parse(size(ANY), text);
    assert.deepEqual(["500kB", "20MB", "2GB", "1.5GB"].map(read), [500_000, 20_000_000, 2e9, 1.5e9]);
  });

  test("every size reads back as it is shown", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999 }), fc.constantFrom(1, 1e3, 1e6), (amount, unit) => {
        const bytes = amount * unit;
        assert.equal(v.parse(size(ANY), sizeText(bytes)), bytes);
      }),
    );
  });

  test("a size needs its unit, spelt as it is", () => {
    for (const input of [2_000, "2000", "2gb", "2 GB", "-2GB", "2Gb"]) messageOf(size(ANY), input);
  });

  test("a rate is unlimited or a size each second", () => {
    assert.equal(v.parse(rateSchema, "unlimited"), Number.POSITIVE_INFINITY);
    assert.equal(v.parse(rateSchema, "50kB/s"), 50_000);
    assert.equal(messageOf(rateSchema, "10B/s"), "10B/s is out of range; write 1kB/s to 1GB/s, or unlimited");
    messageOf(rateSchema, "50kB");
  });
});

describe("serial settings", () => {
  test("every setting reads back as it is shown", () => {
    const letters = fc.constantFrom("N", "E", "O");
    fc.assert(
      fc.property(fc.integer(LIMITS.baudRate), letters, fc.constantFrom(1, 2), (baud, letter, stop) => {
        const text = `${baud} 8${letter}${stop}`;
        assert.equal(serialText(v.parse(serialSchema, text)), text);
      }),
    );
    assert.equal(serialText(DEFAULTS.serial), "19200 8E1");
  });

  test("all that is impossible in one setting is told at once", () => {
    assert.equal(
      messageOf(serialSchema, "100 7S1"),
      "Modbus RTU cannot use 7 data bits; write 8, as in 8E1 | there is no parity S; write N, E or O, as in 8E1 | 100 baud is out of range; write 300 to 4000000",
    );
    messageOf(serialSchema, 9600);
    messageOf(serialSchema, "9600");
  });
});

describe("types of registers", () => {
  test("the length of a string is even and fits one request", () => {
    assert.deepEqual(v.parse(registerTypeSchema, "string(16)"), { type: "string", lengthBytes: 16 });
    assert.deepEqual(v.parse(registerTypeSchema, "bcd32"), { type: "bcd32" });
    for (const bytes of [0, 1, 15, 252, 99_999]) {
      assert.match(messageOf(registerTypeSchema, `string(${bytes})`), /^string\(\d+\) cannot be read; write an even/);
    }
    for (const type of ["int8", "double", "string", "float", "Bool", 16]) messageOf(registerTypeSchema, type);
  });

  test("no type takes more registers than one request holds", () => {
    const fixed = ["bool", "int16", "uint32", "float64", "bcd16"].map((type) => v.parse(registerTypeSchema, type));
    assert.deepEqual(
      fixed.map((spec) => quantityOf("holdingRegister", spec)),
      [1, 1, 2, 4, 1],
    );
    const longest = v.parse(registerTypeSchema, `string(${LIMITS.stringBytes.max})`);
    assert.equal(quantityOf("inputRegister", longest), LIMITS.maxQuantity.max);
  });
});

test("a deadband is not negative, and a share is at most all of the range", () => {
  assert.deepEqual(v.parse(deadbandSchema, 0.5), { absolute: 0.5 });
  assert.deepEqual(v.parse(deadbandSchema, "1%"), { percent: 1 });
  for (const input of [-1, "101%", "-1%", "1 %", "0.5", Number.NaN, Number.POSITIVE_INFINITY, true]) {
    messageOf(deadbandSchema, input);
  }
});
