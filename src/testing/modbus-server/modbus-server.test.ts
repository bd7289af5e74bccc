import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteOrder, RegisterTable, RegisterTag, RegisterType } from "../../config/config.ts";
import { hostClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { hostRandom } from "../../core/random.ts";
import type { Value } from "../../core/tag.ts";
import { createModbusSource } from "../../sources/modbus/modbus-source.ts";
import { serialportLine } from "../../sources/modbus/serialport-line.ts";
import { deviceConfig, lineConfig, type RegisterChoice, registerTag } from "../modbus-config.ts";
import { openPtyPair, type PtyPair } from "../pty.ts";
import { RecordingSink } from "../recording-sink.ts";
import { startModbusServer } from "./modbus-server.ts";

const UNIT = 17;
const SERIAL = { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 } as const;

/** Where each order begins, as the head of server.c has it. */
const ORDERS: readonly (readonly [ByteOrder, number])[] = [
  ["ABCD", 0],
  ["BADC", 100],
  ["CDAB", 200],
  ["DCBA", 300],
];

/** Place within a hundred, type, value in holdingRegister, value in inputRegister: the table at the head of server.c. */
const VALUES: readonly (readonly [number, RegisterType, Value, Value])[] = [
  [0, "int16", -12_345, -32_768],
  [1, "uint16", 54_321, 65_535],
  [2, "int32", -123_456_789, -2_147_483_648],
  [4, "uint32", 3_456_789_012, 4_294_967_295],
  [6, "int64", -1_234_567_890_123_456_789n, -9_223_372_036_854_775_808n],
  [10, "uint64", 12_345_678_901_234_567_890n, 18_446_744_073_709_551_615n],
  [14, "float32", -1_234.5677490234375, 2 ** -149],
  [16, "float64", Math.PI, -Number.MAX_VALUE],
  [20, "string", "Sally port v1", "holds 16 bytes.."],
  [28, "bcd16", 1_234, 9_999],
  [29, "bcd32", 12_345_678, 90_000_001],
];
const BITS_AT = 31;
const BITS = { holdingRegister: 0xa5c3, inputRegister: 0x0001 } as const;

interface Expectation {
  readonly tag: RegisterTag;
  readonly value: Value;
}

function expectations(): Expectation[] {
  const all: Expectation[] = [];
  const expect = (choice: RegisterChoice, value: Value) => {
    const name = `${choice.table}-${choice.address}-${choice.type ?? choice.bit ?? "bit"}`;
    all.push({ tag: registerTag("meter", name, choice, { scanRateMs: 200 }), value });
  };
  for (const [byteOrder, base] of ORDERS) {
    for (const [at, type, holding, input] of VALUES) {
      const length = type === "string" ? { lengthBytes: 16 } : {};
      expect({ table: "holdingRegister", address: base + at, type, byteOrder, ...length }, holding);
      expect({ table: "inputRegister", address: base + at, type, byteOrder, ...length }, input);
    }
  }
  for (const table of ["holdingRegister", "inputRegister"] as const) {
    for (let bit = 0; bit < 16; bit++) expect({ table, address: BITS_AT, bit }, ((BITS[table] >> bit) & 1) === 1);
  }
  expectBits(expect, "coil", (n) => n % 3 === 0);
  expectBits(expect, "discreteInput", (n) => n % 5 === 1);
  return all;
}

function expectBits(
  expect: (choice: RegisterChoice, value: Value) => void,
  table: RegisterTable,
  isOn: (n: number) => boolean,
): void {
  for (const n of [0, 1, 2, 3, 6, 7, 8, 9, 11, 255, 256, 1_997, 1_998, 1_999]) expect({ table, address: n }, isOn(n));
}

/** The gateway's terminal and the server's, back to back. */
async function join(): Promise<readonly [PtyPair, PtyPair]> {
  const [gateway, server] = await Promise.all([openPtyPair(), openPtyPair()]);
  gateway.master.pipe(server.master).pipe(gateway.master);
  return [gateway, server];
}

test("P5: every type in every byte order and table is read right from a server that is not ours", async () => {
  const expected = expectations();
  const [gatewaySide, serverSide] = await join();
  const server = await startModbusServer(serverSide.path, UNIT);
  const sink = new RecordingSink(hostClock);
  const device = deviceConfig(
    "meter",
    UNIT,
    expected.map(({ tag }) => tag),
  );
  const line = lineConfig(gatewaySide.path, [device], { serial: SERIAL, responseTimeoutMs: 1_000 });
  const source = createModbusSource({
    line,
    sink,
    clock: hostClock,
    random: hostRandom,
    log: silentLog,
    openLine: serialportLine,
  });
  source.start();
  try {
    await sink.until("every tag was read twice", (s) => expected.every(({ tag }) => s.of(tag.id).length >= 2));
  } finally {
    await source.stop();
    await server.stop();
    await gatewaySide.close();
    await serverSide.close();
  }
  const wrong = sink.readings.filter((r) => r.status !== "Good");
  assert.deepEqual(wrong, []);
  const values = new Map(expected.map(({ tag, value }) => [tag.id, value]));
  for (const reading of sink.readings) assert.strictEqual(reading.value, values.get(reading.id), reading.id);
});
