import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const LIMIT_MS = 60_000;

test("P3 P4: the demo's story ends with history beside live values and nothing lost", async () => {
  const args = ["--import", "tsx", MAIN, "demo", "--story", "--for", "6s", "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS });
  const summary = JSON.parse(stdout);
  assert.equal(summary.lost, 0);
  assert.equal(summary.toldLost, 0);
  assert.deepEqual(summary.violations, []);
  assert.ok(summary.live > 0 && summary.history > 0, stdout);
});
