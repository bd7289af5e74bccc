import assert from "node:assert/strict";
import { test } from "node:test";
import { withSection } from "./lines-section.ts";

const SECTION = "lines:\n  RS485-1: {}\n";

test("what was found follows what a file holds", () => {
  assert.equal(withSection("", SECTION), `\n${SECTION}`);
  assert.equal(withSection("version: 1\n\n# the end\n\n", SECTION), `version: 1\n\n# the end\n${SECTION}`);
});

test("a file to which nothing can be added says why", () => {
  const cases: readonly (readonly [text: string, words: RegExp])[] = [
    ["lines: {}\n", /^has lines already/],
    ['"lines":\n  mine: {}\n', /^has lines already/],
    ["{ version: 1, lines: {} }\n", /^has lines already/],
    ["{ version: 1 }\n", /^does not have its keys one below the other/],
    ["  version: 1\n", /^does not have its keys one below the other/],
    ["- version\n", /^does not have its keys one below the other/],
    ["version: 1\n...\n", /^does not have its keys one below the other/],
    ["version: [1\n", /^is no sound YAML: line 2/],
  ];
  for (const [text, words] of cases) assert.throws(() => withSection(text, SECTION), { message: words }, text);
});
