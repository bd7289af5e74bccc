import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
/** Every write to it fails with ENOSPC, as on a full disk. */
const FULL = "/dev/full";

async function exitCode(
  args: readonly string[],
  out: "ignore" | number,
  err: "ignore" | number,
): Promise<number | null> {
  const child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], { stdio: ["ignore", out, err] });
  const [code] = await once(child, "exit");
  return code;
}

test("P8: a complaint that cannot be written changes nothing", async () => {
  assert.equal(await exitCode(["frobnicate"], "ignore", openSync(FULL, "w")), 64);
});

test("a result that cannot be written is told by the exit code", async () => {
  assert.equal(await exitCode(["--help"], openSync(FULL, "w"), "ignore"), 74);
  assert.equal(await exitCode(["--help"], "ignore", "ignore"), 0);
});
