/** A short test of a line: listens, asks each device some times, and tries other settings where one is silent. */
import type { DeviceConfig, LineConfig, Parity, SerialSettings } from "../../config/config.ts";
import { quantityOf } from "../../config/values.ts";
import { type Clock, sleep } from "../../core/clock.ts";
import { crc16 } from "../../sources/modbus/crc16.ts";
import type { SerialLine } from "../../sources/modbus/serial-line.ts";
import type { PortConfig } from "../../sources/modbus/serialport-line.ts";
import { pauseMs, transferMaxMs } from "../../sources/modbus/wire-time.ts";
import { type Asked, classify, type Seen } from "./exchange.ts";
import type { DeviceEvidence, LineEvidence } from "./judge-line.ts";

export interface LineTestOptions {
  readonly line: LineConfig;
  readonly openLine: (port: PortConfig) => SerialLine;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** As long as a master with a period of half a second can keep quiet. */
const LISTEN_MS = 600;
const ROUNDS = 6;
/** Silent ones are not waited for in every round. */
const ROUNDS_OF_SILENT = 2;
/** Further rounds are left out once so much time has gone. */
const ROUNDS_LIMIT_MS = 6_000;
const SETTINGS_LIMIT_MS = 5_000;
/** So much after responseTimeout a reply is still told as late. */
const LATE_MS = 700;
/** Once so many devices kept silent, nobody waits for late replies any more. */
const SILENT_WAITED_FOR = 3;
/** Adapters hand over in lumps of 16 ms. */
const ADAPTER_LATENCY_MS = 30;
const HEARD_MAX_BYTES = 4_096;
const DEVICES_TESTED_MAX = 32;

/** In the order in which devices leave the factory. */
const SPEEDS = [9_600, 19_200, 38_400, 115_200, 57_600, 4_800, 2_400];
const PARITIES: readonly Parity[] = ["none", "even", "odd"];

const FUNCTION_CODES = { coil: 1, discreteInput: 2, holdingRegister: 3, inputRegister: 4 } as const;
const HEAD_AND_CRC_BYTES = 5;
const BITS_PER_BYTE = 8;

/** Rejects where the port cannot be opened, or vanishes. */
export async function testLine({ line, openLine, clock, signal }: LineTestOptions): Promise<LineEvidence> {
  const asked = line.devices.flatMap((device) => {
    const request = requestOf(device);
    return device.enabled && request !== undefined ? [{ device, request, book: new DeviceBook() }] : [];
  });
  const tested = asked.slice(0, DEVICES_TESTED_MAX);
  const ear = new Ear(openLine(line), line, clock);
  let echoes = 0;
  let idle: Uint8Array;
  await ear.open();
  try {
    idle = await ear.overhear(LISTEN_MS);
    const untilMs = clock.monotonicMs() + ROUNDS_LIMIT_MS;
    for (let round = 0; round < ROUNDS && !signal.aborted; round++) {
      for (const { request, book } of tested) {
        if (round > 0 && clock.monotonicMs() > untilMs) break;
        if (round >= ROUNDS_OF_SILENT && book.isSilent()) continue;
        const isDead = tested.filter((other) => other.book.isSilent()).length >= SILENT_WAITED_FOR;
        const heard = await ear.ask(request, line.responseTimeoutMs, isDead ? 0 : LATE_MS);
        const { seen, echo } = classify(request, heard.bytes, heard.beganMs > line.responseTimeoutMs);
        if (echo) echoes += 1;
        book.note(seen, heard.beganMs);
      }
    }
  } finally {
    await ear.close();
  }
  const devices: DeviceEvidence[] = [];
  const settingsUntilMs = clock.monotonicMs() + SETTINGS_LIMIT_MS;
  for (const { device, request, book } of tested) {
    const isOpen = clock.monotonicMs() < settingsUntilMs && !signal.aborted;
    const answeredAt =
      book.hasReply() || !isOpen
        ? undefined
        : await settingsThatAnswer(line, request, openLine, clock, settingsUntilMs);
    devices.push(book.evidence(device, answeredAt));
  }
  const { name, serial, responseTimeoutMs } = line;
  return { line: name, serial, responseTimeoutMs, idle, echoes, devices };
}

/** The same request at other settings, the likely ones first. */
async function settingsThatAnswer(
  line: LineConfig,
  request: Asked,
  openLine: LineTestOptions["openLine"],
  clock: Clock,
  untilMs: number,
): Promise<SerialSettings | undefined> {
  for (const serial of otherSettings(line.serial)) {
    if (clock.monotonicMs() >= untilMs) return undefined;
    const ear = new Ear(openLine({ ...line, serial }), { ...line, serial }, clock);
    await ear.open();
    try {
      const { bytes } = await ear.ask(request, line.responseTimeoutMs, 0);
      const { seen } = classify(request, bytes, false);
      if (seen === "good" || seen === "refused") return serial;
    } finally {
      await ear.close();
    }
  }
  return undefined;
}

/** First the other parities of the same speed, then the other speeds with the usual parities. */
export function otherSettings(configured: SerialSettings): SerialSettings[] {
  const speeds = [configured.baudRate, ...SPEEDS.filter((speed) => speed !== configured.baudRate)];
  return speeds.flatMap((baudRate) => {
    const parities = baudRate === configured.baudRate ? PARITIES : [configured.parity, ...PARITIES.slice(0, 2)];
    return [...new Set(parities)]
      .map((parity): SerialSettings => ({ ...configured, baudRate, parity }))
      .filter((serial) => serial.baudRate !== configured.baudRate || serial.parity !== configured.parity);
  });
}

/** What the gateway itself would read first; pages of `writeFirst` are left alone, because nothing is written here. */
function requestOf({ unitId, tags }: DeviceConfig): Asked | undefined {
  const tag = tags.find((each) => each.enabled && each.writeFirst === undefined);
  if (tag === undefined) return undefined;
  const { table, address } = tag.register;
  const quantity = quantityOf(table, tag.register);
  const isBits = table === "coil" || table === "discreteInput";
  const dataBytes = isBits ? Math.ceil(quantity / BITS_PER_BYTE) : quantity * 2;
  const pdu = [
    FUNCTION_CODES[table],
    address >> BITS_PER_BYTE,
    address & 0xff,
    quantity >> BITS_PER_BYTE,
    quantity & 0xff,
  ];
  const body = Uint8Array.of(unitId, ...pdu);
  const crc = crc16(body);
  return {
    frame: Uint8Array.of(...body, crc & 0xff, crc >> BITS_PER_BYTE),
    replyBytes: HEAD_AND_CRC_BYTES + dataBytes,
  };
}

class DeviceBook {
  readonly #seen: Seen[] = [];
  #slowestMs: number | undefined;

  note(seen: Seen, beganMs: number): void {
    this.#seen.push(seen);
    if (seen === "good" || seen === "late") this.#slowestMs = Math.max(this.#slowestMs ?? 0, beganMs);
  }

  isSilent(): boolean {
    return this.#seen.length > 0 && this.#seen.every((seen) => seen === "silent");
  }

  hasReply(): boolean {
    return this.#seen.some((seen) => seen === "good" || seen === "refused" || seen === "late" || seen === "ringed");
  }

  evidence({ name, unitId }: DeviceConfig, answeredAt: SerialSettings | undefined): DeviceEvidence {
    const slowestMs = this.#slowestMs;
    return {
      name,
      unitId,
      seen: this.#seen,
      ...(slowestMs !== undefined && { slowestMs }),
      ...(answeredAt !== undefined && { answeredAt }),
    };
  }
}

/** Bytes that came within a time, and when the first of them did, from the end of the request. */
interface Heard {
  readonly bytes: Uint8Array;
  readonly beganMs: number;
}

/** The port, without any idea of frames. */
class Ear {
  readonly #port: SerialLine;
  readonly #line: LineConfig;
  readonly #clock: Clock;
  #bytes: number[] = [];
  #firstMs = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;
  #lost: string | undefined;

  constructor(port: SerialLine, line: LineConfig, clock: Clock) {
    this.#port = port;
    this.#line = line;
    this.#clock = clock;
    port.onData = (bytes) => {
      this.#lastMs = clock.monotonicMs();
      this.#firstMs = Math.min(this.#firstMs, this.#lastMs);
      this.#bytes.push(...bytes.subarray(0, HEARD_MAX_BYTES - this.#bytes.length));
    };
    port.onLost = (reason) => {
      this.#lost = reason;
    };
  }

  open(): Promise<void> {
    return this.#port.open();
  }

  close(): Promise<void> {
    return this.#port.close();
  }

  async overhear(durationMs: number): Promise<Uint8Array> {
    this.#forget();
    await sleep(this.#clock, durationMs);
    this.#checkThere();
    return Uint8Array.from(this.#bytes);
  }

  /** Waits until the reply has begun and the line is silent again, or for the whole time. */
  async ask({ frame, replyBytes }: Asked, responseTimeoutMs: number, lateMs: number): Promise<Heard> {
    const { serial } = this.#line;
    await this.#port.discardInput();
    this.#forget();
    await this.#port.write(frame);
    const leftMs = this.#clock.monotonicMs();
    const silenceMs = Math.max(pauseMs(this.#line), ADAPTER_LATENCY_MS);
    const beginUntilMs = leftMs + responseTimeoutMs + lateMs;
    const endUntilMs = beginUntilMs + 2 * transferMaxMs(serial, replyBytes + frame.length) + silenceMs;
    for (;;) {
      this.#checkThere();
      const nowMs = this.#clock.monotonicMs();
      const isEchoOnly = this.#bytes.length <= frame.length && frame.every((byte, i) => this.#bytes[i] === byte);
      const waitsForBegin = (this.#bytes.length === 0 || isEchoOnly) && nowMs < beginUntilMs;
      const isSilent = nowMs - this.#lastMs >= silenceMs;
      if (!waitsForBegin && (isSilent || nowMs >= endUntilMs)) break;
      await sleep(this.#clock, LOOK_MS);
    }
    return { bytes: Uint8Array.from(this.#bytes), beganMs: this.#firstMs - leftMs };
  }

  #forget(): void {
    this.#bytes = [];
    this.#firstMs = Number.POSITIVE_INFINITY;
  }

  #checkThere(): void {
    if (this.#lost !== undefined) throw new Error(this.#lost);
  }
}

const LOOK_MS = 5;
