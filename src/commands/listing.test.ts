import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { listing, wrapped } from "./listing.ts";

const word = fc.string({ unit: fc.constantFrom(..."abcäö-/:"), maxLength: 60 });

test("rows never exceed the width, and columns stand below each other", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(word, { maxLength: 5 }), { maxLength: 8 }),
      fc.integer({ min: 40, max: 80 }),
      (rows, columns) => {
        const text = listing(rows, { columns, indent: 2, yielding: [0, 1] });
        const lines = text.split("\n").slice(0, -1);
        assert.equal(lines.length, rows.length);
        for (const line of lines) assert.ok(line.length <= columns, line);
      },
    ),
  );
});

test("only the columns that may are cut, and empty ones are left out", () => {
  const rows = [
    ["a-rather-long-name", "40101", "", "holdingRegister:100"],
    ["b", "40102", "", "holdingRegister:101"],
  ];
  assert.equal(
    listing(rows, { columns: 40, indent: 2, yielding: [0] }),
    "  a-rather-…  40101  holdingRegister:100\n  b           40102  holdingRegister:101\n",
  );
});

test("wrapped lines keep all words, in order", () => {
  fc.assert(
    fc.property(
      fc.array(
        word.filter((text) => text !== ""),
        { minLength: 1 },
      ),
      (words) => {
        const lines = wrapped(words.join(" "), 60, 4).split("\n").slice(0, -1);
        assert.deepEqual(
          lines.flatMap((line) => line.trim().split(" ")),
          words,
        );
        for (const line of lines) assert.ok(line.length <= 60 || !line.trim().includes(" "));
      },
    ),
  );
});
