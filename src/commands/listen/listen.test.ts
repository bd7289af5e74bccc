/** The real command on a real port at which another master and its devices talk. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hostClock } from "../../core/clock.ts";
import { runCommand } from "../../testing/command-run.ts";
import { rtuFrame } from "../../testing/modbus-wire.ts";
import { openPtyPair, type PtyPair } from "../../testing/pty.ts";
import { runInTerminal } from "../../testing/terminal-run.ts";
import { listen } from "./listen.ts";

const READ = rtuFrame(3, Uint8Array.of(3, 0, 100, 0, 2));
const READ_REPLY = rtuFrame(3, Uint8Array.of(3, 4, 0x43, 0x66, 0x33, 0x34));
const SILENT = rtuFrame(7, Uint8Array.of(4, 0, 0, 0, 1));
const REFUSED = [rtuFrame(3, Uint8Array.of(3, 0, 200, 0, 1)), rtuFrame(3, Uint8Array.of(0x83, 2))] as const;
const CTRL_C = "\x03";

async function site(t: TestContext): Promise<{ dir: string; pty: PtyPair }> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-listen-"));
  const pty = await openPtyPair();
  t.after(async () => {
    await pty.close();
    await rm(dir, { recursive: true });
  });
  return { dir, pty };
}

/** The port throws away what came before it was opened, so whoever talks goes on until told to stop. */
function again(talk: () => void): () => void {
  let timer = hostClock.after(0, () => undefined);
  const turn = () => {
    talk();
    timer = hostClock.after(50, turn);
  };
  turn();
  return () => timer.cancel();
}

test("what goes by is shown as it comes, summed up at the end, and captured; nothing is sent", async (t) => {
  const { dir, pty } = await site(t);
  let sent = 0;
  pty.master.on("data", (bytes: Uint8Array) => {
    sent += bytes.length;
  });
  const file = join(dir, "capture.yaml");
  const command = runInTerminal(["listen", pty.path, "--serial", "9600 8N1", "--capture", file], {});
  await command.until(/listening on/);
  for (const frame of [READ, READ_REPLY, SILENT, ...REFUSED, READ, READ_REPLY]) pty.master.write(frame);
  await command.until(/unit 3 {3}reads 2 from 40101 \(holdingRegister:100\) +ok in \d+ms/);
  await command.until(/unit 7 {3}reads 1 from 30001 \(inputRegister:0\) +NO ANSWER/);
  await command.until(/refused \(2\)[\s\S]*ok in/);
  pty.master.write(SILENT);
  await command.until(/NO ANSWER[\s\S]*NO ANSWER/);
  pty.master.write(Buffer.concat([READ, READ_REPLY]));
  await command.until(/silence of \d+\.\ds[\s\S]*ok in/);
  command.press(CTRL_C);
  assert.equal(await command.ended(), 0);
  assert.match(command.text(), /unit {2}asked {2}answered {2}refused {2}no answer/);
  assert.match(command.text(), /^ {2}3 +4 +3 +1 +0 +0 /m);
  assert.match(command.text(), /^ {2}7 +2 +0 +0 +2 +0/m);
  assert.match(command.text(), /unit 7 +reads 1 from 30001.*every .*2 times/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is a terminal
  for (const line of command.text().split(/[\r\n\x1b]+/)) assert.ok(line.length <= 80 || line.includes("/tty"), line);
  assert.equal(sent, 0);
  const captured = await readFile(file, "utf8");
  assert.match(captured, /request: 03 03 00 64 00 02 \S\S \S\S, reply: 03 03 04 43 66 33 34/);
  assert.match(captured, /request: 07 04 00 00 00 01 \S\S \S\S, fate: silent/);
  await assert.rejects(runCommand(listen, [pty.path, "--capture", file]), /EEXIST/, "a capture is not overwritten");
});

test("a line on which nobody talks, and one that nobody understands, end with 69 and say so", async (t) => {
  const { dir, pty } = await site(t);
  const silent = await runCommand(listen, [pty.path, "--for", "200ms"]);
  assert.equal(silent.code, 69);
  assert.match(silent.out, /nothing was heard/);
  const stop = again(() => pty.master.write(new Uint8Array(40).fill(0xaa)));
  const noisy = await runCommand(listen, [pty.path], (out) => out.includes("noise"));
  stop();
  assert.equal(noisy.code, 69);
  assert.match(noisy.out, /\d+ bytes and no frame at 19200 8E1/);
  await assert.rejects(runCommand(listen, ["/dev/nothing"]), /is not there/);
  const file = join(dir, "capture.yaml");
  await assert.rejects(runCommand(listen, ["/dev/null", "--capture", file]), /cannot be opened/);
  assert.equal(existsSync(file), false, "no empty capture stays");
  await assert.rejects(runCommand(listen, [pty.path, "--for", "1"]), /usage:/);
});

test("machines get a line a frame and the summary", async (t) => {
  const { pty } = await site(t);
  const stop = again(() => pty.master.write(Buffer.concat([READ, READ_REPLY, SILENT])));
  const hasBoth = (out: string) => out.includes('"fate":"answered"') && out.includes('"fate":"silent"');
  const { out } = await runCommand(listen, [pty.path, "--json"], hasBoth);
  stop();
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  // The port may have been opened amid a frame, so what came first is not asked.
  const answered = lines.find(({ fate }) => fate === "answered");
  const silent = lines.find(({ fate }) => fate === "silent");
  const { summary } = lines.at(-1);
  assert.deepEqual([answered.unitId, answered.address, answered.quantity], [3, 100, 2]);
  assert.equal(silent.unitId, 7);
  assert.deepEqual(
    summary.units.map(({ unitId, answered, silent }: Record<string, number>) => [unitId, answered === 0, silent === 0]),
    [
      [3, false, true],
      [7, true, false],
    ],
  );
});
