/** One line's requests and replies: modbus-serial for the PDUs, our port for the frames, the guard against late replies. */
import modbusSerial from "modbus-serial";
import type { LineConfig } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Skipped } from "./frame-scanner.ts";
import type { DeviceMeter } from "./line-meter.ts";
import { ModbusPort } from "./modbus-port.ts";
import type { PollRead } from "./poll-plan.ts";
import type { Entry } from "./read-book.ts";
import { functionCodeOf, type ReadFunctionCode, replyByteCount } from "./register-map.ts";
import {
  answered,
  type Choice,
  chooseQuantity,
  type Guard,
  isClear,
  NO_REPLIES_EXPECTED,
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
  /** By unit and function code. */
  readonly #guards = new Map<string, Guard>();
  #askedUnitId: number | undefined;

  constructor({ line, config, clock, meters, onLost }: BusOptions) {
    this.#clock = clock;
    this.#responseTimeoutMs = config.responseTimeoutMs;
    this.#meters = meters;
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

  /** How much to ask for now, so that no late reply can be taken for the answer. */
  choose(read: PollRead, padding: Entry["padding"]): Choice {
    const guarded = {
      ...read,
      paddingSteps: padding === "refused" ? 0 : read.paddingSteps,
      paddingKnown: read.paddingKnown || padding === "proven",
    };
    return chooseQuantity(this.#guard(read), guarded, this.#clock.monotonicMs());
  }

  /** One request and what came of it. Data begins at the read's address. */
  async read(read: PollRead, quantity: number): Promise<ReadOutcome | BusClosed> {
    const { unitId, maxLateMs } = read.device;
    const functionCode = functionCodeOf(read.table);
    const byteCount = replyByteCount(read.table, quantity);
    const certain = isClear(this.#guard(read), this.#clock.monotonicMs());
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
    const mayStillCome = (latestMs: number) =>
      this.#expect(read, unanswered(this.#guard(read), byteCount, latestMs, atMs));
    if (exchange.kind === "closed") {
      mayStillCome(atMs + maxLateMs);
      return exchange;
    }
    const cause = exchange.kind === "silence" ? exchange.cause : "framing";
    if (exchange.kind === "silence" || reply === undefined) {
      mayStillCome(atMs + maxLateMs);
      countSilence(meter, cause);
      return { kind: "silence", cause, atMs };
    }
    meter?.replied(exchange.tookMs);
    if ("data" in reply) {
      this.#expect(read, answered(this.#guard(read), byteCount, atMs + maxLateMs, atMs));
      return { kind: "data", data: reply.data, atMs };
    }
    if (meter !== undefined) meter.exceptions += 1;
    // Its own reply is late only after responseTimeout, which may lie ahead.
    if (!certain) mayStillCome(atMs - exchange.tookMs + this.#responseTimeoutMs + maxLateMs);
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

  #guard(read: PollRead): Guard {
    return this.#guards.get(guardKey(read)) ?? NO_REPLIES_EXPECTED;
  }

  #expect(read: PollRead, guard: Guard): void {
    this.#guards.set(guardKey(read), guard);
  }

  /** A frame of a device of this line that nobody waits for is late; any other one is foreign. */
  #count({ strays }: Skipped): void {
    for (const { unitId } of strays) {
      const own = this.#meters.get(unitId);
      const asked = this.#meters.get(this.#askedUnitId ?? 0);
      if (own !== undefined) own.lateFrames += 1;
      else if (asked !== undefined) asked.foreignFrames += 1;
    }
  }
}

function guardKey(read: PollRead): string {
  return `${read.device.unitId} ${functionCodeOf(read.table)}`;
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
