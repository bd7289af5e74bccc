import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog, type LogOptions } from "./log.ts";

function written(
  format: LogOptions["format"],
  level: LogOptions["level"] = "info",
): [string[], ReturnType<typeof createLog>] {
  const lines: string[] = [];
  return [lines, createLog({ write: (line) => lines.push(line), level, format })];
}

test("a line names its scope, and its level where that is not the usual one", () => {
  const [lines, log] = written("text");
  log.scope("cloud").info("connected");
  log.scope("cloud").scope("tls").warning("30 days left");
  assert.deepEqual(lines, ["cloud: connected\n", "warning: cloud tls: 30 days left\n"]);
});

test("journald gets the priority in front, as sd-daemon(3) has it", () => {
  const [lines, log] = written("journald");
  log.error("disk full");
  assert.deepEqual(lines, ["<3>disk full\n"]);
});

test("less urgent levels are dropped", () => {
  const [lines, log] = written("text", "warning");
  log.notice("quiet");
  log.error("loud");
  assert.deepEqual(lines, ["error: loud\n"]);
});

test("what comes from outside cannot forge a second line", () => {
  for (const format of ["text", "journald", "json"] as const) {
    const [lines, log] = written(format);
    log.info("refused: x\r\n<0>all is lost");
    assert.equal(lines.length, 1);
    assert.equal(lines[0]?.trimEnd().includes("\n"), false);
  }
});
