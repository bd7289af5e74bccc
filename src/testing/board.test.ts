import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { integer, minValue, number, optional, parse, pipe, record, regex, strictObject, string } from "valibot";
import { parse as parseYaml } from "yaml";

const BOARDS = fileURLToPath(new URL("../../board", import.meta.url));

const LABEL = pipe(string(), regex(/^[A-Za-z0-9-]+$/));
const BOARD = strictObject({
  name: LABEL,
  title: string(),
  lines: record(LABEL, strictObject({ path: pipe(string(), regex(/^\/dev\//)), overlay: optional(string()) })),
  pins: record(LABEL, strictObject({ chip: string(), line: pipe(number(), integer(), minValue(0)) })),
  sources: record(string(), pipe(string(), regex(/^https:\/\//))),
});

for (const folder of readdirSync(BOARDS)) {
  test(`board/${folder} is in form, and says where its facts come from`, () => {
    const board = parse(BOARD, parseYaml(readFileSync(join(BOARDS, folder, "board.yaml"), "utf8")));
    assert.equal(board.name, folder);
    const facts = [
      ...Object.keys(board.lines).map(() => "lines"),
      ...Object.values(board.lines).flatMap((line) => (line.overlay === undefined ? [] : ["overlay"])),
      ...Object.keys(board.pins).flatMap(() => ["pins", "chip"]),
    ];
    for (const fact of facts) assert.ok(fact in board.sources, `a source for ${fact}`);
  });
}
