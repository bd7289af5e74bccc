import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { problemText } from "../core/errors.ts";
import { LIMITS } from "./defaults.ts";
import { keyOf, parseSource } from "./document.ts";

function problemsOf(text: string): string[] {
  return parseSource("f", text).problems.map(problemText);
}

describe("a YAML document", () => {
  test("numbers keep what people meant: leading zeros, hex, 64 bits", () => {
    const { value, problems } = parseSource(
      "f",
      "{ a: 00001, b: 0x8000, c: 18446744073709551615, d: 0, e: off, f: -7, g: ~ }",
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(value, { a: "00001", b: 0x8000, c: 18446744073709551615n, d: 0, e: "off", f: -7, g: null });
  });

  test("every part has its place; what is not written has that of the key above it", () => {
    const document = parseSource("f", "a:\n  b: [ x,\n    y ]\n");
    assert.deepEqual(document.place(["a", "b"], "key"), { line: 2, column: 3 });
    assert.deepEqual(document.place(["a", "b"], "value"), { line: 2, column: 6 });
    assert.deepEqual(document.place(["a", "b", 1], "value"), { line: 3, column: 5 });
    assert.deepEqual(document.place(["a", "c", "d"], "value"), { line: 1, column: 1 });
    assert.deepEqual(document.place([], "value"), { line: 1, column: 1 });
    assert.ok(document.has(["a", "b", 1]));
    assert.ok(!document.has(["a", "b", 2]));
  });

  test("an alias stands for what it names, in a place of its own", () => {
    const document = parseSource("f", "a: &x { k: 1 }\nb: *x\n");
    assert.deepEqual(document.value, { a: { k: 1 }, b: { k: 1 } });
    assert.deepEqual(document.place(["b"], "value"), { line: 2, column: 4 });
  });

  test("doubled keys are told at their second place, each one", () => {
    assert.deepEqual(problemsOf("a: 1\nb:\n  c: 1\n  c: 2\na: 3\na: 4\n"), [
      "f:4:3 b.c: stands here again, first on line 3; keep one of them, or rename it",
      "f:5:1 a: stands here again, first on line 1; keep one of them, or rename it",
      "f:6:1 a: stands here again, first on line 1; keep one of them, or rename it",
    ]);
  });

  test("what this file cannot mean is told with its remedy", () => {
    assert.deepEqual(problemsOf("a:\n\tb: 1\n"), [
      "f:2:1 this is not YAML: Tabs are not allowed as indentation; indent with spaces",
    ]);
    assert.match(
      problemsOf("a: 1\n---\nb: 1\n").join(),
      /^f:\d+:\d+ this is not YAML: .*; keep one document in a file/,
    );
    assert.deepEqual(problemsOf("a: *x\n"), ["f:1:4 a: there is no anchor &x above; write it out"]);
    assert.deepEqual(problemsOf("a: &x [ *x ]\n"), ["f:1:9 a[0]: *x contains itself; write it out"]);
    assert.deepEqual(problemsOf("constructor: 1\n"), [
      'f:1:1 constructor: "constructor" cannot be used as a name; choose another name',
    ]);
    assert.deepEqual(problemsOf("a: !!binary aGk=\n"), ["f:1:13 a: this YAML tag has no meaning here; remove the tag"]);
    assert.match(problemsOf("a: !secret x\n").join(), /remove the tag$/);
    assert.match(problemsOf("? { a: 1 }\n: 2\n").join(), /a key here is not plain text/);
  });

  test("P7: nesting and aliases cannot make it grow without end", () => {
    assert.match(problemsOf("[".repeat(40) + "]".repeat(40)).join(), /nests deeper than 20 levels/);
    for (const level of ["[", "{", "[a, ", "- ", "? ", "a: ", "- a: ", "{a: ", "? - "]) {
      assert.match(problemsOf(level.repeat(20_000)).join(), /nests deeper than 20 levels/, level);
    }
    const stairs = Array.from({ length: 2_000 }, (_, depth) => `${" ".repeat(depth)}a:\n`).join("");
    assert.match(problemsOf(stairs).join(), /^f:102:1 this nests deeper than 20 levels/);
    const bomb = Array.from({ length: 9 }, (_, level) => {
      return `a${level}: &a${level} [ ${
        level === 0
          ? "x"
          : Array(10)
              .fill(`*a${level - 1}`)
              .join(", ")
      } ]`;
    });
    const problems = problemsOf(bomb.join("\n"));
    assert.equal(problems.length, 1);
    assert.match(problems.join(), new RegExp(`more than ${LIMITS.nodes} keys and values`));
  });

  test("any text is a tree or a problem, with places inside the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab:-[]{}&*!?|>'\"#%,\n\t 01") }), (text) => {
        const document = parseSource("f", text);
        assert.ok(document.value !== undefined || document.problems.length > 0);
        for (const { line, column } of document.problems) {
          assert.ok(line >= 1 && line <= text.split("\n").length && column >= 1);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test("a key cannot forge a line of output", () => {
  assert.equal(keyOf(["uplinks", "cloud", "servers", 0]), "uplinks.cloud.servers[0]");
  assert.equal(keyOf(["a", "b\nf:1:1 c: x"]), 'a."b\\nf:1:1 c: x"');
});
