/** One line's requests and replies: modbus-serial for the PDUs, our port for the frames, the guard against late replies. */
import modbusSerial from "modbus-serial";
import type { LineConfig } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Skipped, StrayFrame } from "./frame-scanner.ts";
import type { DeviceMeter } from "./line-meter.ts";
import { ModbusPort } from "./modbus-port.ts";
import type { PollRead } from "./poll-plan.ts";
import type { Entry } from "./read-book.ts";
import { functionCodeOf, type ReadFunctionCode, replyByteCount } from "./register-map.ts";
import {
  answered,
  type Choice,
  chooseQuantity,
  EXCEPTION_BYTE_COUNT,
  type Guard,
  isClear,
  isSuspect,
  NO_REPLIES_EXPECTED,
  overheard,
  unanswered,
} from "./reply-guard.ts";
import type { SerialLine } from "./serial-line.ts";
import type { ReadOutcome } from "./verdict.ts";

export interface BusOptions {
  readonly line: SerialLine;
  readonly config: LineConfig;
  readonly clock: Clock;
  /** By unit id: the devices of this line. */
  readonly meters: ReadonlyMap<number, DeviceMeter>;
  readonly onLost: (reason: string) => void;
  /** Replies of this unit come that no request explains: from now on it is asked with more care, and less often. */
  readonly onSuspect: (unitId: number) => void;
}

const READ_METHODS = { 1: "writeFC1", 2: "writeFC2", 3: "writeFC3", 4: "writeFC4" } as const;

/** The port is gone, or was closed. */
export interface BusClosed {
  readonly kind: "closed";
  readonly reason: string;
  readonly atMs: number;
}

/** What modbus-serial made of the frame; undefined where there was none. */
type Reply = { readonly data: Uint8Array } | { readonly exceptionCode: number } | undefined;

export class Bus {
  readonly #client: InstanceType<typeof modbusSerial.default>;
  readonly #port: ModbusPort;
  readonly #clock: Clock;
  readonly #responseTimeoutMs: number;
  readonly #meters: ReadonlyMap<number, DeviceMeter>;
  readonly #onSuspect: (unitId: number) => void;
  /** By unit and function code. */
  readonly #guards = new Map<string, Guard>();
  #askedUnitId: number | undefined;

  constructor({ line, config, clock, meters, onLost, onSuspect }: BusOptions) {
    this.#clock = clock;
    this.#responseTimeoutMs = config.responseTimeoutMs;
    this.#meters = meters;
    this.#onSuspect = onSuspect;
    this.#port = new ModbusPort(line, config, clock);
    this.#port.onSkipped = (skipped) => this.#count(skipped);
    this.#port.onLost = onLost;
    this.#client = new modbusSerial.default(this.#port);
  }

  /** Rejects with the reason in words. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.open((thrown: unknown) => (thrown ? reject(new Error(messageOf(thrown))) : resolve()));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#client.close(() => resolve()));
  }

  /** How much to ask for now, so that no reply to another request can be taken for the answer. */
  choose({ read, padding, proven, good, block }: Entry): Choice {
    const { table, address, quantity } = read;
    // While a read is refused itself, nothing can be learnt of registers beside it.
    const mayTry = !padding.doubted && (good || !proven);
    // A search for the register that is refused goes on without a pause: until it ends, none of them has a value.
    const canWait = proven || block === undefined;
    const guarded = { table, address, quantity, padding, mayTry, canWait };
    return chooseQuantity(this.#guard(keyOf(read)), guarded, this.#clock.monotonicMs());
  }

  /** One request and what came of it. Data begins at the read's address. */
  async read(read: PollRead, quantity: number): Promise<ReadOutcome | BusClosed> {
    const { unitId, maxLateMs } = read.device;
    const functionCode = functionCodeOf(read.table);
    const byteCount = replyByteCount(read.table, quantity);
    const key = keyOf(read);
    const certain = isClear(this.#guard(key), this.#clock.monotonicMs());
    const meter = this.#meters.get(unitId);
    if (meter !== undefined) meter.requests += 1;
    this.#askedUnitId = unitId;
    let reply: Reply;
    const exchange = await this.#port.exchange(() => {
      this.#request(functionCode, unitId, read.address, quantity, (got) => {
        reply = got;
      });
    });
    const { atMs } = exchange;
    const expect = (change: typeof unanswered, bytes: number, untilMs: number) =>
      this.#guards.set(key, change(this.#guard(key), bytes, untilMs, atMs));
    if (exchange.kind === "closed") {
      expect(unanswered, byteCount, atMs + maxLateMs);
      return exchange;
    }
    const cause = exchange.kind === "silence" ? exchange.cause : "framing";
    if (exchange.kind === "silence" || reply === undefined) {
      expect(unanswered, byteCount, atMs + maxLateMs);
      countSilence(meter, cause);
      return { kind: "silence", cause, atMs };
    }
    meter?.replied(exchange.tookMs);
    if ("data" in reply) {
      expect(answered, byteCount, atMs + maxLateMs);
      return { kind: "data", data: reply.data, atMs };
    }
    if (meter !== undefined) meter.exceptions += 1;
    // An exception that answers an earlier request leaves the reply to this one on its way, perhaps a late one.
    expect(certain ? answered : unanswered, byteCount, atMs - exchange.tookMs + this.#responseTimeoutMs + maxLateMs);
    expect(answered, EXCEPTION_BYTE_COUNT, atMs + maxLateMs);
    return { kind: "exception", exceptionCode: reply.exceptionCode, certain, atMs };
  }

  #request(
    functionCode: ReadFunctionCode,
    unitId: number,
    address: number,
    quantity: number,
    done: (reply: Reply) => void,
  ): void {
    const callback = (thrown: unknown, result: { readonly buffer: Uint8Array } | undefined) =>
      done(thrown ? exceptionOf(thrown) : result && { data: result.buffer });
    this.#client[READ_METHODS[functionCode]](unitId, address, quantity, callback);
  }

  #guard(key: string): Guard {
    return this.#guards.get(key) ?? NO_REPLIES_EXPECTED;
  }

  /** A frame of a device of this line that nobody waits for is late; any other one is foreign. */
  #count({ strays }: Skipped): void {
    for (const stray of strays) {
      const own = this.#meters.get(stray.unitId);
      const asked = this.#meters.get(this.#askedUnitId ?? 0);
      if (own !== undefined) own.lateFrames += 1;
      else if (asked !== undefined) asked.foreignFrames += 1;
      this.#overhear(stray);
    }
  }

  #overhear({ unitId, functionCode, byteCount }: StrayFrame): void {
    const key = guardKey(unitId, functionCode);
    const guard = this.#guards.get(key);
    if (guard === undefined || byteCount === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    const next = overheard(guard, byteCount, nowMs);
    this.#guards.set(key, next);
    if (isSuspect(next, nowMs) && !isSuspect(guard, nowMs)) this.#onSuspect(unitId);
  }
}

function keyOf(read: PollRead): string {
  return guardKey(read.device.unitId, functionCodeOf(read.table));
}

function guardKey(unitId: number, functionCode: number): string {
  return `${unitId} ${functionCode}`;
}

function exceptionOf(thrown: unknown): Reply {
  if (typeof thrown !== "object" || thrown === null || !("modbusCode" in thrown)) return undefined;
  return typeof thrown.modbusCode === "number" ? { exceptionCode: thrown.modbusCode } : undefined;
}

function countSilence(meter: DeviceMeter | undefined, cause: "timeout" | "crc" | "framing"): void {
  if (meter === undefined) return;
  if (cause === "timeout") meter.timeouts += 1;
  else if (cause === "crc") meter.crcErrors += 1;
  else meter.framingErrors += 1;
}
