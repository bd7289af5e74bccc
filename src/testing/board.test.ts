import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "valibot";
import { parse as parseYaml } from "yaml";
import { boardSchema } from "../config/board.ts";

const BOARDS = fileURLToPath(new URL("../../board", import.meta.url));

for (const folder of readdirSync(BOARDS)) {
  test(`board/${folder} is in form, and says where its facts come from`, () => {
    const board = parse(boardSchema, parseYaml(readFileSync(join(BOARDS, folder, "board.yaml"), "utf8")));
    assert.equal(board.name, folder);
    const facts = [
      ...Object.keys(board.lines).map(() => "lines"),
      ...Object.values(board.lines).flatMap((line) => (line.overlay === undefined ? [] : ["overlay"])),
      ...Object.keys(board.pins).flatMap(() => ["pins", "chip"]),
    ];
    for (const fact of facts) assert.ok(fact in board.sources, `a source for ${fact}`);
  });
}
