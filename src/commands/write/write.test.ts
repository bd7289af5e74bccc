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

const AT_HAND = { SSH_CONNECTION: "", SSH_TTY: "" };

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

test("P10: a value is written after a yes only, shown before and after, and noted", async (t) => {
  const { device, log, args } = await bench(t);
  device.set("holdingRegister", 100, 1_200);
  const refused = runInTerminal(["write", ...args, "40101=1500"], AT_HAND);
  await refused.until(/now {3}1200 \(04B0\)\r\n {2}then {2}1500 \(05DC\)/);
  await refused.until(/Write it\?/);
  refused.press("n");
  assert.equal(await refused.ended(), 0);
  assert.equal(device.get("holdingRegister", 100), 1_200);
  assert.equal(await readFile(log, "utf8"), "");

  const agreed = runInTerminal(
    ["write", ...args, "holdingRegister:100=-12.5", "--type", "float32", "--order", "CDAB"],
    AT_HAND,
  );
  await agreed.until(/Write it\?/);
  agreed.press("y");
  assert.equal(await agreed.ended(), 0, agreed.text());
  assert.match(agreed.text(), /after -12\.5 \(0000 C148\)\r\nwritten/);
  assert.deepEqual([device.get("holdingRegister", 100), device.get("holdingRegister", 101)], [0x0000, 0xc148]);
  assert.match(
    await readFile(log, "utf8"),
    /^\S+Z \S+ wrote to unit 5 on \S+, 40101 \(holdingRegister:100\): before .*, asked for -12\.5 .*, written, after -12\.5/,
  );
});

test("P10: without a terminal, over SSH and without a place for the note nothing is written", async (t) => {
  const { device, args } = await bench(t);
  const heard = () => device.requests;
  await assert.rejects(runCommand(write, [...args, "40101=1"]), /works at a terminal only/);
  const remote = runInTerminal(["write", ...args, "40101=1"], { SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" });
  assert.equal(await remote.ended(), 69);
  assert.match(remote.text(), /not from afar/);
  const unnoted = runInTerminal(["write", ...args.slice(0, 3), "--log", "/nowhere/write.log", "40101=1"], AT_HAND);
  assert.equal(await unnoted.ended(), 74);
  assert.equal(heard(), 0);
});

test("what cannot be written is wrong usage", async (t) => {
  const { args } = await bench(t);
  const wrong = ["30001=1", "40001=70000", "40001=-40000", "40001", "coil:0=2", "40001=1.5", "40001=1e99"];
  for (const change of wrong) await assert.rejects(runCommand(write, [...args, change]), /usage:/, change);
  await assert.rejects(runCommand(write, [...args, "holdingRegister:65535=1", "--type", "int32"]), /beyond the last/);
});
