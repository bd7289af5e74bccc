import assert from "node:assert/strict";
import { test } from "node:test";
import { registerWords } from "../../testing/register-words.ts";
import { interpret, TYPES_BY_WIDTH } from "./interpretations.ts";
import { encodeRegisters } from "./register-encoder.ts";

const ORDERS = ["ABCD", "BADC", "CDAB", "DCBA"] as const;
const SAMPLES = ["0", "1", "7", "1234", "9999"];
const SIGNED = ["-1", "-1234"];

test("every type in every order is written as an independent encoder has it, and read back as it was written", () => {
  for (const [width, types] of TYPES_BY_WIDTH) {
    for (const type of types) {
      const texts = [
        ...SAMPLES,
        ...(/^int|float/.test(type) ? SIGNED : []),
        ...(type.startsWith("float") ? ["0.5", "-12.75"] : []),
      ];
      for (const text of texts) {
        for (const byteOrder of width === 1 ? (["ABCD", "BADC"] as const) : ORDERS) {
          const encoded = encodeRegisters(text, type, byteOrder);
          assert.ok("words" in encoded, text);
          const raw = type.endsWith("64") && !type.startsWith("float") ? BigInt(text) : Number(text);
          assert.deepEqual(encoded.words, registerWords({ type, byteOrder }, raw), `${text} as ${type} ${byteOrder}`);
          const bytes = Uint8Array.from(encoded.words.flatMap((word) => [word >> 8, word & 0xff]));
          const found = interpret(0, bytes).find((each) => each.type === type && each.byteOrder === byteOrder);
          assert.equal(Number(found?.value), Number(text));
        }
      }
    }
  }
});

test("what a type cannot hold is refused with its limits", () => {
  const wrong = [
    ["70000", "uint16"],
    ["-1", "uint16"],
    ["32768", "int16"],
    ["1.5", "int32"],
    ["18446744073709551616", "uint64"],
    ["10000", "bcd16"],
    ["-5", "bcd32"],
    ["1e39", "float32"],
    ["x", "float64"],
    ["", "float32"],
  ] as const;
  for (const [text, type] of wrong) assert.ok("wrong" in encodeRegisters(text, type, "ABCD"), `${text} as ${type}`);
  assert.deepEqual(encodeRegisters("0x1F", "uint16", "ABCD"), { words: [31] });
  assert.deepEqual(encodeRegisters("-32768", "int16", "ABCD"), { words: [0x8000] });
});

test("the reading that looks measured is marked, a whole number in the order in which it is small", () => {
  const likely = (...words: number[]) => {
    const bytes = Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
    return interpret(0, bytes)
      .filter((each) => each.likely && each.type !== "uint16" && each.type !== "int16")
      .map(({ type, byteOrder }) => `${type} ${byteOrder}`);
  };
  assert.ok(likely(0x4366, 0x3334).includes("float32 ABCD"));
  assert.ok(likely(0x3334, 0x4366).includes("float32 CDAB"));
  assert.deepEqual(
    likely(0, 1234).filter((each) => each.startsWith("int32")),
    ["int32 ABCD"],
  );
  assert.deepEqual(likely(0, 0), []);
});
