/**
 * All replies of a line that may still come: what each unit was asked for, and what it has said. It tells how much to ask
 * for and when, and the answer to a request from replies to others. Decided by reply-guard, write-guard and repeats.
 */
import type { LineConfig } from "../../config/config.ts";
import {
  type BusClosed,
  type BusOutcome,
  type BusRequest,
  pageWrite,
  type ReadRequest,
  requestFunctionCode,
} from "./bus-request.ts";
import type { StrayFrame } from "./frame-scanner.ts";
import type { Exchange } from "./modbus-port.ts";
import type { ReadEntry } from "./read-book.ts";
import { functionCodeOf, replyByteCount } from "./register-map.ts";
import { type HeardReply, heard, isDoubtful, NOTHING_HEARD, type Repeats } from "./repeats.ts";
import { crcOf, dataOf, exceptionCodeOf, identificationOf } from "./reply-frame.ts";
import {
  answered,
  type Choice,
  chooseQuantity,
  EXCEPTION_BYTE_COUNT,
  type Guard,
  isClear,
  isOnProbation,
  isOthers,
  isSuspect,
  NO_REPLIES_EXPECTED,
  othersAnswered,
  othersAsked,
  overheard,
  repliesUntilMs,
  unanswered,
} from "./reply-guard.ts";
import type { ReadOutcome } from "./verdict.ts";
import { clearAtMs, guardedRequest, isExceptionClear, NOTHING_WRITTEN, sent, type WriteGuard } from "./write-guard.ts";

/** Of a unit that is not configured, as where a line is scanned. */
const MAX_LATE_MS = 1_000;

/** The reply to another master comes sooner as a rule than it may: then so long until that is looked at again. */
const OTHERS_LOOK_MS = 30;

/** How much to ask for. */
export interface Ask extends Extract<Choice, { readonly kind: "ask" }> {
  /** The device takes no other quantity, so that copies of its replies are hard to tell. */
  readonly alone: boolean;
}

export type Wait = Extract<Choice, { readonly kind: "wait" }>;

/** A request about to go. */
export interface Outset {
  /** An exception that comes answers this request, and none before it. */
  readonly certain: boolean;
  readonly atMs: number;
}

/** What copies of a read's replies are told by. */
export interface ReadPlace {
  /** Its address, and what was written before. */
  readonly place: string;
  readonly alone: boolean;
}

export class ReplyBook {
  readonly #responseTimeoutMs: number;
  readonly #maxLateMs: ReadonlyMap<number, number>;
  /** By unit and function code. */
  readonly #guards = new Map<string, Guard>();
  readonly #repeats = new Map<string, Repeats>();
  /** By unit: of everything but reads. */
  readonly #writeGuards = new Map<number, WriteGuard>();

  constructor({ responseTimeoutMs, devices }: LineConfig) {
    this.#responseTimeoutMs = responseTimeoutMs;
    this.#maxLateMs = new Map(devices.map(({ unitId, maxLateMs }) => [unitId, maxLateMs]));
  }

  /** How much to ask for now, so that no reply to another request can be taken for the answer. */
  choose({ read, padding, proven, good, block }: ReadEntry, nowMs: number): Ask | Wait {
    const page = pageWrite(read);
    const pageClearMs = page === undefined ? nowMs : this.clearAtMs(page, nowMs);
    if (pageClearMs > nowMs) return { kind: "wait", untilMs: pageClearMs };
    const { device, table, address, quantity } = read;
    // While a read is refused itself, nothing can be learnt of registers beside it.
    const mayTry = !padding.doubted && (good || !proven);
    // A search for the register that is refused goes on without a pause: until it ends, none of them has a value.
    const canWait = proven || block === undefined;
    const guard = this.#guard(guardKey(device.unitId, functionCodeOf(table)));
    const choice = chooseQuantity(guard, { table, address, quantity, padding, mayTry, canWait }, nowMs);
    const alone = padding.steps === 0 || (padding.doubted && padding.provenSteps === 0);
    if (choice.kind === "ask") return { ...choice, alone };
    const { untilMs } = choice;
    return { kind: "wait", untilMs: guard.others.length > 0 ? Math.min(untilMs, nowMs + OTHERS_LOOK_MS) : untilMs };
  }

  /** From when on no reply to an earlier request can be taken for that to this one. */
  clearAtMs(request: BusRequest, nowMs: number): number {
    if (request.kind !== "read") return clearAtMs(this.#writeGuard(request.unitId), guardedRequest(request), nowMs);
    const byteCount = replyByteCount(request.table, request.quantity);
    return Math.max(nowMs, repliesUntilMs(this.#guard(keyOf(request)), byteCount, nowMs));
  }

  /** To be asked for right before the request goes, and given back with what came of it. */
  outset(request: BusRequest, nowMs: number): Outset {
    const certain =
      request.kind === "read"
        ? isClear(this.#guard(keyOf(request)), nowMs)
        : isExceptionClear(this.#writeGuard(request.unitId), requestFunctionCode(request), nowMs);
    return { certain, atMs: nowMs };
  }

  /** What came of a read. */
  settleRead(
    request: ReadRequest,
    { place, alone }: ReadPlace,
    outset: Outset,
    exchange: Exchange,
  ): ReadOutcome | BusClosed {
    const { atMs } = exchange;
    const byteCount = replyByteCount(request.table, request.quantity);
    const key = keyOf(request);
    const maxLateMs = this.#maxLateOf(request.unitId);
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
      if (
        this.#isOthers(key, byteCount, atMs) ||
        this.#isCopy(key, { place, data, crc: crcOf(exchange.frame), trusted }, atMs, maxLateMs)
      ) {
        expect(unanswered, byteCount, replyUntilMs);
        return { kind: "copy", atMs };
      }
      expect(answered, byteCount, atMs + maxLateMs);
      return { kind: "data", data, atMs };
    }
    // Another master may have asked meanwhile.
    const certain = outset.certain && isClear(this.#guard(key), atMs);
    expect(certain ? answered : unanswered, byteCount, replyUntilMs);
    expect(answered, EXCEPTION_BYTE_COUNT, atMs + maxLateMs);
    return { kind: "exception", exceptionCode, certain, atMs };
  }

  /** What came of any other request. */
  settle(
    request: Exclude<BusRequest, ReadRequest>,
    { certain, atMs: beganMs }: Outset,
    exchange: Exchange,
  ): BusOutcome {
    const { unitId } = request;
    const { atMs } = exchange;
    const exceptionCode = exchange.kind === "frame" ? exceptionCodeOf(exchange.frame) : undefined;
    const isAnswered = exchange.kind === "frame" && (exceptionCode === undefined || certain);
    // So one that is repeated every maxLate need not wait for its own copy.
    const untilMs = (isAnswered ? beganMs : atMs + this.#responseTimeoutMs) + this.#maxLateOf(unitId);
    this.#writeGuards.set(unitId, sent(this.#writeGuard(unitId), guardedRequest(request), isAnswered, untilMs, atMs));
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

  /** A frame came that nobody waits for. Returns whether no request explains it, for the first time in a while. */
  overhear({ unitId, functionCode, byteCount, awaitedByteCount }: StrayFrame, nowMs: number): boolean {
    const key = guardKey(unitId, functionCode);
    if (awaitedByteCount !== undefined) {
      const untilMs = nowMs + this.#responseTimeoutMs + this.#maxLateOf(unitId);
      this.#guards.set(key, othersAsked(this.#guard(key), awaitedByteCount, untilMs, nowMs));
    }
    const guard = this.#guards.get(key);
    if (guard === undefined || byteCount === undefined) return false;
    const next = overheard(guard, byteCount, nowMs);
    this.#guards.set(key, next);
    return isSuspect(next, nowMs) && !isSuspect(guard, nowMs);
  }

  /** Whether another master asked for the same meanwhile. One of the two replies is still to come then. */
  #isOthers(key: string, byteCount: number, atMs: number): boolean {
    const guard = this.#guard(key);
    if (!isOthers(guard, byteCount, atMs)) return false;
    this.#guards.set(key, othersAnswered(guard, byteCount));
    return true;
  }

  #isCopy(key: string, reply: HeardReply, atMs: number, maxLateMs: number): boolean {
    const repeats = this.#repeats.get(key) ?? NOTHING_HEARD;
    if (isDoubtful(repeats, reply, atMs)) return true;
    this.#repeats.set(key, heard(repeats, reply, atMs + maxLateMs, atMs));
    return false;
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
}

function keyOf({ unitId, table }: ReadRequest): string {
  return guardKey(unitId, functionCodeOf(table));
}

function guardKey(unitId: number, functionCode: number): string {
  return `${unitId} ${functionCode}`;
}
