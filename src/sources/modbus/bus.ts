/** One line's requests and replies: modbus-serial for the PDUs, our port for the frames, the guard against late replies. */
import modbusSerial from "modbus-serial";
import type { LineConfig } from "../../config/config.ts";
import { type Clock, sleep } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import {
  assertRequest,
  type BusOutcome,
  type BusRequest,
  identificationOf,
  isMirrored,
  type ReadRequest,
} from "./bus-request.ts";
import { CRC_BYTES } from "./crc16.ts";
import { EXCEPTION_BIT, HEADER_BYTES } from "./expectation.ts";
import type { Skipped, StrayFrame } from "./frame-scanner.ts";
import type { DeviceMeter, StrayMeter } from "./line-meter.ts";
import { type Exchange, ModbusPort } from "./modbus-port.ts";
import type { PollRead } from "./poll-plan.ts";
import type { Entry } from "./read-book.ts";
import { functionCodeOf, replyByteCount } from "./register-map.ts";
import { type HeardReply, heard, isDoubtful, NOTHING_HEARD, type Repeats } from "./repeats.ts";
import {
  answered,
  type Choice,
  chooseQuantity,
  EXCEPTION_BYTE_COUNT,
  type Guard,
  isClear,
  isOnProbation,
  isSuspect,
  NO_REPLIES_EXPECTED,
  overheard,
  repliesUntilMs,
  unanswered,
} from "./reply-guard.ts";
import { writeRequest } from "./request-writer.ts";
import type { SerialLine } from "./serial-line.ts";
import type { ReadOutcome } from "./verdict.ts";
import {
  clearAtMs,
  type GuardedRequest,
  guardedRequest,
  isExceptionClear,
  NOTHING_WRITTEN,
  sent,
  type WriteGuard,
} from "./write-guard.ts";

export interface BusOptions {
  readonly line: SerialLine;
  readonly config: LineConfig;
  readonly clock: Clock;
  /** By unit id: the devices of this line. */
  readonly meters: ReadonlyMap<number, DeviceMeter>;
  /** Of the line: what belongs to none of them. */
  readonly strayMeter?: StrayMeter;
  readonly onLost: (reason: string) => void;
  /** Replies of this unit come that no request explains: from now on it is asked with more care, and less often. */
  readonly onSuspect: (unitId: number) => void;
}

/** Of a unit that is not configured, as where a line is scanned. */
const MAX_LATE_MS = 1_000;

/** Reads of one register, to hear whether the adapter hears itself. */
const LISTENING_READS_MAX = 2;

/** The port is gone, or was closed. */
export interface BusClosed {
  readonly kind: "closed";
  readonly reason: string;
  readonly atMs: number;
}

/** `alone`: the device takes no other quantity, so that copies of its replies are hard to tell. */
export type BusChoice =
  | (Extract<Choice, { readonly kind: "ask" }> & { readonly alone: boolean })
  | Extract<Choice, { readonly kind: "wait" }>;

type RegisterWrite = Extract<BusRequest, { readonly kind: "writeRegister" }>;
type Reply = Exclude<Exchange, { readonly kind: "closed" }>;

export class Bus {
  readonly #client: InstanceType<typeof modbusSerial.default>;
  readonly #port: ModbusPort;
  readonly #clock: Clock;
  readonly #responseTimeoutMs: number;
  readonly #meters: ReadonlyMap<number, DeviceMeter>;
  readonly #strayMeter: StrayMeter | undefined;
  readonly #onSuspect: (unitId: number) => void;
  /** By unit and function code. */
  readonly #guards = new Map<string, Guard>();
  readonly #repeats = new Map<string, Repeats>();
  /** By unit: of everything but reads. */
  readonly #writeGuards = new Map<number, WriteGuard>();
  readonly #maxLateMs: ReadonlyMap<number, number>;
  #askedUnitId: number | undefined;

  constructor({ line, config, clock, meters, strayMeter, onLost, onSuspect }: BusOptions) {
    this.#clock = clock;
    this.#responseTimeoutMs = config.responseTimeoutMs;
    this.#maxLateMs = new Map(config.devices.map(({ unitId, maxLateMs }) => [unitId, maxLateMs]));
    this.#meters = meters;
    this.#strayMeter = strayMeter;
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
  choose({ read, padding, proven, good, block }: Entry): BusChoice {
    const nowMs = this.#clock.monotonicMs();
    const page = pageOf(read);
    const pageClearMs = page === undefined ? nowMs : this.clearAtMs(page);
    if (pageClearMs > nowMs) return { kind: "wait", untilMs: pageClearMs };
    const { table, address, quantity } = read;
    // While a read is refused itself, nothing can be learnt of registers beside it.
    const mayTry = !padding.doubted && (good || !proven);
    // A search for the register that is refused goes on without a pause: until it ends, none of them has a value.
    const canWait = proven || block === undefined;
    const guarded = { table, address, quantity, padding, mayTry, canWait };
    const choice = chooseQuantity(this.#guard(keyOf(read)), guarded, nowMs);
    const alone = padding.steps === 0 || (padding.doubted && padding.provenSteps === 0);
    return choice.kind === "ask" ? { ...choice, alone } : choice;
  }

  /**
   * One request, behind its write where it needs one, and what came of it. Data begins at the read's address.
   *
   * @param alone the device takes no other quantity
   */
  async read(read: PollRead, quantity: number, alone: boolean): Promise<ReadOutcome | BusClosed> {
    const { device, table, address } = read;
    const page = pageOf(read);
    const unpaged = page === undefined ? undefined : await this.#turn(page);
    const request: ReadRequest = { kind: "read", unitId: device.unitId, table, address, quantity };
    return unpaged ?? this.#read(request, `${page?.address}=${page?.value} ${address}`, alone);
  }

  /** From when on no reply to an earlier request can be taken for that to this one. */
  clearAtMs(request: BusRequest): number {
    const nowMs = this.#clock.monotonicMs();
    if (request.kind !== "read") return clearAtMs(this.#writeGuard(request.unitId), guardedRequest(request), nowMs);
    const { unitId, table, quantity } = request;
    const guard = this.#guard(guardKey(unitId, functionCodeOf(table)));
    return Math.max(nowMs, repliesUntilMs(guard, replyByteCount(table, quantity), nowMs));
  }

  /**
   * Any request, once, and what came of it. It waits until it is clear, `maxLate` at the longest; who has something
   * else to do meanwhile asks clearAtMs before. One at a time, as reads.
   */
  async execute(request: BusRequest): Promise<BusOutcome> {
    assertRequest(request);
    const unheard = isMirrored(request) ? await this.#listen(request) : undefined;
    if (unheard !== undefined) return unheard;
    await this.#untilClear(request);
    return request.kind === "read" ? this.#read(request) : this.#change(request);
  }

  async #read(request: ReadRequest, place = `${request.address}`, alone = false): Promise<ReadOutcome | BusClosed> {
    const { unitId, table, quantity } = request;
    const byteCount = replyByteCount(table, quantity);
    const key = guardKey(unitId, functionCodeOf(table));
    const maxLateMs = this.#maxLateOf(unitId);
    const certain = isClear(this.#guard(key), this.#clock.monotonicMs());
    const exchange = await this.#exchange(request);
    const { atMs } = exchange;
    const expect = (change: typeof unanswered, bytes: number, untilMs: number) =>
      this.#guards.set(key, change(this.#guard(key), bytes, untilMs, atMs));
    if (exchange.kind !== "frame") {
      expect(unanswered, byteCount, atMs + maxLateMs);
      return exchange;
    }
    const exceptionCode = exceptionCodeOf(exchange.frame);
    // An answer to an earlier request leaves the reply to this one on its way, perhaps a late one.
    const replyUntilMs = atMs - exchange.tookMs + this.#responseTimeoutMs + maxLateMs;
    if (exceptionCode === undefined) {
      const data = dataOf(exchange.frame);
      const trusted = alone && !isOnProbation(this.#guard(key), atMs);
      if (this.#isCopy(key, { place, data, crc: crcOf(exchange.frame), trusted }, atMs, maxLateMs)) {
        expect(unanswered, byteCount, replyUntilMs);
        return { kind: "copy", atMs };
      }
      expect(answered, byteCount, atMs + maxLateMs);
      return { kind: "data", data, atMs };
    }
    expect(certain ? answered : unanswered, byteCount, replyUntilMs);
    expect(answered, EXCEPTION_BYTE_COUNT, atMs + maxLateMs);
    return { kind: "exception", exceptionCode, certain, atMs };
  }

  /** Writes what a read needs before it; undefined: it may be read. */
  async #turn(page: RegisterWrite): Promise<ReadOutcome | BusClosed | undefined> {
    const outcome = await this.execute(page);
    if (outcome.kind === "exception" || outcome.kind === "silence") return { ...outcome, writing: true };
    return outcome.kind === "closed" ? outcome : undefined;
  }

  #isCopy(key: string, reply: HeardReply, atMs: number, maxLateMs: number): boolean {
    const repeats = this.#repeats.get(key) ?? NOTHING_HEARD;
    if (isDoubtful(repeats, reply, atMs)) return true;
    this.#repeats.set(key, heard(repeats, reply, atMs + maxLateMs, atMs));
    return false;
  }

  async #change(request: Exclude<BusRequest, ReadRequest>): Promise<BusOutcome> {
    const { unitId } = request;
    const guarded: GuardedRequest = guardedRequest(request);
    const beganMs = this.#clock.monotonicMs();
    const certain = isExceptionClear(this.#writeGuard(unitId), guarded.functionCode, beganMs);
    const exchange = await this.#exchange(request);
    const { atMs } = exchange;
    const exceptionCode = exchange.kind === "frame" ? exceptionCodeOf(exchange.frame) : undefined;
    const isAnswered = exchange.kind === "frame" && (exceptionCode === undefined || certain);
    // So one that is repeated every maxLate need not wait for its own copy.
    const untilMs = (isAnswered ? beganMs : atMs + this.#responseTimeoutMs) + this.#maxLateOf(unitId);
    this.#writeGuards.set(unitId, sent(this.#writeGuard(unitId), guarded, isAnswered, untilMs, atMs));
    if (exchange.kind !== "frame") return exchange;
    if (exceptionCode !== undefined) return { kind: "exception", exceptionCode, certain, atMs };
    switch (request.kind) {
      case "writeThenRead":
      case "serverId":
        return { kind: "data", data: dataOf(exchange.frame), atMs };
      case "identification":
        return { kind: "identified", identification: identificationOf(exchange.frame), atMs };
      default:
        return { kind: "written", atMs };
    }
  }

  /**
   * Where the reply is equal to the request, it must be known before whether the adapter hears itself. A read of the
   * same place tells; what does not answer a read is not written to.
   */
  async #listen(request: BusRequest & { readonly address?: number }): Promise<BusOutcome | undefined> {
    const table = request.kind === "writeCoil" ? "coil" : "holdingRegister";
    const read: ReadRequest = {
      kind: "read",
      unitId: request.unitId,
      table,
      address: request.address ?? 0,
      quantity: 1,
    };
    for (let reads = 0; this.#port.hearsItself === undefined; reads++) {
      if (reads === LISTENING_READS_MAX) return { kind: "silence", cause: "framing", atMs: this.#clock.monotonicMs() };
      await this.#untilClear(read);
      const outcome = await this.#read(read);
      if (outcome.kind === "silence" || outcome.kind === "closed") return outcome;
    }
    return undefined;
  }

  async #untilClear(request: BusRequest): Promise<void> {
    const waitMs = this.clearAtMs(request) - this.#clock.monotonicMs();
    if (waitMs > 0) await sleep(this.#clock, waitMs);
  }

  /** The frame on the wire and what came back, counted. */
  async #exchange(request: BusRequest): Promise<Exchange> {
    const meter = this.#meters.get(request.unitId);
    if (meter !== undefined) meter.requests += 1;
    this.#askedUnitId = request.unitId;
    let refused = false;
    const exchange = await this.#port.exchange(() => {
      writeRequest(this.#client, this.#port, request, (thrown) => {
        refused = isRefusal(thrown);
      });
    });
    const { atMs } = exchange;
    if (exchange.kind === "closed") return exchange;
    const reply: Reply = refused ? { kind: "silence", cause: "framing", atMs } : exchange;
    if (reply.kind === "silence") countSilence(meter, reply.cause);
    else {
      meter?.replied(reply.tookMs);
      if (meter !== undefined && exceptionCodeOf(reply.frame) !== undefined) meter.exceptions += 1;
    }
    return reply;
  }

  #maxLateOf(unitId: number): number {
    return this.#maxLateMs.get(unitId) ?? MAX_LATE_MS;
  }

  #writeGuard(unitId: number): WriteGuard {
    return this.#writeGuards.get(unitId) ?? NOTHING_WRITTEN;
  }

  #guard(key: string): Guard {
    return this.#guards.get(key) ?? NO_REPLIES_EXPECTED;
  }

  /** A frame of a device of this line that nobody waits for is late; any other one is foreign. */
  #count({ strays, noiseBytes }: Skipped): void {
    if (this.#strayMeter !== undefined) {
      this.#strayMeter.noiseBytes += noiseBytes;
      this.#strayMeter.foreignFrames += strays.filter(({ unitId }) => !this.#meters.has(unitId)).length;
    }
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

function pageOf({ device, writeFirst }: PollRead): RegisterWrite | undefined {
  return writeFirst && { kind: "writeRegister", unitId: device.unitId, ...writeFirst };
}

function keyOf(read: PollRead): string {
  return guardKey(read.device.unitId, functionCodeOf(read.table));
}

function guardKey(unitId: number, functionCode: number): string {
  return `${unitId} ${functionCode}`;
}

/** undefined: it is no exception. */
function exceptionCodeOf(frame: Uint8Array): number | undefined {
  const [, functionCode = 0, exceptionCode = 0] = frame;
  return functionCode >= EXCEPTION_BIT ? exceptionCode : undefined;
}

function crcOf(frame: Uint8Array): number {
  const [low = 0, high = 0] = frame.subarray(-CRC_BYTES);
  return (high << 8) | low;
}

/** Of a frame that tells how many bytes of data it has. */
function dataOf(frame: Uint8Array): Uint8Array {
  return frame.subarray(HEADER_BYTES, frame.length - CRC_BYTES);
}

/** modbus-serial found something wrong with a frame that we took for the answer; exceptions are no such thing. */
function isRefusal(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && !("modbusCode" in thrown);
}

function countSilence(meter: DeviceMeter | undefined, cause: "timeout" | "crc" | "framing"): void {
  if (meter === undefined) return;
  if (cause === "timeout") meter.timeouts += 1;
  else if (cause === "crc") meter.crcErrors += 1;
  else meter.framingErrors += 1;
}
