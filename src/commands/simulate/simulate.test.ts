import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import modbusSerial from "modbus-serial";
import { loadConfig } from "../../config/load.ts";
import { hostClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { hostRandom } from "../../core/random.ts";
import { createModbusSource } from "../../sources/modbus/modbus-source.ts";
import { serialportLine } from "../../sources/modbus/serialport-line.ts";
import { Condition } from "../../testing/condition.ts";
import { openPtyPair } from "../../testing/pty.ts";
import { RecordingSink } from "../../testing/recording-sink.ts";
import { runCommandLine } from "../cli.ts";

const METER = ["--model", "eastron-sdm630", "--unit", "7", "--serial", "115200 8N1"];
const SITE = (path: string) => `version: 1
gateway: { group: g, name: n }
uplinks: { u: { servers: [ "mqtts://b:8883" ] } }
lines:
  RS485-1:
    path: ${path}
    serial: 115200 8N1
    devices:
      meter: { unitId: 1, model: eastron-sdm630, scanRate: 200ms }
      pump:
        unitId: 2
        scanRate: 200ms
        byteOrder: CDAB
        tags:
          speed:   { register: 40101, type: float32, units: rpm, min: 1400, max: 1500 }
          current: { holdingRegister: 104, type: int16, scale: 0.01, units: A, min: 0, max: 20 }
          running: { coil: 3 }
          fault:   { holdingRegister: 120, bit: 4 }
          far:     { inputRegister: 130, type: uint64 }
  RS485-2: { path: /dev/other, devices: { d: { unitId: 1, tags: { a: { coil: 0 } } } } }
`;

/** The command as a user starts it. */
class Play {
  out = "";
  err = "";
  readonly ended: Promise<number>;
  readonly #stop = new AbortController();
  readonly #told = new Condition(hostClock);

  constructor(t: TestContext, args: readonly string[]) {
    const io = {
      out: (text: string) => {
        this.out += text;
        this.#told.changed();
      },
      err: (text: string) => {
        this.err += text;
      },
      isTerminal: false,
      columns: 80,
      rows: 24,
      env: {},
      signal: this.#stop.signal,
      onKey: () => () => undefined,
    };
    this.ended = runCommandLine(["simulate", ...args], io).finally(() => this.#told.changed());
    t.after(() => this.stop());
  }

  stop(): Promise<number> {
    this.#stop.abort();
    return this.ended;
  }

  async until(pattern: RegExp): Promise<string> {
    await this.#told.until(
      `${pattern} is told`,
      () => pattern.test(this.out),
      undefined,
      () => this.out + this.err,
    );
    return pattern.exec(this.out)?.[1] ?? "";
  }

  /** Where the other end is opened. */
  path(): Promise<string> {
    return this.until(/"path":"([^"]+)"/);
  }

  lines(): readonly { readonly event: string; readonly units: readonly Record<string, unknown>[] }[] {
    return this.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }
}

/** A Modbus client that is not ours, to its last byte. */
async function clientOn(t: TestContext, path: string, unitId: number) {
  const client = new modbusSerial.default();
  await client.connectRTUBuffered(path, { baudRate: 115_200, parity: "none" });
  t.after(() => new Promise<void>((closed) => client.close(() => closed())));
  client.setID(unitId);
  client.setTimeout(1_000);
  return client;
}

async function siteFile(t: TestContext, path: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-simulate-"));
  t.after(() => rm(dir, { recursive: true }));
  const file = join(dir, "gateway.yaml");
  await writeFile(file, SITE(path));
  return file;
}

test("a model is played on a pseudo terminal for any Modbus client, without any gateway.yaml", async (t) => {
  const play = new Play(t, [...METER, "--json"]);
  const client = await clientOn(t, await play.path(), 7);
  const { buffer } = await client.readInputRegisters(0, 2);
  const volts = buffer.readFloatBE(0);
  assert.ok(volts >= 220 && volts <= 240, `${volts} V`);
  await assert.rejects(client.readInputRegisters(5_000, 2), /exception 2/);
  await assert.rejects(client.readHoldingRegisters(0, 1), /exception 2/);
  client.setID(9);
  client.setTimeout(50);
  await assert.rejects(client.readCoils(3, 1), { message: "Timed out" });
  await play.until(/"event":"asked"/);
  assert.equal(await play.stop(), 0);
  const last = play.lines().at(-1) ?? assert.fail();
  assert.equal(last.event, "ended");
  const counts = last.units.map(({ lastAskedAgoMs: _, ...unit }) => unit);
  assert.deepEqual(counts, [
    { unitId: 7, device: "eastron-sdm630", requests: 3, replies: 3, exceptions: 2, lastAsked: "holdingRegister:0 x1" },
    { unitId: 9, device: null, requests: 1, replies: 0, exceptions: 0, lastAsked: "coil:3 x1" },
  ]);
});

test("a line of gateway.yaml is played: the gateway reads every tag as good, but for a unit with a fault", async (t) => {
  const play = new Play(t, [await siteFile(t, "/dev/none"), "--line", "RS485-1", "--fault", "1:silent", "--json"]);
  const file = await siteFile(t, await play.path());
  const line = loadConfig(file).lines[0] ?? assert.fail();
  const sink = new RecordingSink(hostClock);
  const around = { sink, clock: hostClock, random: hostRandom, log: silentLog };
  const source = createModbusSource({ ...around, line, openLine: serialportLine });
  source.start();
  t.after(() => source.stop());
  const pump = line.devices[1]?.tags ?? [];
  await sink.until("all of the pump is good", () => pump.every(({ id }) => sink.latest(id)?.status === "Good"));
  for (const { id, min = 0, max = 0 } of pump.filter((tag) => tag.min !== undefined)) {
    const value = Number(sink.latest(id)?.value);
    assert.ok(value >= min && value <= max, `${id} = ${value}`);
  }
  await sink.until("the meter is lost", () => sink.latestPresence("meter") === "lost");
  assert.ok(sink.readings.every(({ id, status }) => !id.startsWith("meter/") || status === "BadNoCommunication"));
});

test("a whole site is played, each line on a terminal of its own, by the same path every time", async (t) => {
  const file = await siteFile(t, "/dev/none");
  const links = join(file, "../desk");
  for (let start = 0; start < 2; start++) {
    const play = new Play(t, [file, "--links", links, "--json"]);
    await play.until(/"playing","line":"RS485-1"[\s\S]*("playing","line":"RS485-2")/);
    const [pump, other] = [await clientOn(t, join(links, "RS485-1"), 2), await clientOn(t, join(links, "RS485-2"), 1)];
    assert.equal((await pump.readCoils(3, 1)).data.length, 8);
    assert.equal((await other.readCoils(0, 1)).data.length, 8);
    await assert.rejects(other.readCoils(3, 1), /exception 2/);
    assert.equal(await play.stop(), 0);
    const ended = play.lines().filter(({ event }) => event === "ended");
    assert.deepEqual(
      ended.map(({ units }) => units.map(({ requests }) => requests)),
      [[0, 1], [2]],
    );
  }
});

test("a folder that cannot be made ends it at once, and a link is told by its own name", async (t) => {
  const file = await siteFile(t, "/dev/none");
  const refused = new Play(t, [file, "--links", "/proc/nowhere/desk"]);
  assert.equal(await refused.ended, 74);
  assert.match(refused.err, /cannot make \/proc\/nowhere\/desk\/RS485-1: .*give --links another folder/);
  const links = join(file, "../desk");
  const play = new Play(t, [file, "--line", "RS485-1", "--links", links]);
  assert.equal(await play.until(/open this as the serial port: (\S+)/), join(links, "RS485-1"));
  const second = new Play(t, [file, "--line", "RS485-1", "--links", links]);
  assert.equal(await second.ended, 74);
  assert.match(second.err, /RS485-1 is there: another simulate plays it/);
  assert.ok(existsSync(join(links, "RS485-1")), "the first one keeps its link");
});

test("two adapters on one cable: played on a serial port, and what is written stays", async (t) => {
  const [here, there] = [await openPtyPair(), await openPtyPair()];
  t.after(() => Promise.all([here.close(), there.close()]));
  here.master.pipe(there.master).pipe(here.master);
  const play = new Play(t, [await siteFile(t, "/dev/none"), "--line", "RS485-1", "--path", here.path, "--for", "1h"]);
  await play.until(/(playing line RS485-1, 115200 8N1: meter \(unit 1\), pump \(unit 2\))/);
  const client = await clientOn(t, there.path, 2);
  await client.writeRegister(104, 777);
  assert.deepEqual((await client.readHoldingRegisters(104, 1)).data, [777]);
  await assert.rejects(client.writeRegister(105, 1), /exception 2/);
  assert.equal(await play.stop(), 0);
  assert.match(play.out, /^ {2}2 +pump +3 +3 +1 +write holdingRegister:105 +0 s$/m);
});

test("however much is asked, --json tells of it at most once a second", async (t) => {
  const play = new Play(t, [...METER, "--json"]);
  const client = await clientOn(t, await play.path(), 7);
  const beganMs = hostClock.monotonicMs();
  for (let asked = 0; asked < 150; asked++) await client.readInputRegisters(0, 2);
  await play.until(/"event":"asked"/);
  await play.stop();
  const seconds = (hostClock.monotonicMs() - beganMs) / 1_000;
  const told = play.lines().filter(({ event }) => event === "asked").length;
  assert.ok(told >= 1 && told <= seconds + 1, `${told} lines in ${seconds} s`);
});

test("a port that vanishes ends it with 74, one that is not there with 69, each with what to do", async (t) => {
  const pair = await openPtyPair();
  t.after(() => pair.close());
  const play = new Play(t, [...METER, "--path", pair.path, "--json"]);
  await play.path();
  await pair.vanish();
  assert.equal(await play.ended, 74);
  assert.match(play.err, /has vanished: .*plug the adapter in/);
  const missing = new Play(t, [...METER, "--path", "/dev/not-there"]);
  assert.equal(await missing.ended, 69);
  assert.match(missing.err, /is the adapter plugged in/);
});

test("bytes without a request in them are told as a doubt about speed and parity", async (t) => {
  const [here, there] = [await openPtyPair(), await openPtyPair()];
  t.after(() => Promise.all([here.close(), there.close()]));
  here.master.pipe(there.master).pipe(here.master);
  const play = new Play(t, [...METER, "--path", here.path, "--json"]);
  await play.path();
  there.master.push(Buffer.alloc(40, 0x55));
  await play.until(/(do speed and parity agree)/);
});

const WRONG: readonly (readonly [args: readonly string[], words: RegExp, code: number])[] = [
  [[], /name a gateway\.yaml, or a --model/, 64],
  [["--model", "eastron-sdm630", "--unit", "1"], /--serial is missing/, 64],
  [["--model", "eastron-sdm63", "--unit", "1", "--serial", "9600 8N1"], /did you mean eastron-sdm630/, 64],
  [["--model", "eastron-sdm630", "--unit", "248", "--serial", "9600 8N1"], /write 1 to 247/, 64],
  [["--model", "eastron-sdm630", "--unit", "1", "--serial", "9600 7X1"], /--serial: .*write/, 64],
  [[...METER, "--fault", "odd"], /write one of silent, slow, late, garbage, exception/, 64],
  [[...METER, "--fault", "3:silent"], /unit 3 is not on this line; it has 7/, 64],
  [[...METER, "a.yaml"], /leave out --model/, 64],
  [["not-there.yaml"], /there is no file not-there\.yaml/, 78],
];

test("each wrong use is told with what to do, and its exit code", async (t) => {
  for (const [args, words, code] of WRONG) {
    const play = new Play(t, args);
    assert.equal(await play.ended, code, args.join(" "));
    assert.match(play.err, words);
  }
  const several = new Play(t, [await siteFile(t, "/dev/none"), "--path", "/dev/none"]);
  assert.equal(await several.ended, 64);
  assert.match(several.err, /several lines, and --path is one port; write --line with one of RS485-1, RS485-2/);
});
