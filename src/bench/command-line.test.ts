import assert from "node:assert/strict";
import { test } from "node:test";
import { countOf, lengthOf, someOf } from "./command-line.ts";

test("what would measure nothing is refused, with what to give", () => {
  for (const text of ["0", "-1", "0.5", "some", "NaN", "Infinity"]) {
    assert.throws(() => countOf("--runs", text), /^Error: --runs .*: give a whole number from 1$/, text);
  }
  for (const text of ["0", "-1", "some", "NaN", "Infinity"]) {
    assert.throws(() => lengthOf("--hours", text), /^Error: --hours .*: give a number above 0$/, text);
  }
  assert.deepEqual([countOf("--runs", "3"), lengthOf("--hours", "0.1")], [3, 0.1]);
});

test("names are some of those there are, in their order, each once", () => {
  const names = ["bus", "outbox", "replay"] as const;
  assert.deepEqual(someOf("--only", undefined, names), names);
  assert.deepEqual(someOf("--only", "replay,bus,bus", names), ["bus", "replay"]);
  for (const text of ["", "buss", "bus,"]) {
    assert.throws(() => someOf("--only", text, names), /^Error: --only .*: give some of bus,outbox,replay$/);
  }
});
