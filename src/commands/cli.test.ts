import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type CommandRun, runCommand } from "../testing/command-run.ts";
import { runCommandLine } from "./cli.ts";

function run(...args: string[]): Promise<CommandRun> {
  return runCommand(runCommandLine, args);
}

describe("the command line", () => {
  test("without a command it explains itself and is wrong usage", async () => {
    const { code, out } = await run();
    assert.equal(code, 64);
    assert.match(out, /usage: sallyport COMMAND/);
  });

  test("--help lists every command and fits 80 columns", async () => {
    const { code, out } = await run("--help");
    assert.equal(code, 0);
    for (const name of ["run", "check", "demo", "doctor", "hw-test"])
      assert.match(out, new RegExp(`^ {2}${name} `, "m"));
    for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
  });

  test("a command that does not exist is told as such", async () => {
    assert.equal((await run("frobnicate")).code, 64);
    assert.equal((await run("constructor")).code, 64);
  });

  for (const name of [
    "run",
    "check",
    "demo",
    "simulate",
    "scan",
    "read",
    "write",
    "listen",
    "keygen",
    "command",
    "models",
    "doctor",
    "hw-test",
    "first-boot",
    "watch",
    "schema",
    "init",
    "import",
  ]) {
    test(`${name} --help teaches and fits 80 columns`, async () => {
      const { code, out } = await run(name, "--help");
      assert.equal(code, 0);
      assert.match(out, new RegExp(`usage: sallyport ${name}`));
      for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
    });

    test(`${name} refuses an option it does not know, with its usage`, async () => {
      const { code, err } = await run(name, "--frobnicate");
      assert.equal(code, 64);
      assert.match(err, /--frobnicate/);
    });
  }

  test("run tells all mistakes of a configuration at once and starts nothing", async () => {
    const dir = await mkdtemp(join(tmpdir(), "sallyport-cli-"));
    try {
      const file = join(dir, "gateway.yaml");
      await writeFile(file, "version: 2\ngateway: { group: a b, name: c }\nuplinks: {}\n");
      const { code, err } = await run("run", "--config", file, "--state-dir", join(dir, "state"));
      assert.equal(code, 78);
      assert.match(err, /gateway\.yaml:1:\d+ version:/);
      assert.match(err, /gateway\.yaml:2:\d+ gateway\.group:/);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test("demo refuses a duration without a unit", async () => {
    const { code, err } = await run("demo", "--for", "20");
    assert.equal(code, 64);
    assert.match(err, /duration/);
  });
});
