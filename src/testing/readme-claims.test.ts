/** What the README says is shown by a test or a command is shown by one that is there. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gatewayJsonSchema } from "../config/json-schema.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** How many provisions each clause of ETSI EN 303 645 V2.1.1 has. */
const PROVISIONS = [
  ["5.1-", 5],
  ["5.2-", 3],
  ["5.3-", 16],
  ["5.4-", 4],
  ["5.5-", 8],
  ["5.6-", 9],
  ["5.7-", 2],
  ["5.8-", 3],
  ["5.9-", 3],
  ["5.10-", 1],
  ["5.11-", 4],
  ["5.12-", 3],
  ["5.13-", 1],
  ["6.", 5],
] as const;

const files = ["src", "hw-test"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) => join(ROOT, folder, name)),
);

function section(heading: string, level: "##" | "###"): string {
  const [, text] = README.split(`\n${level} ${heading}\n`);
  assert.ok(text !== undefined, `the README has ${heading}`);
  return text.split(new RegExp(`^#{2,${level.length}} `, "m"))[0] ?? "";
}

test("each test that the README names is there, with that title where it gives one", () => {
  const named = [...README.matchAll(/`([\w.-]+\.test\.ts)`(?:\s+"([^"]+)")?/g)];
  assert.ok(named.length > 60);
  const missing = named.filter(([, name, title = ""]) => {
    const paths = files.filter((path) => basename(path) === name);
    return !paths.some((path) => code(readFileSync(path, "utf8")).includes(title));
  });
  assert.deepEqual(
    missing.map(([text]) => text),
    [],
  );
});

/** What a file does, not what its comments say. */
function code(text: string): string {
  return text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "");
}

test("each npm script that the README names is there", () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const named = [...README.matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)].map(([, name = ""]) => name);
  assert.ok(named.length > 20);
  assert.deepEqual(
    named.filter((name) => !(name in scripts)),
    [],
  );
});

test("each key of gateway.yaml is named beside the example that `check` accepts", () => {
  const shown = section("Every key of gateway.yaml", "###");
  assert.ok(shown.includes(readFileSync(join(ROOT, "src/config/fixtures/full.yaml"), "utf8")));
  const keys = keysOf(gatewayJsonSchema());
  assert.ok(keys.size > 60);
  assert.deepEqual(
    [...keys].filter((key) => !new RegExp(`\\b${key}\\b`).test(shown)),
    [],
  );
});

/** The keys that a schema, or any part of it, has a word for. */
function keysOf(schema: unknown): ReadonlySet<string> {
  if (typeof schema !== "object" || schema === null) return new Set();
  const own =
    "properties" in schema && typeof schema.properties === "object" ? Object.keys(schema.properties ?? {}) : [];
  return new Set([...own, ...Object.values(schema).flatMap((part) => [...keysOf(part)])]);
}

test("each provision of ETSI EN 303 645 is answered once, in words of four", () => {
  const rows = [...section("Against ETSI EN 303 645", "###").matchAll(/^\| ([56][^|]*) \| ([^|]*) \|/gm)];
  const asked = PROVISIONS.flatMap(([clause, count]) => Array.from({ length: count }, (_, i) => `${clause}${i + 1}`));
  const answered = rows.flatMap(([, provisions = ""]) => provisions.split(", "));
  assert.deepEqual(answered.sort(), asked.sort());
  for (const [text, , state = ""] of rows) assert.match(state, /^(?:met|in part|not met|none)$/, text);
});

test("each one who could want something is told what is defended, by which test, and what is not", () => {
  const actors = section("Who could want what", "###").split(/^\*\*/m).slice(1);
  assert.equal(actors.length, 6);
  for (const actor of actors) {
    assert.match(actor, /\.test\.ts` "/, actor);
    assert.equal(actor.match(/\*Not defended:\*/g)?.length, 1, actor);
  }
});
