import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { modelNames } from "../config/model.ts";
import { type CommandRun, runCommand } from "../testing/command-run.ts";
import { runCommandLine } from "./cli.ts";

let dir = "";

before(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-models-"));
});

after(() => rmSync(dir, { recursive: true, force: true }));

function run(...args: string[]): Promise<CommandRun> {
  return runCommand(runCommandLine, ["models", ...args]);
}

describe("models", () => {
  test("lists every model with what it is, its tags and its source, in 80 columns but for addresses of pages", async () => {
    const { code, out } = await run();
    assert.equal(code, 0);
    for (const name of modelNames()) assert.match(out, new RegExp(`^${name}, \\d+ tags$`, "m"));
    assert.match(out, /^ {2}Eastron SDM630-Modbus: three-phase energy meter/m);
    assert.match(out, /^ {4}from Eastron, SDM630Modbus Smart Meter Modbus Protocol/m);
    for (const line of out.split("\n")) assert.ok(line.length <= 80 || !line.trim().includes(" "), line);
  });

  test("shows one with its factory settings, every register both ways, and all its sources", async () => {
    const { code, out } = await run("eastron-sdm630");
    assert.equal(code, 0);
    for (const row of [
      /^eastron-sdm630: Eastron SDM630-Modbus$/m,
      /^ {2}leaves the factory with 9600 8N1, unit 1$/m,
      /^ {2}power-total +30053 {2}inputRegister:52 +float32 {2}W +1s$/m,
      /^ {2}https:\/\/github\.com\/volkszaehler\/mbmd/m,
    ]) {
      assert.match(out, row);
    }
    const { out: drive } = await run("deep-sea-gencomm");
    assert.match(drive, /^ {2}engine-state .*\n {4}0 stopped, 1 pre-start, 2 warming up, 3 running,/m);
  });

  test("--json tells machines the same", async () => {
    const all = JSON.parse((await run("--json")).out);
    assert.deepEqual(
      all.map(({ id }: { id: string }) => id),
      modelNames(),
    );
    const one = JSON.parse((await run("--json", "abb-b23")).out);
    assert.deepEqual(one.tags[0], {
      name: "energy-import",
      register: "420481",
      address: "holdingRegister:20480",
      held: "uint64",
      byteOrder: "ABCD",
      type: "float64",
      units: "kWh",
      scale: 0.01,
      notAvailable: "18446744073709551615",
    });
  });

  test("a file of one's own is shown alike, or its mistakes are told", async () => {
    const good = join(dir, "good.yaml");
    writeFileSync(good, "name: X1\nmaker: Y\nsource: its manual\ntags: { level: { inputRegister: 3 } }\n");
    assert.match((await run(good)).out, /^ {2}level {2}30004 {2}inputRegister:3 {2}uint16 {2}1s$/m);
    const bad = join(dir, "bad.yaml");
    writeFileSync(bad, "name: X1\nmaker: Y\ntags: { level: { inputRegister: 3, scale: 0 } }\n");
    const { code, out, err } = await run(bad);
    assert.equal(code, 78);
    assert.equal(out, "");
    assert.match(err, /bad\.yaml:1:1 source: is missing/);
    assert.match(err, /bad\.yaml:3:\d+ tags\.level\.scale: a scale of 0 makes every value 0/);
    assert.match(err, /^2 mistakes$/m);
  });

  test("the example of a file in its help is one", async () => {
    const [, example = ""] = (await run("--help")).out.split("model: ./flow-3.yaml):\n");
    const file = join(dir, "flow-3.yaml");
    writeFileSync(file, example.replace(/^ {2}/gm, ""));
    assert.match((await run(file)).out, /^ {2}valve {2}40009 .*\n {4}0 closed, 1 open$/m);
  });

  test("a model that there is not is wrong usage, with the one that was meant", async () => {
    const { code, err } = await run("eastron-sdm603");
    assert.equal(code, 64);
    assert.equal(err, "sallyport models: there is no model eastron-sdm603; did you mean eastron-sdm630?\n");
    assert.equal((await run("a", "b")).code, 64);
  });
});

test("the bundle finds its models beside itself", async () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const node = promisify(execFile).bind(undefined, process.execPath);
  await node([join(root, "scripts/build.mjs"), dir], { cwd: root });
  const { stdout } = await node([join(dir, "sallyport.mjs"), "models", "--json"], { cwd: dir });
  const all: { id: string }[] = JSON.parse(String(stdout));
  assert.deepEqual(
    all.map(({ id }) => id),
    modelNames(),
  );
});
