import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CommandRun, runCommand } from "../testing/command-run.ts";
import { runCommandLine } from "./cli.ts";

const GOOD = `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks:
  cloud: { servers: [ "mqtts://broker.example.com:8883" ], primaryHost: scada-1, format: sparkplug }
lines:
  adapter:
    path: /dev/ttyUSB0
    serial: 9600 8N1
    devices:
      meter-1: { unitId: 1, model: eastron-sdm630, tags: [ voltage-l1, power-total ] }
      pump-1:
        unitId: 2
        scanRate: 500ms
        tags:
          ${"a-name-as-long-as-it-may-be".padEnd(64, "x")}: { register: 465000, type: float32, byteOrder: DCBA, units: rpm, writable: true }
          running: { coil: 3 }
          mark: { holdingRegister: 0, type: uint64, notAvailable: 0xFFFFFFFFFFFFFFFF }
      drive-1:
        unitId: 3
        tags:
          mode: { holdingRegister: 8, enum: { 0: stopped, 1: running } }
          flow: { holdingRegister: 9, type: int16, scale: 0.1 }
          yield: { holdingRegister: 10, type: int32, scaleFrom: 40013 }
inputs:
  door: { pin: { chip: pinctrl-bcm2711, line: 4 }, activeLow: true }
  energy: { pin: { chip: pinctrl-bcm2711, line: 17 }, counter: both, units: kWh }
`;

let dir = "";
const file = (name: string) => join(dir, name);

before(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-check-"));
  writeFileSync(file("good.yaml"), GOOD);
  writeFileSync(file("bad.yaml"), GOOD.replace("mqtts:", "mqtt:").replace("unitId: 2", "unitid: 2"));
});

after(() => rmSync(dir, { recursive: true, force: true }));

async function run(...args: string[]): Promise<CommandRun> {
  const { code, out, err } = await runCommand(runCommandLine, ["check", ...args]);
  return { code, out: out.replaceAll(`${dir}/`, ""), err: err.replaceAll(`${dir}/`, "") };
}

describe("check", () => {
  test("shows what would be read and sent, every address both ways, within 80 columns", async () => {
    const { code, out, err } = await run(file("good.yaml"));
    assert.equal(code, 0);
    assert.equal(err, "");
    // A key is told whole, so that it can be searched for.
    const table = out
      .split("\n")
      .slice(1)
      .filter((line) => !line.startsWith("  line "));
    for (const line of table) assert.ok(line.length <= 80, line);
    for (const row of [
      /^ {2}cloud {2}sparkplug {2}mqtts:\/\/broker\.example\.com:8883$/m,
      /^ {2}adapter {2}\/dev\/ttyUSB0 {2}9600 8N1$/m,
      /^ {4}meter-1: unit 1, 2 tags$/m,
      /^ {6}power-total {2}30053 {2}inputRegister:52 {2}float32 {2}W {2}1s$/m,
      /^ {6}a-name-as-long-a… {2}465000 {2}holdingRegister:64999 {2}float32 DCBA {2}rpm {2}500ms$/m,
      /^ {6}running +00004 {3}coil:3 +bool +500ms$/m,
      /^ {6}mode +40009 +holdingRegister:8 +uint16 +1s\n {8}0 stopped, 1 running$/m,
      /^ {6}flow +40010 +holdingRegister:9 +int16 ×0\.1 +1s$/m,
      /^ {6}yield +40011 +holdingRegister:10 +int32 ×10\^40013 +1s$/m,
      /^ {2}energy {2}pinctrl-bcm2711:17 {2}counts both edges {2}kWh +debounce 20ms$/m,
      /^outbox outbox\.db: up to 2GB or 90d, committed every 1s$/m,
    ]) {
      assert.match(out, row);
    }
  });

  test("shows what each line can carry, and what a lost device costs it", async () => {
    const { out } = await run(file("good.yaml"));
    for (const row of [
      /^ {2}adapter at 9600 baud: \d\d % of it is asked for$/m,
      /^ {4}meter-1 {2}1s {5}2 {5}2 +\d+(\.\d)?ms +\d+(\.\d)? % +1s$/m,
      /^ {4}pump-1 {3}500ms {2}3 {5}3 +\d+(\.\d)?ms +\d+ % +500ms$/m,
      /^ {4}1 of 3 {2}\d+ % +as asked +10\.3 s +\d+ % for [\d.]+ s$/m,
      /^ {4}3 of 3 {2}/m,
    ]) {
      assert.match(out, row);
    }
  });

  test("a line that cannot carry what is asked is a mistake, with the words for it; --force accepts it", async () => {
    writeFileSync(file("busy.yaml"), GOOD.replace("500ms", "50ms").replace("scada-1", "s").replace("9600", "1200"));
    const words = /^adapter at 1200 baud needs [\d.]+ s for what is asked in 1 s$/;
    const refused = await run(file("busy.yaml"));
    assert.equal(refused.code, 78);
    const [told = "", mistakes] = refused.err.split("\n");
    assert.equal(mistakes, "1 mistake");
    const [place, ...rest] = told.split(": ");
    assert.equal(place, "busy.yaml:6:3 lines.adapter");
    const [wrong = "", remedy] = rest.join(": ").split("; ");
    assert.match(wrong, words);
    assert.match(remedy ?? "", /^at \d+ it fits$/);
    assert.match(refused.out, /^ {4}pump-1 {3}50ms .* [\d.]+ s !$/m);

    const forced = await run("--force", file("busy.yaml"));
    assert.equal(forced.code, 0);
    assert.match(forced.out, /^ACCEPTED, BUT ASKED LESS OFTEN THAN THE FILE SAYS\n {2}line 6 lines.adapter$/m);
    for (const line of forced.out.split("\n").slice(1))
      assert.ok(line.length <= 80 || line.startsWith("  line "), line);
  });

  test("--json has the budget, of a refused line too", async () => {
    const good = JSON.parse((await run("--json", file("good.yaml"))).out);
    assert.deepEqual(
      good.budget[0].groups.map((g: { device: string; realMs: number }) => [g.device, g.realMs]),
      [
        ["meter-1", 1_000],
        ["pump-1", 500],
        ["drive-1", 1_000],
      ],
    );
    assert.equal(good.budget[0].lost.length, 3);
    assert.deepEqual(good.warnings, []);
    const busy = await run("--json", file("busy.yaml"));
    const told = JSON.parse(busy.out);
    assert.deepEqual([busy.code, told.config, told.problems.length], [78, null, 1]);
    assert.ok(told.budget[0].utilisation > 100);
    const forced = JSON.parse((await run("--json", "--force", file("busy.yaml"))).out);
    assert.deepEqual([forced.problems.length, forced.warnings.length], [0, 1]);
    assert.equal(forced.warnings[0].key, "lines.adapter");
  });

  test("names the keys that it accepts, but does not act on", async () => {
    const { out } = await run(file("good.yaml"));
    const [, list = ""] = out.split("ACCEPTED, BUT NOT ACTED ON\n");
    assert.match(
      list,
      /^ {2}line 15 lines\.adapter\.devices\.pump-1\.tags\.a-name[^ ]*\.writable\n {4}without a section commands nothing remote can write$/m,
    );
  });

  test("P10: warns of each tag that anybody at the broker can write, and shows what is writable", async () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    writeFileSync(file("ops.pub"), publicKey.export({ type: "spki", format: "pem" }));
    const tag = "running: { coil: 3, writable: true, unsigned: true }";
    writeFileSync(
      file("open.yaml"),
      `${GOOD.replace("running: { coil: 3 }", tag)}commands: { authorizedKeys: [ ops.pub ] }\n`,
    );
    const { code, out } = await run(file("open.yaml"));
    assert.equal(code, 0);
    assert.match(out, /^ {6}running +00004 {3}coil:3 +bool +500ms {2}writable$/m);
    const [, list = ""] = out.split("ACCEPTED, BUT ANYBODY AT THE BROKER CAN WRITE\n");
    assert.match(
      list,
      /^ {2}line 16 lines\.adapter\.devices\.pump-1\.tags\.running\.unsigned\n {4}whoever may publish/,
    );
    const told = JSON.parse((await run("--json", file("open.yaml"))).out);
    assert.deepEqual(
      told.warnings.map(({ key }: { key: string }) => key),
      ["lines.adapter.devices.pump-1.tags.running.unsigned"],
    );
  });

  test("tells all mistakes on standard error and exits 78", async () => {
    const { code, out, err } = await run(file("bad.yaml"));
    assert.equal(code, 78);
    assert.equal(out, "");
    assert.deepEqual(err.split("\n"), [
      "bad.yaml:4:23 uplinks.cloud.servers[0]: mqtt:// sends everything in the clear; use TLS: mqtts://broker.example.com:8883",
      'bad.yaml:11:7 lines.adapter.devices.pump-1.unitId: is missing; add it, as in "unitId: 1"',
      "bad.yaml:12:9 lines.adapter.devices.pump-1.unitid: there is no such key here; did you mean unitId?",
      "3 mistakes",
      "",
    ]);
  });

  test("--json tells machines the same, also what JSON has no number for", async () => {
    const good = await run("--json", file("good.yaml"));
    assert.equal(good.code, 0);
    const { problems, notices, config } = JSON.parse(good.out);
    assert.deepEqual(problems, []);
    assert.match(notices[0].key, /^lines\.adapter\.devices\.pump-1\.tags\.a-name.*\.writable$/);
    assert.equal(config.uplinks[0].history.rateBytesPerS, "unlimited");
    assert.equal(config.lines[0].devices[1].tags[2].notAvailable, "18446744073709551615");

    const bad = await run("--json", file("bad.yaml"));
    assert.equal(bad.code, 78);
    assert.equal(bad.err, "");
    const told = JSON.parse(bad.out);
    assert.equal(told.config, null);
    assert.equal(told.problems.length, 3);
    assert.deepEqual(told.problems[2], {
      file: "bad.yaml",
      line: 12,
      column: 9,
      key: "lines.adapter.devices.pump-1.unitid",
      wrong: "there is no such key here",
      remedy: "did you mean unitId?",
    });
  });

  test("--capacity tells what it carries, in text and for machines, and what is too much", async () => {
    const { code, out, err } = await run(file("good.yaml"), "--capacity", "--change", "2.5%");
    assert.deepEqual([code, err], [0, ""]);
    for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
    assert.match(out, /^good.yaml: what it carries\n\nwhat is read\n/);
    assert.match(
      out,
      /^what goes out: cloud, sparkplug\n {2}what changes +values\/s .*\n {2}all .*\n {2}2.5 % .*\n {2}nothing /m,
    );
    const told = JSON.parse((await run(file("good.yaml"), "--capacity", "--json")).out);
    assert.deepEqual(
      told.capacity.uplinks[0].loads.map((load: { share: number }) => load.share),
      [1, 0.1, 0],
    );
    assert.deepEqual(told.capacity.shortages, []);
    assert.equal((await run(file("good.yaml"), "--json")).out.includes('"capacity"'), false);
  });

  test("--capacity of a line that is asked for too much is told beside the mistake; --force accepts it", async () => {
    writeFileSync(file("slow.yaml"), GOOD.replace("9600 8N1", "300 8N1"));
    const refused = await run(file("slow.yaml"), "--capacity");
    assert.equal(refused.code, 78);
    assert.match(refused.out, /^what is read\n/m);
    assert.match(refused.err, /adapter at 300 baud needs /);
    const forced = await run(file("slow.yaml"), "--capacity", "--force");
    assert.deepEqual([forced.code, forced.err], [0, ""]);
    assert.match(forced.out, /^TOO MUCH\n {2}lines.adapter\n {4}adapter at 300 baud needs /m);
  });

  test("--help teaches with a file that is right", async () => {
    const { code, out } = await run("--help");
    assert.equal(code, 0);
    for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
    const example = out.slice(out.indexOf("  version: 1")).replace(", tls: { ca: ca.pem }", "");
    writeFileSync(file("example.yaml"), example);
    assert.equal((await run(file("example.yaml"))).code, 0);
  });

  test("wrong usage exits 64 and says how it is used", async () => {
    for (const args of [
      [],
      ["a.yaml", "b.yaml"],
      ["--jsn", "a.yaml"],
      ["a.yaml", "--change", "10%"],
      ["a.yaml", "--capacity", "--change", "101%"],
      ["a.yaml", "--capacity", "--change", "10"],
    ]) {
      const { code, out, err } = await run(...args);
      assert.equal(code, 64);
      assert.equal(out, "");
      assert.match(
        err,
        /^sallyport check: .*\n\nusage: sallyport check FILE\|FOLDER \[--capacity\] \[--force\] \[--json\] \[options\]\n$/,
      );
    }
  });
});
