/** What registers may mean, on a real port, as an independent server (libmodbus) holds them. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { DEFAULTS } from "../../config/defaults.ts";
import { hostClock } from "../../core/clock.ts";
import { serialportLine } from "../../sources/modbus/serialport-line.ts";
import { runCommand } from "../../testing/command-run.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { startModbusServer } from "../../testing/modbus-server/modbus-server.ts";
import { openPtyPair, type PtyPair } from "../../testing/pty.ts";
import { serveDevices } from "../../testing/simulated-bus.ts";
import { runInTerminal } from "../../testing/terminal-run.ts";
import { read } from "./read.ts";

const UNIT = "17";
const CTRL_C = "\x03";
const AT_HAND = {};

async function port(t: TestContext): Promise<PtyPair> {
  const pty = await openPtyPair();
  t.after(() => pty.close());
  return pty;
}

/** A port at whose other end libmodbus serves. */
async function libmodbus(t: TestContext): Promise<string> {
  const [near, far] = [await port(t), await port(t)];
  near.master.pipe(far.master).pipe(near.master);
  const server = await startModbusServer(far.path, Number(UNIT));
  t.after(() => server.stop());
  return near.path;
}

test("the same value is found in each of the four byte orders, marked as likely in the right one", async (t) => {
  const path = await libmodbus(t);
  const at = [path, "--serial", "9600 8N1", "--unit", UNIT];
  for (const [order, base] of [
    ["ABCD", 0],
    ["BADC", 100],
    ["CDAB", 200],
    ["DCBA", 300],
  ] as const) {
    const { out } = await runCommand(read, [...at, `holdingRegister:${base + 14}`, "--json"]);
    const { values } = JSON.parse(out);
    const value = values.find(
      (each: { type: string; byteOrder: string }) => each.type === "float32" && each.byteOrder === order,
    );
    assert.deepEqual([value.value, value.likely], [-1234.5677, true]);
  }
  const { out } = await runCommand(read, [...at, "40001", "--count", "10"]);
  assert.match(out, /^ 40001 +0 +CFC7 +53191 +-12345 /m);
  assert.match(out, /^ ABCD .* -123456789 /m);
  const long = await runCommand(read, [...at, "holdingRegister:206", "--count", "4"]);
  assert.match(long.out, /^ CDAB .* -1234567890123456789 /m);
  for (const line of out.split("\n")) assert.ok(line.length <= 80 || line.startsWith("/"), line);
  const coils = await runCommand(read, [...at, "00001", "--count", "4"]);
  assert.match(coils.out, /00001 +coil:0 +on[\s\S]*00002 +coil:1 +off[\s\S]*00004 +coil:3 +on/);
  const only = await runCommand(read, [...at, "register:40215", "--type", "float32", "--order", "cdab"]);
  assert.match(only.out, /CDAB +\*-1234\.5677\n/);
  assert.doesNotMatch(only.out, /ABCD/);
});

test("a silent unit, a refusal and wrong usage each end with their own words", async (t) => {
  const path = await libmodbus(t);
  const at = [path, "--serial", "9600 8N1", "--timeout", "250ms"];
  const exits = (code: number, words: RegExp) => (error: { exitCode?: number; message: string }) => {
    assert.equal(error.exitCode, code);
    assert.match(error.message, words);
    return true;
  };
  await assert.rejects(
    runCommand(read, [...at, "--unit", "3", "40001"]),
    exits(69, /no answer from unit 3 at 9600 8N1/),
  );
  await assert.rejects(
    runCommand(read, [...at, "--unit", UNIT, "holdingRegister:5000"]),
    exits(69, /the device refuses this register .*exception 2/),
  );
  const wrong = [
    ["--unit", "0", "40001"],
    ["40001"],
    ["--unit", "1", "20001"],
    ["--unit", "1", "40001", "--count", "126"],
    ["--unit", "1", "40001", "--type", "real"],
    ["--unit", "1", "40001", "--type", "float32", "--count", "1"],
    ["--unit", "1", "465536", "--type", "float32"],
    ["--unit", "1", "coil:3", "--type", "uint16"],
  ];
  for (const args of wrong) await assert.rejects(runCommand(read, [...at, ...args]), exits(64, /usage:/));
  await assert.rejects(runCommand(read, ["/dev/nothing", "--unit", "1", "40001"]), exits(69, /is not there/));
});

test("on a terminal --watch keeps its page in place, marks what changes, survives a silent device, and ends at Ctrl-C", async (t) => {
  const pty = await port(t);
  const device = new ModbusDevice(1);
  t.after(serveDevices(pty.master, [device], hostClock));
  const command = runInTerminal(
    ["read", pty.path, "--unit", "1", "40001", "--count", "1", "--watch", "--every", "100ms", "--timeout", "100ms"],
    AT_HAND,
  );
  await command.until(/ 40001 +0 +0000/);
  assert.doesNotMatch(command.text(), />40001/);
  device.set("holdingRegister", 0, 0x1234);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is a terminal
  await command.until(/>40001 .*\x1b\[7m1234/);
  device.faults = { silent: true };
  await command.until(/no answer from unit 1/);
  device.faults = {};
  device.set("holdingRegister", 0, 0x4321);
  await command.until(/4321/);
  command.press(CTRL_C);
  assert.equal(await command.ended(), 0);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is a terminal
  assert.match(command.text(), /\x1b\[\?7l[\s\S]*\x1b\[\?7h/, "lines too long for it are cut, not wrapped");
});

test("a port that somebody else holds is told as such, with what to do", async (t) => {
  const pty = await port(t);
  const holder = serialportLine({ path: pty.path, serial: DEFAULTS.serial, rs485: DEFAULTS.rs485 });
  await holder.open();
  t.after(() => holder.close());
  await assert.rejects(
    runCommand(read, [pty.path, "--unit", "1", "40001"]),
    /in use by another program; if that is the gateway/,
  );
});
