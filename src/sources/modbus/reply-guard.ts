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
  /** The last answered request: its reply can come twice. */
  readonly answered: Expected | undefined;
}

export const NO_REPLIES_EXPECTED: Guard = { unanswered: [], answered: undefined };

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

export function chooseQuantity(guard: Guard, read: GuardedRead, nowMs: number): Choice {
  const pending = guard.unanswered.filter((e) => e.untilMs > nowMs);
  const twice = guard.answered !== undefined && guard.answered.untilMs > nowMs ? guard.answered.byteCount : undefined;
  let second: number | undefined;
  for (let step = 0; step <= read.paddingSteps; step++) {
    const quantity = read.quantity + step * paddingStep(read.table);
    const byteCount = replyByteCount(read.table, quantity);
    if (pending.some((e) => e.byteCount === byteCount) || echoLooksLikeReply(read, byteCount)) continue;
    if (byteCount !== twice) return { kind: "ask", quantity };
    second = quantity;
    // Against a mere duplicate no register is risked that nobody has asked for.
    if (!read.paddingKnown) break;
  }
  if (second !== undefined) return { kind: "ask", quantity: second };
  if (pending.length === 0) return { kind: "ask", quantity: read.quantity };
  return { kind: "wait", untilMs: Math.min(...pending.map((e) => e.untilMs)) };
}

export function unanswered(guard: Guard, byteCount: number, untilMs: number, nowMs: number): Guard {
  const pending = guard.unanswered.filter((e) => e.untilMs > nowMs);
  return { ...guard, unanswered: [...pending, { byteCount, untilMs }] };
}

export function answered(guard: Guard, byteCount: number, untilMs: number, nowMs: number): Guard {
  const pending = guard.unanswered.filter((e) => e.untilMs > nowMs);
  return { unanswered: pending, answered: { byteCount, untilMs } };
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
