/** Golden cases: frames as a manual prints them or a plant showed them, and what is to become of them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { parse } from "yaml";
import type { DeviceConfig, RegisterTable } from "../config/config.ts";
import { parseConfig } from "../config/load.ts";
import { assert } from "../core/errors.ts";
import { ModbusDevice, type Refusal } from "./modbus-device.ts";
import { crc16, word } from "./modbus-wire.ts";

const CASES = fileURLToPath(new URL("./golden", import.meta.url));
const ADDRESS_MAX = 65_535;
const ILLEGAL_DATA_ADDRESS = 2;

const TABLES: Readonly<Record<number, RegisterTable>> = {
  1: "coil",
  2: "discreteInput",
  3: "holdingRegister",
  4: "inputRegister",
};

const valueSchema = v.union([v.number(), v.string(), v.boolean(), v.null()]);

const expectationSchema = v.union([
  valueSchema,
  v.strictObject({
    value: v.exactOptional(valueSchema, null),
    status: v.exactOptional(v.string(), "Good"),
    /** The name that the tag gives the number. */
    text: v.exactOptional(v.string()),
  }),
]);

const caseSchema = v.strictObject({
  /** Where the frames are printed; of a fault, what happens in the field. */
  about: v.string(),
  /** As in gateway.yaml. */
  device: v.looseObject({ unitId: v.number() }),
  frames: v.exactOptional(v.array(v.strictObject({ request: v.string(), reply: v.string() })), []),
  /** A file of `sallyport listen --capture` beside it: what another master heard. Of several replies the last one counts. */
  capture: v.exactOptional(v.string()),
  expect: v.record(v.string(), expectationSchema),
});

const captureSchema = v.object({
  frames: v.array(v.object({ request: v.exactOptional(v.string()), reply: v.exactOptional(v.string()) })),
});

interface Exchange {
  readonly request: Uint8Array;
  readonly reply: Uint8Array;
}

export interface Expectation {
  readonly value: string | number | boolean | null;
  readonly status: string;
  readonly text?: string;
}

export interface GoldenCase {
  readonly name: string;
  readonly config: DeviceConfig;
  /** Says what was recorded, and refuses whatever else is asked. */
  readonly device: ModbusDevice;
  /** Each must have gone over the wire, to the byte; what another master asked need not. */
  readonly requests: readonly Uint8Array[];
  /** By the tag's name. */
  readonly expected: ReadonlyMap<string, Expectation>;
}

export function goldenNames(): string[] {
  return readdirSync(CASES).sort();
}

export function loadGolden(name: string): GoldenCase {
  const folder = join(CASES, name);
  const content = v.parse(caseSchema, parse(readFileSync(join(folder, "case.yaml"), "utf8")));
  const { device, frames, capture, expect } = content;
  const exchanges = frames.map(({ request, reply }) => exchangeOf(bytesOf(request), bytesOf(reply)));
  const overheard = capture === undefined ? [] : capturedBy(join(folder, capture), device.unitId);
  return {
    name,
    config: deviceOf(folder, device),
    device: recordedDevice(device.unitId, [...overheard, ...exchanges]),
    requests: exchanges.map(({ request }) => request),
    expected: new Map(
      Object.entries(expect).map(([tag, told]) => [
        tag,
        typeof told === "object" && told !== null ? told : { value: told, status: "Good" },
      ]),
    ),
  };
}

/** Reads of the unit that were answered, or refused. */
function capturedBy(file: string, unitId: number): readonly Exchange[] {
  const { frames } = v.parse(captureSchema, parse(readFileSync(file, "utf8")));
  return frames.flatMap(({ request = "", reply }) => {
    if (reply === undefined) return [];
    const [asked, answered] = [bytesOf(request), bytesOf(reply)];
    const isRead = asked[0] === unitId && TABLES[asked[1] ?? 0] !== undefined;
    return isRead ? [exchangeOf(asked, answered)] : [];
  });
}

/** A JSON text is a YAML text: the device goes through the loader as from gateway.yaml. */
function deviceOf(folder: string, device: object): DeviceConfig {
  const text = `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks: { cloud: { servers: [ "mqtts://broker.example.com:8883" ] } }
lines: { bench: { path: /dev/simulated, devices: { device: ${JSON.stringify(device)} } } }
`;
  const config = parseConfig(join(folder, "gateway.yaml"), text).config.lines[0]?.devices[0];
  assert(config !== undefined, `${folder} has a device`);
  return config;
}

/** `01 04 00 00 00 02 71 CB`; two dots in place of each byte of a checksum that the source does not print. */
function bytesOf(text: string): Uint8Array {
  const words = text.trim().split(/\s+/);
  const isPrinted = words.at(-1) !== "..";
  const body = Uint8Array.from(words.slice(0, -2), (byte) => Number.parseInt(byte, 16));
  const crc = crc16(body);
  const frame = Uint8Array.of(...body, crc & 0xff, crc >>> 8);
  const printed = Uint8Array.from(words, (byte) => Number.parseInt(byte, 16));
  assert(!isPrinted || Buffer.compare(frame, printed) === 0, `the checksum of ${text} is ${crc.toString(16)}`);
  return frame;
}

function exchangeOf(request: Uint8Array, reply: Uint8Array): Exchange {
  const [unitId, functionCode = 0] = request;
  const isException = reply[1] === (functionCode | 0x80) && reply.length === 5;
  const bytes = functionCode <= 2 ? Math.ceil(word(request, 4) / 8) : word(request, 4) * 2;
  const isAnswer = reply[1] === functionCode && reply[2] === bytes && reply.length === bytes + 5;
  assert(unitId === reply[0] && (isException || isAnswer), `${hex(reply)} does not answer ${hex(request)}`);
  return { request, reply };
}

function recordedDevice(unitId: number, exchanges: readonly Exchange[]): ModbusDevice {
  const device = new ModbusDevice(unitId);
  const refusals: Refusal[] = [];
  for (const { request, reply } of exchanges) {
    const table = TABLES[request[1] ?? 0];
    assert(table !== undefined, `${hex(request)} reads a table`);
    const from = word(request, 2);
    const to = from + word(request, 4) - 1;
    if (reply.length === 5) refusals.push({ table, from, to, exceptionCode: reply[2] ?? 0 });
    else device.set(table, from, ...wordsOf(table, reply.subarray(3, -2), to - from + 1));
  }
  device.refusals = [...refusals, ...Object.values(TABLES).flatMap((table) => gapsOf(table, exchanges))];
  return device;
}

function wordsOf(table: RegisterTable, data: Uint8Array, count: number): number[] {
  const isBits = table === "coil" || table === "discreteInput";
  return Array.from({ length: count }, (_, i) => (isBits ? ((data[i >> 3] ?? 0) >> (i & 7)) & 1 : word(data, i * 2)));
}

/** What was not recorded is refused: nothing of it could be true. */
function gapsOf(table: RegisterTable, exchanges: readonly Exchange[]): Refusal[] {
  const covered = exchanges
    .filter(({ request }) => TABLES[request[1] ?? 0] === table)
    .map(({ request }) => ({ from: word(request, 2), to: word(request, 2) + word(request, 4) - 1 }))
    .toSorted((a, b) => a.from - b.from);
  const gaps: Refusal[] = [];
  let next = 0;
  for (const { from, to } of [...covered, { from: ADDRESS_MAX + 1, to: ADDRESS_MAX + 1 }]) {
    if (from > next) gaps.push({ table, from: next, to: from - 1, exceptionCode: ILLEGAL_DATA_ADDRESS });
    next = Math.max(next, to + 1);
  }
  return gaps;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("hex")
    .toUpperCase()
    .replace(/(..)(?!$)/g, "$1 ");
}
