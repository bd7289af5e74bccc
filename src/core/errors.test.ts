import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigurationError } from "./errors.ts";

test("what a file holds is told as it stands, and steers no terminal", () => {
  const problem = { file: "a.yaml", line: 1, column: 1, key: "a\u001b[2J", wrong: "b\nc", remedy: "d\u202ee\u2028f" };
  const { message, problems } = new ConfigurationError([problem]);
  assert.equal(message, "a.yaml:1:1 a\\u001b[2J: b\\u000ac; d\\u202ee\\u2028f");
  assert.equal(problems[0]?.remedy, "d\\u202ee\\u2028f");
});
