import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const UNIT = fileURLToPath(new URL("../../systemd/sallyport.service", import.meta.url));
const SYSUSERS = fileURLToPath(new URL("../../systemd/sallyport.sysusers", import.meta.url));
const TMPFILES = fileURLToPath(new URL("../../systemd/sallyport.tmpfiles", import.meta.url));
/** In tenths, as `systemd-analyze security --threshold` takes it. What is left is the network, the ports and the pins. */
const EXPOSURE_LIMIT = "17";
const ANALYZE_LIMIT_MS = 20_000;

const run = promisify(execFile);

function analyze(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run("systemd-analyze", args, { timeout: ANALYZE_LIMIT_MS });
}

/** The unit with a program that is there, which `verify` insists on. */
async function installable(t: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-unit-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "sallyport.service");
  await writeFile(file, text.replace(/^ExecStart=\S+/m, "ExecStart=/bin/true"));
  return file;
}

function settings(text: string, key: string): string[] {
  return [...text.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map((match) => match[1] ?? "");
}

test("P1: the unit forbids to listen", async () => {
  const text = await readFile(UNIT, "utf8");
  assert.ok(settings(text, "SystemCallFilter").includes("~listen accept accept4"));
  assert.deepEqual(settings(text, "SocketBindDeny"), ["any"]);
  assert.deepEqual(settings(text, "SocketBindAllow"), []);
  assert.deepEqual(settings(text, "CapabilityBoundingSet"), [""]);
});

test("P8: what only a person can mend is not started again and again, all else is", async () => {
  const text = await readFile(UNIT, "utf8");
  assert.deepEqual(settings(text, "Restart"), ["always"]);
  assert.deepEqual(settings(text, "StartLimitIntervalSec"), ["0"]);
  assert.deepEqual(settings(text, "RestartPreventExitStatus"), ["64 78"]);
});

test("P8: it says itself that it runs, and is started again where its loop stands still", async () => {
  const text = await readFile(UNIT, "utf8");
  assert.deepEqual(settings(text, "Type"), ["notify"]);
  assert.deepEqual(settings(text, "NotifyAccess"), ["all"]);
  assert.deepEqual(settings(text, "WatchdogSec"), ["30s"]);
});

test("a password that only root may read comes in as a copy, and its folder is made at installation", async () => {
  const [, folder = ""] = settings(await readFile(UNIT, "utf8"), "LoadCredential")
    .join()
    .split(":");
  const tmpfiles = await readFile(TMPFILES, "utf8");
  assert.match(tmpfiles, new RegExp(`^d ${folder} +0700 root root$`, "m"));
});

test("systemd understands every line of the unit", async (t) => {
  const text = await readFile(UNIT, "utf8");
  const { stderr } = await analyze("verify", "--man=no", await installable(t, text));
  assert.equal(stderr, "");
  // Its exit code is 0 for unknown keys, so the words are what counts.
  const misspelt = await analyze(
    "verify",
    "--man=no",
    await installable(t, text.replace("SocketBindDeny=", "SocketDeny=")),
  );
  assert.match(misspelt.stderr, /SocketDeny/);
});

test("systemd rates the unit's exposure as low", async (t) => {
  const text = await readFile(UNIT, "utf8");
  const rate = ["security", "--offline=true", `--threshold=${EXPOSURE_LIMIT}`];
  await analyze(...rate, await installable(t, text));
  await assert.rejects(analyze(...rate, await installable(t, text.replace(/^(?:Protect|Restrict).*$/gm, ""))));
});

test("the unit's user and groups are made at installation", async () => {
  const { stdout, stderr } = await run("systemd-sysusers", ["--dry-run", SYSUSERS], { timeout: ANALYZE_LIMIT_MS });
  assert.doesNotMatch(stdout + stderr, /Failed|invalid|ignoring/i);
  const text = await readFile(UNIT, "utf8");
  const sysusers = await readFile(SYSUSERS, "utf8");
  const user = settings(text, "User").at(0);
  assert.match(sysusers, new RegExp(`^u ${user} `, "m"));
  for (const group of settings(text, "SupplementaryGroups").join(" ").split(" ")) {
    assert.match(sysusers, new RegExp(`^m ${user} ${group}$`, "m"));
  }
});
