import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOfValue } from "./tag.ts";

test("a number has the name that its tag gives it, and a number nobody foresaw has none", () => {
  const names = { enum: { "0": "stopped", "1": "running", "-2": "fault" } };
  assert.equal(nameOfValue(names, 1), "running");
  assert.equal(nameOfValue(names, 1n), "running");
  assert.equal(nameOfValue(names, true), "running");
  assert.equal(nameOfValue(names, false), "stopped");
  assert.equal(nameOfValue(names, -2), "fault");
  for (const value of [2, null, "constructor"]) assert.equal(nameOfValue(names, value), undefined);
  assert.equal(nameOfValue({}, 1), undefined);
});
