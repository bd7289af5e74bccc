import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { edited } from "./mutation.ts";
import { MUTATIONS } from "./mutations.ts";

test("each planted mistake still fits the source it is planted into", () => {
  for (const { name, edits } of MUTATIONS) {
    for (const edit of edits) {
      const text = readFileSync(new URL(`../../${edit.file}`, import.meta.url), "utf8");
      assert.notEqual(edited(text, edit), text, name);
    }
  }
  assert.equal(new Set(MUTATIONS.map(({ name }) => name)).size, MUTATIONS.length);
});

test("a planted mistake whose text stands nowhere, or twice, is refused", () => {
  const edit = { file: "x.ts", find: "ab", replace: "" };
  assert.throws(() => edited("a b", edit), /0 times: ab/);
  assert.throws(() => edited("ab ab", edit), /2 times: ab/);
});
