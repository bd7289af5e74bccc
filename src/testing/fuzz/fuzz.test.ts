import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import type { FuzzTarget } from "./fuzz-target.ts";
import { FuzzFinding, foundBefore, fuzz } from "./fuzzing.ts";
import { allTargets } from "./targets.ts";

/** Beside the corpus; `npm run fuzz -- --runs 1000000` for more. */
const RUNS = 100;
const SEED = 1;

describe("whatever arrives, each parser ends in its own words", () => {
  const targets = allTargets();
  after(() => {
    for (const target of targets) target.close?.();
  });

  for (const target of targets) {
    for (const { words, input } of foundBefore(target.name))
      test(`${target.name}: ${words}`, () => assert.doesNotThrow(() => target.run(input)));

    test(target.name, () => {
      const { runs, kinds } = fuzz(target, { runs: RUNS, seed: SEED });
      assert.ok(runs >= RUNS && kinds > 1, `${kinds} kinds of outcome`);
    });
  }
});

test("each parser that is fuzzed stands in the table of CONTRIBUTING.md", () => {
  const table = readFileSync(new URL("../../../CONTRIBUTING.md", import.meta.url), "utf8");
  const targets = allTargets();
  const [, section = ""] = table.split("## What is fuzzed\n");
  const named = [...section.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(named.sort(), targets.map(({ name }) => name).sort());
  for (const target of targets) target.close?.();
});

test("the fuzzer finds a mistake behind a mark that it has seen, and tells the input", () => {
  const careless: FuzzTarget = {
    name: "host-state",
    formed: fc.constant(Buffer.from("{}")),
    tokens: ['"timestamp":'],
    run(bytes) {
      if (Buffer.from(bytes).includes('"timestamp":"')) throw new TypeError("not a number");
      return "fine";
    },
  };
  const finding = (thrown: unknown) =>
    thrown instanceof FuzzFinding && Buffer.from(thrown.input).includes('"timestamp":"');
  assert.throws(() => fuzz(careless, { runs: 20_000, seed: 7 }), finding);
});
