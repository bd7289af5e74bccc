/**
 * Keeps late replies from being taken for the answer to a later request. A read's reply carries no address and no
 * number: unit, function and byte count are all that tells one from another. So a request asks for a quantity whose
 * byte count no reply still under way can have, or waits until none can come any more. Pure.
 */
import type { RegisterTable } from "../../config/config.ts";
import { isBitTable, paddingStep, replyByteCount } from "./register-map.ts";

/** A reply that may still come, and until when. */
interface Expected {
  readonly byteCount: number;
  readonly untilMs: number;
}

/** What is known of one unit and function. */
export interface Guard {
  /** Requests without a reply. */
  readonly unanswered: readonly Expected[];
  /** Answered ones, the last of each byte count: their replies can come twice. */
  readonly answered: readonly Expected[];
}

export const NO_REPLIES_EXPECTED: Guard = { unanswered: [], answered: [] };

export interface GuardedRead {
  readonly table: RegisterTable;
  readonly address: number;
  readonly quantity: number;
  readonly paddingSteps: number;
  readonly paddingKnown: boolean;
}

export type Choice =
  | { readonly kind: "ask"; readonly quantity: number }
  | { readonly kind: "wait"; readonly untilMs: number };

/**
 * What an unanswered request expects is never expected again while it may come. Of what remains the read itself and
 * registers known to be readable go first, and of these the byte count that was answered longest ago.
 */
export function chooseQuantity(guard: Guard, read: GuardedRead, nowMs: number): Choice {
  const pending = guard.unanswered.filter((e) => e.untilMs > nowMs);
  const knownSteps = read.paddingKnown ? 1 : 0;
  const candidates = Array.from({ length: read.paddingSteps + 1 }, (_, step) => {
    const quantity = read.quantity + step * paddingStep(read.table);
    const byteCount = replyByteCount(read.table, quantity);
    const answeredMs = guard.answered.find((e) => e.byteCount === byteCount && e.untilMs > nowMs)?.untilMs ?? 0;
    return { quantity, byteCount, answeredMs, risk: step > knownSteps ? 1 : 0 };
  });
  const [best] = candidates
    .filter(({ byteCount }) => !pending.some((e) => e.byteCount === byteCount) && !echoLooksLikeReply(read, byteCount))
    .sort((a, b) => a.risk - b.risk || a.answeredMs - b.answeredMs);
  if (best !== undefined) return { kind: "ask", quantity: best.quantity };
  if (pending.length === 0) return { kind: "ask", quantity: read.quantity };
  return { kind: "wait", untilMs: Math.min(...pending.map((e) => e.untilMs)) };
}

export function unanswered(guard: Guard, byteCount: number, untilMs: number, nowMs: number): Guard {
  return { ...guard, unanswered: [...guard.unanswered.filter((e) => e.untilMs > nowMs), { byteCount, untilMs }] };
}

export function answered(guard: Guard, byteCount: number, untilMs: number, nowMs: number): Guard {
  const others = guard.answered.filter((e) => e.untilMs > nowMs && e.byteCount !== byteCount);
  return { ...guard, answered: [...others, { byteCount, untilMs }] };
}

/** No reply to an earlier request can come any more. */
export function isClear(guard: Guard, nowMs: number): boolean {
  return guard.unanswered.every((e) => e.untilMs <= nowMs);
}

/**
 * Reading 17 to 24 bits, the request has the length of the reply; where the high byte of the address is 3, also its
 * byte count. On an adapter that hears itself neither could be told from the other.
 */
function echoLooksLikeReply(read: GuardedRead, byteCount: number): boolean {
  return isBitTable(read.table) && byteCount === 3 && read.address >> 8 === 3;
}
