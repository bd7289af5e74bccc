import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";

const SCRATCH = new URL("scratch.ts", import.meta.url).href;
/** Its own folder, and that of a part which knows nothing of it; then it waits for ever. */
const BENCH = `
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openScratch } from "${SCRATCH}";
console.log(openScratch("test"));
console.log(mkdtempSync(join(tmpdir(), "part-")));
process.stdin.resume();
`;

test("a benchmark that is cut short leaves no folder behind, and tells by its code that it was", async () => {
  const args = ["--import", "tsx", "--input-type=module", "--eval", BENCH];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const line = async () => String((await lines.next()).value);
    const own = await line();
    const part = await line();
    assert.ok(part.startsWith(`${own}/`) && existsSync(part), part);
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    assert.deepEqual(await ended, [143, null]);
    assert.equal(existsSync(own), false);
  } finally {
    child.kill("SIGKILL");
  }
});
