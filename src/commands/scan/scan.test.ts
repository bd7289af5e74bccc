/** The real command on a real terminal, against devices that hear only their own speed on a real port. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkConfig } from "../../config/load.ts";
import { serialText } from "../../config/values.ts";
import { hostClock } from "../../core/clock.ts";
import { runCommand } from "../../testing/command-run.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { rtuFrame } from "../../testing/modbus-wire.ts";
import { openPtyPair, type PtyPair } from "../../testing/pty.ts";
import { serveDevices } from "../../testing/simulated-bus.ts";
import { runInTerminal } from "../../testing/terminal-run.ts";
import { scan } from "./scan.ts";

const AT_HAND = {};
/** Long enough for whoever answers, on however busy a machine: so a scan asks few that are silent. */
const SILENCE = "1500ms";

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-scan-"));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

async function port(t: TestContext): Promise<PtyPair> {
  const pty = await openPtyPair();
  t.after(() => pty.close());
  return pty;
}

/** A terminal keeps the speed that the other side has set, and no parity. */
function hearsOnly(device: ModbusDevice, pty: PtyPair, baudRate: number): ModbusDevice {
  device.faults = () => {
    const speed = execFileSync("stty", ["-F", pty.path, "speed"], { encoding: "utf8" });
    return Number(speed) === baudRate ? {} : { silent: true };
  };
  return device;
}

function named(unitId: number, product: string): ModbusDevice {
  const device = new ModbusDevice(unitId);
  device.identification = new Map([
    [0, "Acme"],
    [1, product],
  ]);
  return device;
}

test("five devices at mixed speeds of a real port are found and named, and the file is one that check accepts", async (t) => {
  const pty = await port(t);
  const dir = await folder(t);
  const devices = [
    hearsOnly(named(1, "SDM120"), pty, 9_600),
    hearsOnly(named(2, "F-3"), pty, 9_600),
    hearsOnly(named(4, "F-4"), pty, 9_600),
    hearsOnly(named(1, "G-1"), pty, 38_400),
    hearsOnly(named(4, "G-2"), pty, 115_200),
  ];
  t.after(serveDevices(pty.master, devices, hostClock));
  const file = join(dir, "gateway.yaml");
  const settings = ["9600 8N1", "38400 8E1", "115200 8N1"].flatMap((serial) => ["--serial", serial]);
  const command = runInTerminal(
    ["scan", pty.path, ...settings, "--units", "1,2,4", "--listen", "300ms", "--timeout", SILENCE, "--write", file],
    AT_HAND,
  );
  assert.equal(await command.ended(), 0, command.text());
  const shown = command.text();
  for (const found of [
    /unit 1 +at 9600 8N1: Acme SDM120/,
    /unit 4 +at 9600 8N1: Acme F-4/,
    /unit 4 +at 115200 8N1: Acme G-2/,
  ])
    assert.match(shown, found);
  assert.match(shown, /5 devices found/);
  assert.match(shown, /\d+ %.*found.*left/, "its progress is shown");
  const { config } = checkConfig(file);
  assert.deepEqual(
    config.lines.map(({ serial, devices: all }) => [serialText(serial), all.map(({ name }) => name)]),
    [["9600 8N1", ["eastron-sdm120-1", "device-2", "device-4"]]],
  );
  assert.match(await readFile(file, "utf8"), /#.*unit 4 at 115200 8N1: Acme G-2/);
});

test("where another master talks nothing is sent, and what it talks about is told", async (t) => {
  const pty = await port(t);
  let sent = 0;
  pty.master.on("data", (bytes: Uint8Array) => {
    sent += bytes.length;
  });
  const request = rtuFrame(5, Uint8Array.of(3, 0, 100, 0, 2));
  const reply = rtuFrame(5, Uint8Array.of(3, 4, 0, 1, 0, 2));
  let timer = hostClock.after(0, () => undefined);
  const talk = () => {
    pty.master.write(request);
    pty.master.write(reply);
    timer = hostClock.after(50, talk);
  };
  talk();
  t.after(() => timer.cancel());
  const { code, out, err } = await runCommand(scan, [pty.path, "--listen", "2s", "--json"]);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(out), [{ unitId: 5, serial: "9600 8N1", identity: null }]);
  assert.match(err, /two masters on one line disturb each other/);
  assert.equal(sent, 0);
});

test("a silent line ends with 69, and a file that has lines is not touched", async (t) => {
  const pty = await port(t);
  const dir = await folder(t);
  const args = [pty.path, "--units", "1", "--serial", "9600 8N1", "--listen", "0", "--timeout", "20ms"];
  const { code, out } = await runCommand(scan, [...args, "--json"]);
  assert.equal(code, 69);
  assert.deepEqual(JSON.parse(out), []);
  const file = join(dir, "gateway.yaml");
  await writeFile(file, "lines:\n  mine: {}\n");
  await assert.rejects(runCommand(scan, [...args, "--write", file]), /has lines already/);
  for (const nowhere of [dir, join(dir, "missing", "gateway.yaml")]) {
    await assert.rejects(runCommand(scan, [...args, "--write", nowhere]), { exitCode: 74 }, "told before the search");
  }
  await assert.rejects(runCommand(scan, ["/dev/nothing", "--listen", "0"]), /is not there/);
  for (const wrong of [
    ["--units", "0-3"],
    ["--units", "250"],
    ["--serial", "9600 7E1"],
    ["--timeout", "1h"],
    ["--listen", "2h"],
  ])
    await assert.rejects(runCommand(scan, [pty.path, ...wrong]), /usage:/);
});
