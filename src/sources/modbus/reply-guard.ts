/**
 * Keeps replies to earlier requests from being taken for the answer to a later one. A read's reply carries no address
 * and no number: unit, function and byte count are all that tells one from another. So a request asks for a quantity
 * whose byte count no reply still under way can have, or waits until none can come any more. Pure.
 *
 * - Late: what an unanswered request expects is never expected again within maxLate.
 * - Twice: what was answered within maxLate is expected again only where nothing else can be asked. A unit and function
 *   are *watched* for maxLate from their first reply on, and *suspect* for a time after a reply came that no unanswered
 *   request explains; then a request rather waits. So a unit that doubles every reply is found out while it is watched.
 *
 * - Another master's: what its request asks for is not expected until its reply has gone by, or can come no more.
 *
 * Where a length had to be expected again, repeats.ts compares bytes: a copy of what was heard is not taken for news.
 *
 * What remains: the first reply of a unit that comes twice, while the unit is neither watched nor suspect, and that comes
 * while its own read is waited for again, in the very moment in which the register changes. It must say the same as the
 * two reads before, or, of a device that takes no other length and has been sound for a minute, as the one before. Then
 * the value told last is told once more. Where such a device is asked for the same length elsewhere without a pause, the
 * reply thus displaced can be taken for that one's, until it meets a pause.
 */
import type { RegisterTable } from "../../config/config.ts";
import { assert } from "../../core/errors.ts";
import type { Padding } from "./padding.ts";
import { isBitTable, paddingStep, replyByteCount } from "./register-map.ts";

/** A unit that no reply came from twice in so long is trusted a little more, where doubting it would cost it its pace. */
const PROBATION_MS = 60_000;

/** A unit that was heard twice is taken to do so again for so long. */
export const SUSPECT_MS = 600_000;

/** More requests than other masters have under way at a time; of those that nobody answers the oldest are forgotten. */
const OTHERS_MAX = 64;

/** An exception has no data, whatever was asked. */
export const EXCEPTION_BYTE_COUNT = 0;

/** A reply that may still come, and until when. */
interface Expected {
  readonly byteCount: number;
  readonly untilMs: number;
}

interface Unanswered extends Expected {
  /** Its late reply has come: one more is a second one. */
  readonly arrived: boolean;
}

/** What is known of one unit and function. */
export interface Guard {
  /** Requests without a reply. */
  readonly unanswered: readonly Unanswered[];
  /** Answered ones, the last of each byte count: their replies can come twice. */
  readonly answered: readonly Expected[];
  /** Another master's requests that were heard, oldest first: one that it repeats can be answered twice. */
  readonly others: readonly Expected[];
  /** undefined: nothing was answered yet. */
  readonly watchedUntilMs: number | undefined;
  readonly suspectUntilMs: number;
}

export const NO_REPLIES_EXPECTED: Guard = {
  unanswered: [],
  answered: [],
  others: [],
  watchedUntilMs: undefined,
  suspectUntilMs: Number.NEGATIVE_INFINITY,
};

export interface GuardedRead {
  readonly table: RegisterTable;
  readonly address: number;
  readonly quantity: number;
  readonly padding: Padding;
  /** Unknown registers may be asked for where nothing forces us to. */
  readonly mayTry: boolean;
  /** It may wait while the unit is watched. */
  readonly canWait: boolean;
}

export type Choice =
  /** `trial`: some registers are unknown, and something known could have been asked instead. */
  | { readonly kind: "ask"; readonly quantity: number; readonly trial?: true }
  | { readonly kind: "wait"; readonly untilMs: number };

interface Candidate {
  readonly quantity: number;
  readonly byteCount: number;
  readonly isKnown: boolean;
  /** 0: no such request, or long ago. */
  readonly unansweredUntilMs: number;
  readonly answeredUntilMs: number;
}

/**
 * Of the quantities whose reply is not awaited, those go first that were not answered lately, and of these what is known
 * to be readable; then the one that was answered longest ago.
 */
export function chooseQuantity(guard: Guard, read: GuardedRead, nowMs: number): Choice {
  const strict = isSuspect(guard, nowMs) || (read.canWait && nowMs < (guard.watchedUntilMs ?? nowMs));
  const candidates = candidatesOf(guard, read, nowMs);
  const free = candidates.filter((c) => c.unansweredUntilMs === 0);
  const isForced = !free.some((c) => c.isKnown);
  const mayTry = read.mayTry || isForced;
  const [best] = free
    .filter((c) => !strict || (c.answeredUntilMs === 0 && (c.isKnown || mayTry)))
    .sort((a, b) => rank(a, mayTry) - rank(b, mayTry) || a.answeredUntilMs - b.answeredUntilMs);
  if (best === undefined) return { kind: "wait", untilMs: freeAgainMs(candidates, strict) };
  const { quantity } = best;
  return best.isKnown || isForced ? { kind: "ask", quantity } : { kind: "ask", quantity, trial: true };
}

export function unanswered(guard: Guard, byteCount: number, untilMs: number, nowMs: number): Guard {
  const others = guard.unanswered.filter((e) => e.untilMs > nowMs);
  return { ...guard, unanswered: [...others, { byteCount, untilMs, arrived: false }] };
}

export function answered(guard: Guard, byteCount: number, untilMs: number, nowMs: number): Guard {
  const others = guard.answered.filter((e) => e.untilMs > nowMs && e.byteCount !== byteCount);
  const watchedUntilMs = guard.watchedUntilMs ?? untilMs;
  return { ...guard, watchedUntilMs, answered: [...others, { byteCount, untilMs }] };
}

/** Another master asks the same. */
export function othersAsked(guard: Guard, byteCount: number, untilMs: number, nowMs: number): Guard {
  const others = guard.others.filter((e) => e.untilMs > nowMs).slice(1 - OTHERS_MAX);
  return { ...guard, others: [...others, { byteCount, untilMs }] };
}

/** A reply with so many bytes may be that to another master. None is asked for then, so that one asked meanwhile. */
export function isOthers(guard: Guard, byteCount: number, nowMs: number): boolean {
  return latestMs(guard.others, byteCount, nowMs) > 0;
}

/** That reply has come, or ours in its place, which is as good: one of the two is still to come. */
export function othersAnswered(guard: Guard, byteCount: number): Guard {
  const first = guard.others.findIndex((e) => e.byteCount === byteCount);
  return { ...guard, others: guard.others.filter((_, index) => index !== first) };
}

/**
 * A reply came that nobody here waits for. Late ones were expected, each once, and those to another master; any other
 * makes the unit suspect.
 */
export function overheard(guard: Guard, byteCount: number, nowMs: number): Guard {
  const explained = guard.unanswered.find(
    (e) => !e.arrived && e.untilMs > nowMs && (e.byteCount === byteCount || byteCount === EXCEPTION_BYTE_COUNT),
  );
  const toOther = guard.others.find(
    (e) => e.untilMs > nowMs && (e.byteCount === byteCount || byteCount === EXCEPTION_BYTE_COUNT),
  );
  if (explained === undefined && toOther !== undefined) return othersAnswered(guard, toOther.byteCount);
  if (explained === undefined) return { ...guard, suspectUntilMs: nowMs + SUSPECT_MS };
  const marked = guard.unanswered.map((e) => (e === explained ? { ...e, arrived: true } : e));
  return { ...guard, unanswered: marked };
}

/** Until when a reply with so many bytes to an earlier request may come, late or a second time; 0: none may. */
export function repliesUntilMs(guard: Guard, byteCount: number, nowMs: number): number {
  const all = [...guard.unanswered, ...guard.answered, ...guard.others];
  return latestMs(all, byteCount, nowMs);
}

export function isOnProbation(guard: Guard, nowMs: number): boolean {
  return nowMs < (guard.watchedUntilMs ?? nowMs) + PROBATION_MS;
}

export function isSuspect(guard: Guard, nowMs: number): boolean {
  return nowMs < guard.suspectUntilMs;
}

/** An exception that comes now answers the request that is asked now, and none before it. */
export function isClear(guard: Guard, nowMs: number): boolean {
  const canComeTwice = isSuspect(guard, nowMs) ? latestMs(guard.answered, EXCEPTION_BYTE_COUNT, nowMs) > 0 : false;
  return !canComeTwice && [...guard.unanswered, ...guard.others].every((e) => e.untilMs <= nowMs);
}

function candidatesOf(guard: Guard, read: GuardedRead, nowMs: number): readonly Candidate[] {
  const pending = [...guard.unanswered, ...guard.others].filter((e) => e.untilMs > nowMs);
  const { stride } = read.padding;
  const all = Array.from({ length: Math.floor(read.padding.steps / stride) + 1 }, (_, index): Candidate => {
    const step = index * stride;
    const quantity = read.quantity + step * paddingStep(read.table);
    const byteCount = replyByteCount(read.table, quantity);
    const isKnown = step <= read.padding.provenSteps;
    const unansweredUntilMs = latestMs(pending, byteCount, nowMs);
    const answeredUntilMs = latestMs(guard.answered, byteCount, nowMs);
    return { quantity, byteCount, isKnown, unansweredUntilMs, answeredUntilMs };
  });
  const tellable = all.filter(({ byteCount }) => !echoLooksLikeReply(read, byteCount));
  return tellable.length > 0 ? tellable : all;
}

function rank({ isKnown, answeredUntilMs }: Candidate, mayTry: boolean): number {
  if (isKnown) return answeredUntilMs === 0 ? 0 : 2;
  if (answeredUntilMs > 0) return 4;
  return mayTry ? 1 : 3;
}

function freeAgainMs(candidates: readonly Candidate[], strict: boolean): number {
  const times = candidates.map((c) => Math.max(c.unansweredUntilMs, strict ? c.answeredUntilMs : 0));
  const untilMs = Math.min(...times.filter((ms) => ms > 0));
  assert(Number.isFinite(untilMs), "a wait for nothing");
  return untilMs;
}

/** 0: none that may still come. */
function latestMs(expected: readonly Expected[], byteCount: number, nowMs: number): number {
  return Math.max(0, ...expected.filter((e) => e.byteCount === byteCount && e.untilMs > nowMs).map((e) => e.untilMs));
}

/**
 * Reading 17 to 24 bits, the request has the length of the reply; where the high byte of the address is 3, also its
 * byte count. On an adapter that hears itself neither could be told from the other.
 */
function echoLooksLikeReply(read: GuardedRead, byteCount: number): boolean {
  return isBitTable(read.table) && byteCount === 3 && read.address >> 8 === 3;
}
