import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Faults, ModbusDevice } from "./modbus-device.ts";
import { crc16, rtuFrame, takeRequest } from "./modbus-wire.ts";
import { type SimulatedLine, simulatedLine } from "./simulated-line.ts";
import { VirtualClock } from "./virtual-clock.ts";

const UNIT = 7;

interface Rig {
  readonly clock: VirtualClock;
  readonly line: SimulatedLine;
  readonly device: ModbusDevice;
  /** Sends a request to the device and gives what came back within the time. */
  readonly ask: (pdu: readonly number[], withinMs?: number) => Promise<Buffer>;
}

async function rig(chunkBytes?: number): Promise<Rig> {
  const clock = new VirtualClock();
  const device = new ModbusDevice(UNIT);
  const line = simulatedLine({ clock, devices: [device], ...(chunkBytes === undefined ? {} : { chunkBytes }) });
  await line.open();
  return {
    clock,
    line,
    device,
    ask: (pdu, withinMs = 1_000) => exchange(clock, line, rtuFrame(UNIT, bytes(pdu)), withinMs),
  };
}

async function exchange(clock: VirtualClock, line: SimulatedLine, adu: Uint8Array, withinMs: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  line.onData = (chunk) => chunks.push(chunk);
  const written = line.write(adu);
  await clock.advance(withinMs);
  await written;
  return Buffer.concat(chunks);
}

function bytes(values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

function frame(...pdu: readonly number[]): Buffer {
  return Buffer.from(rtuFrame(UNIT, bytes(pdu)));
}

test("the CRC is the one of the standard's example", () => {
  assert.equal(crc16(Uint8Array.of(0x02, 0x07)), 0x1241);
});

test("a request is found behind any noise, and never before it is whole", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 20 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(65_535),
      (noise, functionCode, address) => {
        const request = rtuFrame(UNIT, bytes([functionCode, address >> 8, address & 0xff, 0, 1]));
        const taken = takeRequest(Uint8Array.of(...noise, ...request));
        assert.deepEqual(taken?.request.adu, request);
        assert.equal(takeRequest(Uint8Array.of(...noise, ...request.slice(0, -1))), undefined);
      },
    ),
    // One noise in 65,536 has a right CRC by chance, so the draws are always the same.
    { seed: 1 },
  );
});

test("the four tables are read and the two writable ones written", async () => {
  const { device, ask } = await rig();
  device.set("coil", 10, 1, 0, 1);
  device.set("discreteInput", 10, 0, 1, 1);
  device.set("holdingRegister", 10, 0x1234, 0x5678);
  device.set("inputRegister", 10, 0x9abc);
  assert.deepEqual(await ask([1, 0, 10, 0, 3]), frame(1, 1, 0b101));
  assert.deepEqual(await ask([2, 0, 10, 0, 3]), frame(2, 1, 0b110));
  assert.deepEqual(await ask([3, 0, 10, 0, 2]), frame(3, 4, 0x12, 0x34, 0x56, 0x78));
  assert.deepEqual(await ask([4, 0, 10, 0, 1]), frame(4, 2, 0x9a, 0xbc));
  assert.deepEqual(await ask([5, 0, 11, 0xff, 0]), frame(5, 0, 11, 0xff, 0));
  assert.deepEqual(await ask([6, 0, 10, 0, 9]), frame(6, 0, 10, 0, 9));
  assert.deepEqual(await ask([15, 0, 20, 0, 3, 1, 0b110]), frame(15, 0, 20, 0, 3));
  assert.deepEqual(await ask([16, 0, 11, 0, 1, 2, 1, 2]), frame(16, 0, 11, 0, 1));
  assert.deepEqual([device.get("coil", 11), device.get("coil", 20), device.get("coil", 22)], [1, 0, 1]);
  assert.deepEqual([device.get("holdingRegister", 10), device.get("holdingRegister", 11)], [9, 0x102]);
});

test("what a device refuses is answered with the exception of the standard", async () => {
  const { device, ask } = await rig();
  device.refusals = [{ table: "holdingRegister", from: 100, to: 109, exceptionCode: 4 }];
  device.maxQuantity = 50;
  assert.deepEqual(await ask([3, 0, 98, 0, 2]), frame(3, 4, 0, 0, 0, 0));
  assert.deepEqual(await ask([3, 0, 98, 0, 3]), frame(0x83, 4));
  assert.deepEqual(await ask([4, 0, 98, 0, 3]), frame(4, 6, 0, 0, 0, 0, 0, 0));
  assert.deepEqual(await ask([3, 0, 0, 0, 51]), frame(0x83, 3));
  assert.deepEqual(await ask([3, 0xff, 0xff, 0, 2]), frame(0x83, 2));
  assert.deepEqual(await ask([0x42, 0, 0]), frame(0xc2, 1));
});

test("each fault spoils the reply in its own way", async () => {
  const { device, ask } = await rig();
  device.set("holdingRegister", 0, 0x0102);
  const right = frame(3, 2, 1, 2);
  const request = frame(3, 0, 0, 0, 1);
  const flipped = Buffer.from(right);
  flipped.writeUInt8(flipped.readUInt8(3) ^ 1, 3);
  const cases: readonly [Faults, Buffer][] = [
    [{}, right],
    [{ silent: true }, Buffer.alloc(0)],
    [{ exceptionCode: 6 }, frame(0x83, 6)],
    [{ replyUnitId: 9 }, Buffer.from(rtuFrame(9, bytes([3, 2, 1, 2])))],
    [{ alter: () => bytes([3, 1, 1]) }, frame(3, 1, 1)],
    [{ truncateBytes: 3 }, right.subarray(0, -3)],
    [{ flipBit: 24 }, flipped],
    [{ duplicateAfterMs: 100 }, Buffer.concat([right, right])],
    [{ echo: true }, Buffer.concat([request, right])],
    [{ noise: bytes([0, 0xff]) }, Buffer.concat([Buffer.of(0, 0xff), right])],
  ];
  for (const [faults, expected] of cases) {
    device.faults = faults;
    assert.deepEqual(await ask([3, 0, 0, 0, 1]), expected, JSON.stringify(faults));
  }
  assert.equal(device.requests, cases.length);
});

test("a reply comes after its delay and its time on the wire, also when the bytes come one by one", async () => {
  const { clock, line, device } = await rig(1);
  device.faults = { delayMs: 700 };
  const arrivals: number[] = [];
  line.onData = () => arrivals.push(clock.monotonicMs());
  const written = line.write(rtuFrame(UNIT, bytes([3, 0, 0, 0, 1])));
  await clock.advance(1_000);
  await written;
  const characterMs = 11_000 / 19_200;
  const beginMs = 8 * characterMs + 700;
  assert.deepEqual(
    arrivals.map((ms) => Math.round((ms - beginMs) / characterMs)),
    [1, 2, 3, 4, 5, 6, 7],
  );
});

test("half a request before a silence does not spoil the next one", async () => {
  const { clock, line, ask } = await rig();
  assert.equal((await exchange(clock, line, frame(16, 0, 0, 0, 100, 200).subarray(0, -2), 1_000)).length, 0);
  assert.deepEqual(await ask([3, 0, 0, 0, 1]), frame(3, 2, 0, 0));
});
