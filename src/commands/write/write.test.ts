/** Writing by hand, on a real terminal and a real port. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hostClock } from "../../core/clock.ts";
import { runCommand } from "../../testing/command-run.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { openPtyPair } from "../../testing/pty.ts";
import { serveDevices } from "../../testing/simulated-bus.ts";
import { runInTerminal } from "../../testing/terminal-run.ts";
import { write } from "./write.ts";

async function bench(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-write-"));
  t.after(() => rm(dir, { recursive: true }));
  const pty = await openPtyPair();
  t.after(() => pty.close());
  const device = new ModbusDevice(5);
  t.after(serveDevices(pty.master, [device], hostClock));
  const log = join(dir, "write.log");
  return { device, log, args: [pty.path, "--unit", "5", "--log", log] };
}

/** A person at a terminal of this machine, who presses that key. */
function person(key: string, env: Readonly<Record<string, string>> = {}) {
  const shown = { text: "" };
  const show = (text: string) => {
    shown.text += text;
  };
  const onKey = (listener: (key: string) => void) => {
    queueMicrotask(() => listener(key));
    return () => undefined;
  };
  const screen = { isTerminal: true, hasKeyboard: true, columns: 80, rows: 24 };
  return { shown, io: { ...screen, out: show, err: show, env, signal: new AbortController().signal, onKey } };
}

test("P10: a value is written after a yes only, shown before and after, and noted", async (t) => {
  const { device, log, args } = await bench(t);
  device.set("holdingRegister", 100, 1_200);
  const reluctant = person("n");
  assert.equal(await write([...args, "40101=1500"], reluctant.io), 0);
  assert.match(reluctant.shown.text, /now {3}1200 \(04B0\)\n {2}then {2}1500 \(05DC\)[\s\S]*left as it was/);
  assert.equal(device.get("holdingRegister", 100), 1_200);
  assert.equal(await readFile(log, "utf8"), "");

  const command = ["write", ...args, "holdingRegister:100=-12.5", "--type", "float32", "--order", "CDAB"];
  const agreed = runInTerminal(command, { SSH_CONNECTION: "", SSH_TTY: "" });
  // Pressed before the question is shown: no answer to it.
  agreed.press("n");
  await agreed.until(/Write it\?/);
  agreed.press("y\r");
  assert.equal(await agreed.ended(), 0, agreed.text());
  assert.doesNotMatch(agreed.text(), /^no\r$/m, "Enter after the answer is no second answer");
  assert.match(agreed.text(), /after -12\.5 \(0000 C148\)\r\nwritten/);
  assert.deepEqual([device.get("holdingRegister", 100), device.get("holdingRegister", 101)], [0x0000, 0xc148]);
  assert.match(
    await readFile(log, "utf8"),
    /^\S+Z \S+ wrote to unit 5 on \S+, 40101 \(holdingRegister:100\): before .*, asked for -12\.5 .*, written, after -12\.5/,
  );
});

test("a coil is switched, a refusal is told, and so is a device that holds something else afterwards", async (t) => {
  const { device, log, args } = await bench(t);
  const yes = person("y");
  assert.equal(await write([...args, "coil:3=on"], yes.io), 0);
  assert.equal(device.get("coil", 3), 1);
  device.refusals = [{ table: "holdingRegister", from: 7, to: 7, exceptionCode: 2 }];
  assert.equal(await write([...args, "holdingRegister:7=1"], yes.io), 69);
  assert.match(yes.shown.text, /now {3}cannot be read \(exception 2\)[\s\S]*the device refuses this register/);
  device.onWrite = (address) => device.set("holdingRegister", address, 50);
  assert.equal(await write([...args, "holdingRegister:8=60"], yes.io), 1);
  assert.match(yes.shown.text, /after 50 \(0032\)[\s\S]*holds something else/);
  assert.equal((await readFile(log, "utf8")).trim().split("\n").length, 3);
});

test("P10: without a terminal, over SSH and without a place for the note nothing is written", async (t) => {
  const { device, args } = await bench(t);
  await assert.rejects(runCommand(write, [...args, "40101=1"]), /works at a terminal only/);
  const remote = person("y", { SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" });
  await assert.rejects(write([...args, "40101=1"], remote.io), /not from afar/);
  const unnoted = [...args.slice(0, 3), "--log", "/nowhere/write.log", "40101=1"];
  await assert.rejects(write(unnoted, person("y").io), /nothing is written to a device unnoted/);
  assert.equal(device.requests, 0);
});

test("what cannot be written is wrong usage", async (t) => {
  const { args } = await bench(t);
  const wrong = [
    "30001=1",
    "40001=70000",
    "40001=-40000",
    "40001",
    "coil:0=2",
    "coil:0=constructor",
    "40001=1.5",
    "40001=1e99",
  ];
  for (const change of wrong) await assert.rejects(runCommand(write, [...args, change]), /usage:/, change);
  await assert.rejects(runCommand(write, [...args, "holdingRegister:65535=1", "--type", "int32"]), /beyond the last/);
});
