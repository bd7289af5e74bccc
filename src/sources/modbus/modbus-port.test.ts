import assert from "node:assert/strict";
import { test } from "node:test";
import modbusSerial from "modbus-serial";
import type { LineConfig } from "../../config/config.ts";
import { hostClock } from "../../core/clock.ts";
import { Condition } from "../../testing/condition.ts";
import { lineConfig } from "../../testing/modbus-config.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { crc16, rtuFrame } from "../../testing/modbus-wire.ts";
import { openPtyPair } from "../../testing/pty.ts";
import { SimulatedLine } from "../../testing/simulated-line.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { hasValidCrc, crc16 as ownCrc16 } from "./crc16.ts";
import { type Exchange, ModbusPort } from "./modbus-port.ts";
import { silentIntervalMs, transferMaxMs } from "./wire-time.ts";

const UNIT = 1;

/** Reads two holding registers. */
const REQUEST = rtuFrame(UNIT, Uint8Array.of(3, 0, 0, 0, 2));
const REPLY_BYTES = 9;

interface Rig {
  readonly clock: VirtualClock;
  readonly line: SimulatedLine;
  readonly device: ModbusDevice;
  readonly port: ModbusPort;
  readonly frames: Uint8Array[];
  /** Sends the request and gives what came of it within the time. */
  readonly ask: (withinMs?: number, request?: Uint8Array) => Promise<Exchange | undefined>;
}

async function rig(more: Partial<LineConfig> = {}, chunkBytes?: number): Promise<Rig> {
  const clock = new VirtualClock();
  const device = new ModbusDevice(UNIT);
  device.set("holdingRegister", 0, 0x1122, 0x3344);
  const config = lineConfig("/dev/simulated", [], more);
  const chunks = chunkBytes === undefined ? {} : { chunkBytes };
  const line = new SimulatedLine({ clock, devices: [device], serial: config.serial, ...chunks });
  const port = new ModbusPort(line, config, clock);
  const frames: Uint8Array[] = [];
  port.on("data", (frame: Uint8Array) => frames.push(frame));
  await new Promise<void>((resolve) => port.open(() => resolve()));
  const ask = async (withinMs = 1_000, request = REQUEST) => {
    let exchange: Exchange | undefined;
    void port
      .exchange(() => port.write(request))
      .then((got) => {
        exchange = got;
      });
    await clock.advance(withinMs);
    return exchange;
  };
  return { clock, line, device, port, frames, ask };
}

test("the CRC is the standard's", () => {
  assert.equal(ownCrc16(Uint8Array.of(0x02, 0x07)), 0x1241);
  assert.equal(ownCrc16(REQUEST), 0);
  assert.equal(ownCrc16(REQUEST.subarray(0, 6)), crc16(REQUEST.subarray(0, 6)));
  assert.ok(hasValidCrc(REQUEST));
});

test("one checked frame is handed over, in whatever pieces it came", async () => {
  for (const chunkBytes of [1, 2, 5, undefined]) {
    const { ask, frames } = await rig({}, chunkBytes);
    assert.equal((await ask())?.kind, "frame");
    assert.deepEqual(
      frames.map((f) => f.length),
      [REPLY_BYTES],
    );
  }
});

test("P5: what was received before the request is never its answer", async () => {
  const { line, clock, ask, frames, device } = await rig();
  const old = rtuFrame(UNIT, Uint8Array.of(3, 4, 9, 9, 9, 9));
  line.arrive(old);
  await clock.advance(100);
  device.faults = { silent: true };
  assert.equal((await ask())?.kind, "silence");
  assert.deepEqual(frames, []);
});

test("P5: a reply that begins after responseTimeout is not used, one that has begun may end", async () => {
  const { ask, device, frames } = await rig({ responseTimeoutMs: 100 }, 1);
  device.faults = { delayMs: 98 };
  assert.equal((await ask())?.kind, "frame");
  device.faults = { delayMs: 101 };
  assert.equal((await ask())?.kind, "silence");
  // The head of a foreign frame in time does not make the reply behind it one that came in time.
  device.faults = { delayMs: 97, noise: Uint8Array.of(9, 3, 200, 0, 0, 0, 0, 0, 0, 0) };
  assert.equal((await ask())?.kind, "silence");
  assert.equal(frames.length, 1);
});

test("the cause of silence is told: nothing, a wrong checksum, or only noise", async () => {
  const { ask, device } = await rig();
  const causeWith = async (faults: ModbusDevice["faults"]) => {
    device.faults = faults;
    const exchange = await ask();
    return exchange?.kind === "silence" ? exchange.cause : exchange?.kind;
  };
  assert.equal(await causeWith({ silent: true }), "timeout");
  assert.equal(await causeWith({ flipBit: 40 }), "crc");
  assert.equal(await causeWith({ truncateBytes: 3 }), "framing");
  assert.equal(await causeWith({ replyUnitId: 9 }), "timeout");
  assert.equal(await causeWith({ echo: true, noise: Uint8Array.of(0, 255, 3) }), "frame");
});

test("what looks like a frame's head before the reply costs a silence, not the reply", async () => {
  const { ask, device } = await rig();
  device.faults = { noise: Uint8Array.of(9, 3, 200) };
  assert.equal((await ask())?.kind, "frame");
});

test("the middle of a long reply is not looked at, and its end not a moment later for it", async () => {
  const { ask, line, device } = await rig({}, 1);
  const registers = 100;
  device.set("holdingRegister", 0, ...new Array(registers).fill(7));
  let looks = 0;
  const { onData } = line;
  line.onData = (bytes) => {
    looks += 1;
    onData(bytes);
  };
  const exchange = await ask(1_000, rtuFrame(UNIT, Uint8Array.of(3, 0, 0, 0, registers)));
  const { serial } = lineConfig("", []);
  const replyMs = transferMaxMs(serial, registers * 2 + 5);
  assert.ok(exchange?.kind === "frame" && Math.abs(exchange.tookMs - replyMs) < 1e-6, JSON.stringify(exchange));
  assert.ok(looks < 12, `${looks} looks`);
});

test("a reply of twelve bits a character that began in time is waited for to its end", async () => {
  const serial = { baudRate: 1_200, dataBits: 8, parity: "even", stopBits: 2 } as const;
  const { ask, device } = await rig({ serial, responseTimeoutMs: 300 }, 1);
  device.faults = { delayMs: 280 };
  const exchange = await ask(4_000, rtuFrame(UNIT, Uint8Array.of(3, 0, 0, 0, 100)));
  assert.equal(exchange?.kind, "frame");
});

test("t3.5 passes in silence before each request", async () => {
  const { port, line, clock } = await rig();
  const { serial } = lineConfig("", []);
  const beganAtMs: number[] = [];
  const endedAtMs: number[] = [];
  line.onWritten = (sent) => beganAtMs.push(clock.monotonicMs() - transferMaxMs(serial, sent.length));
  const askOnAndOn = async () => {
    for (let i = 0; i < 5; i++) endedAtMs.push((await port.exchange(() => port.write(REQUEST))).atMs);
  };
  const asked = askOnAndOn();
  await clock.advance(500);
  await asked;
  for (const [i, beganMs] of beganAtMs.slice(1).entries()) {
    const silentMs = beganMs - (endedAtMs[i] ?? 0);
    assert.ok(silentMs >= silentIntervalMs(serial) - 1e-6 && silentMs < 2 * silentIntervalMs(serial), `${silentMs} ms`);
  }
});

test("input that the host still held at the end of the silence begins it anew", async () => {
  const { port, line, clock, ask } = await rig();
  await ask();
  const { serial } = lineConfig("", []);
  let heardAtMs = 0;
  line.discardInput = async () => {
    if (heardAtMs > 0) return;
    heardAtMs = clock.monotonicMs();
    line.onData(Uint8Array.of(0xff));
  };
  let sentAtMs = 0;
  line.onWritten = (sent) => {
    sentAtMs = clock.monotonicMs() - transferMaxMs(serial, sent.length);
  };
  assert.equal((await ask())?.kind, "frame");
  assert.ok(heardAtMs > 0 && sentAtMs - heardAtMs >= silentIntervalMs(serial) - 1e-6, `${sentAtMs - heardAtMs} ms`);
  assert.equal(port.isOpen, true);
});

test("the silence begins when the request has left, though its answer may be there before", async () => {
  const { port, line, clock } = await rig();
  const { serial } = lineConfig("", []);
  const writtenAtMs: number[] = [];
  line.write = async () => {
    writtenAtMs.push(clock.monotonicMs());
    line.onData(rtuFrame(UNIT, Uint8Array.of(3, 4, 0, 1, 0, 2)));
  };
  for (let i = 0; i < 2; i++) {
    const exchange = port.exchange(() => port.write(REQUEST));
    await clock.advance(20 * i);
    assert.equal((await exchange).kind, "frame");
  }
  const [first = 0, second = 0] = writtenAtMs;
  const leastMs = transferMaxMs(serial, REQUEST.length) + silentIntervalMs(serial);
  assert.ok(second - first >= leastMs - 1e-6, `${second - first} ms of ${leastMs}`);
});

test("the silent interval is 3.5 characters of 11 bits, and 1.75 ms above 19200 baud", () => {
  const at = (baudRate: number) => silentIntervalMs({ ...lineConfig("", []).serial, baudRate });
  assert.equal(at(9_600), (3.5 * 11 * 1_000) / 9_600);
  assert.equal(at(19_200), (3.5 * 11 * 1_000) / 19_200);
  assert.equal(at(38_400), 1.75);
  assert.equal(at(115_200), 1.75);
});

test("a line that is never silent is written to all the same", async () => {
  const { ask, line, clock, device } = await rig({ responseTimeoutMs: 50 });
  const babble = () => {
    line.arrive(Uint8Array.of(0));
    clock.after(1, babble);
  };
  babble();
  await clock.advance(20);
  await ask(200);
  assert.equal(device.requests, 1);
});

test("P7: of a line that babbles no more than a few frames are kept, and the request settles", async () => {
  const { ask, line, device, port, clock } = await rig({ responseTimeoutMs: 50 });
  let told = 0;
  port.onSkipped = ({ noiseBytes }) => {
    told += noiseBytes;
  };
  line.arrive(new Uint8Array(20_000));
  await clock.advance(20_000);
  device.faults = { silent: true };
  assert.equal((await ask())?.kind, "silence");
  assert.equal(told, 1_024);
});

test("a port that vanishes settles the request, and is told of", async () => {
  const { port, line, clock } = await rig();
  const lost: string[] = [];
  port.onLost = (reason) => lost.push(reason);
  const exchange = port.exchange(() => port.write(REQUEST));
  await clock.advance(2);
  line.unplug();
  assert.deepEqual(await exchange, { kind: "closed", reason: "the port has vanished", atMs: clock.monotonicMs() });
  assert.deepEqual(lost, ["the port has vanished"]);
  assert.equal(port.isOpen, false);
});

test("P7: a write that never ends is given up after a limit; the port is told as lost and can be closed", async () => {
  const { port, line, clock, ask } = await rig({ responseTimeoutMs: 300 });
  const lost: string[] = [];
  port.onLost = (reason) => lost.push(reason);
  const { write } = line;
  line.write = () => new Promise(() => undefined);
  assert.equal(await ask(1_300), undefined, "a busy adapter has its time");
  await clock.advance(100);
  assert.match(lost.join(), /^\/dev\/simulated does not send/);
  assert.equal(port.isOpen, false);
  await new Promise<void>((resolve) => port.close(() => resolve()));
  assert.equal(clock.pendingTimers(), 0);
  line.write = write;
  await new Promise<void>((resolve) => port.open(() => resolve()));
  assert.equal((await ask())?.kind, "frame");
});

test("P7: input that cannot be thrown away holds a line no longer than a write that never ends", async () => {
  const { port, line, ask } = await rig();
  line.discardInput = () => new Promise(() => undefined);
  const exchange = await ask(2_000);
  assert.equal(exchange?.kind, "closed");
  assert.equal(port.isOpen, false);
});

test("modbus-serial left to itself takes a late reply for the next answer: the reason for this port", async () => {
  const pty = await openPtyPair();
  const client = new modbusSerial.default();
  try {
    await client.connectRTUBuffered(pty.path, { baudRate: 19_200 });
    client.setID(UNIT);
    client.setTimeout(50);
    const late = rtuFrame(UNIT, Uint8Array.of(3, 4, 0xde, 0xad, 0xbe, 0xef));
    await assert.rejects(client.readHoldingRegisters(0, 2));
    const asked = new Condition(hostClock);
    let requests = 0;
    pty.master.on("data", (bytes: Uint8Array) => {
      requests += bytes.length / REQUEST.length;
      asked.changed();
    });
    client.setTimeout(5_000);
    const other = client.readHoldingRegisters(500, 2);
    await asked.until("the second request is out", () => requests > 0);
    pty.master.write(late);
    // The value of register 0 as that of register 500, without a word.
    assert.deepEqual((await other).data, [0xdead, 0xbeef]);
  } finally {
    await new Promise<void>((resolve) => client.close(() => resolve()));
    await pty.close();
  }
});
