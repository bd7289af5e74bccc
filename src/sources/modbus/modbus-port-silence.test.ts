/** t3.5 and old input, by the moments at which a simulated line saw bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { busRig } from "../../testing/bus-rig.ts";
import { type Faults, ModbusDevice } from "../../testing/modbus-device.ts";
import { passWhile } from "../../testing/virtual-wait.ts";
import type { BusRequest } from "./bus-request.ts";

const BAUD_RATES = [9_600, 19_200, 38_400, 115_200] as const;

/** Modbus over serial line V1.02, 2.5.1.1. */
const FIXED_SILENCE_MS = 1.75;
const CHARACTER_BITS = 11;
const ROUNDING_MS = 1e-6;

const READ: BusRequest = { kind: "read", unitId: 1, table: "holdingRegister", address: 0, quantity: 2 };
const OTHERS: readonly BusRequest[] = [
  { ...READ, quantity: 10 },
  { kind: "writeRegister", unitId: 1, address: 1, value: 3 },
  { kind: "writeRegisters", unitId: 1, address: 1, values: [3, 4] },
  { kind: "serverId", unitId: 1 },
];

const fault: fc.Arbitrary<Faults> = fc.oneof(
  fc.constant<Faults>({}),
  fc.constant<Faults>({ silent: true }),
  fc.integer({ min: 0, max: 900 }).map((delayMs): Faults => ({ delayMs })),
  fc.integer({ min: 0, max: 60 }).map((duplicateAfterMs): Faults => ({ duplicateAfterMs })),
  fc.integer({ min: 1, max: 8 }).map((truncateBytes): Faults => ({ truncateBytes })),
  fc.constant<Faults>({ echo: true }),
);

test("no request begins before the line was silent for 3.5 characters, or 1.75 ms above 19200 baud", async () => {
  const runs = fc.record({
    baudRate: fc.constantFrom(...BAUD_RATES),
    faults: fc.array(fault, { minLength: 1, maxLength: 12 }),
    chunkBytes: fc.constantFrom(1, 4, undefined),
    turnaroundDelayMs: fc.constantFrom(0, 7),
  });
  let shortest = Number.POSITIVE_INFINITY;
  await fc.assert(
    fc.asyncProperty(runs, async ({ baudRate, faults, chunkBytes, turnaroundDelayMs }) => {
      const device = new ModbusDevice(1);
      let at = 0;
      device.faults = () => faults[at++ % faults.length] ?? {};
      const serial = { baudRate, dataBits: 8, parity: "even", stopBits: 1 } as const;
      const chunks = chunkBytes === undefined ? {} : { chunkBytes };
      const { line, bus, clock, ask } = await busRig([device], { line: { serial, turnaroundDelayMs }, ...chunks });
      const characterMs = (CHARACTER_BITS * 1_000) / baudRate;
      const silenceMs = Math.max(baudRate > 19_200 ? FIXED_SILENCE_MS : 3.5 * characterMs, turnaroundDelayMs);
      let lastByteMs = Number.NEGATIVE_INFINITY;
      const { onData } = line;
      line.onData = (bytes) => {
        lastByteMs = clock.monotonicMs();
        onData(bytes);
      };
      line.onWritten = () => {
        lastByteMs = clock.monotonicMs();
      };
      const write = line.write.bind(line);
      line.write = (bytes) => {
        const silentMs = clock.monotonicMs() - lastByteMs;
        assert.ok(silentMs >= silenceMs - ROUNDING_MS, `${silentMs} ms`);
        shortest = Math.min(shortest, silentMs - silenceMs);
        return write(bytes);
      };
      for (let i = 0; i < 12; i++) await ask(OTHERS[i % OTHERS.length] ?? READ);
      await bus.close();
    }),
    { numRuns: 60 },
  );
  assert.ok(shortest < ROUNDING_MS, "and no longer than that");
});

test("P5: old input is thrown away right before each request, when the line has been silent", async () => {
  const device = new ModbusDevice(1);
  const faults: Faults[] = [{}, { duplicateAfterMs: 3 }, { silent: true }, { delayMs: 400 }, {}];
  device.faults = () => faults.shift() ?? {};
  const { line, bus, ask } = await busRig([device]);
  const seen: string[] = [];
  const [onData, discardInput, write] = [line.onData, line.discardInput.bind(line), line.write.bind(line)];
  line.onData = (bytes) => {
    seen.push("data");
    onData(bytes);
  };
  line.discardInput = () => {
    seen.push("discard");
    return discardInput();
  };
  line.write = (bytes) => {
    seen.push("write");
    return write(bytes);
  };
  for (let i = 0; i < 8; i++)
    await ask({ kind: "read", unitId: 1, table: "holdingRegister", address: 0, quantity: 2 + i });
  const writes = seen.flatMap((what, i) => (what === "write" ? [seen[i - 1]] : []));
  assert.deepEqual(writes, new Array<string>(8).fill("discard"));
  await bus.close();
});

test("P5: bytes that come while the silence is kept begin it anew: no request goes into another master's frame", async () => {
  const device = new ModbusDevice(1);
  const { line, clock, bus } = await busRig([device], { chunkBytes: 1 });
  let lastByteMs = Number.NEGATIVE_INFINITY;
  const { onData } = line;
  line.onData = (bytes) => {
    lastByteMs = clock.monotonicMs();
    onData(bytes);
  };
  const gapsMs: number[] = [];
  const write = line.write.bind(line);
  line.write = (bytes) => {
    gapsMs.push(clock.monotonicMs() - lastByteMs);
    return write(bytes);
  };
  const oneAfterTheOther = async () => {
    await bus.execute(READ);
    line.arrive(Uint8Array.from({ length: 40 }, () => 0x55));
    await bus.execute({ ...READ, quantity: 3 });
  };
  await passWhile(clock, "two reads", oneAfterTheOther());
  const silenceMs = (3.5 * CHARACTER_BITS * 1_000) / 19_200;
  assert.deepEqual(
    gapsMs.map((ms) => ms >= silenceMs - ROUNDING_MS),
    [true, true],
  );
});
