import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArgs } from "node:util";
import { EXIT, UserError } from "../core/errors.ts";
import { readArguments } from "./arguments.ts";

const OPTIONS = {
  for: { type: "string", short: "f" },
  json: { type: "boolean" },
} as const;

const CASES: readonly (readonly [args: readonly string[], words: string])[] = [
  [["--colour"], "there is no option --colour"],
  [["-x"], "there is no option -x"],
  [["--json=yes"], "--json takes no value"],
  [["--for"], '--for needs a value; write one that begins with "-" as --for=-5'],
  [["--for", "--json"], '--for needs a value; write one that begins with "-" as --for=-5'],
  [["my file"], '"my file" is one word too many'],
];

for (const [args, words] of CASES) {
  test(`${args.join(" ")} is answered in plain words, with the usage`, () => {
    const read = () => readArguments("usage: it", () => parseArgs({ args: [...args], options: OPTIONS }));
    assert.throws(read, (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.exitCode, EXIT.usage);
      assert.equal(error.message, `${words}\n\nusage: it`);
      return true;
    });
  });
}

test("what a command says of its arguments stands before the usage, too", () => {
  const read = () =>
    readArguments("usage: it", () => {
      throw new Error("name the port");
    });
  assert.throws(read, { message: "name the port\n\nusage: it" });
});

test("a bug of ours is none of the user's", () => {
  const read = () =>
    readArguments("usage: it", () => {
      throw new TypeError("x is not a function");
    });
  assert.throws(read, TypeError);
});
