/** What flaps must not drown what matters: so many events of a kind, then few, and a count of those left out. */
import type { Event } from "./event.ts";

/** Of a kind, at once. */
const BURST = 20;
/** From then on one in so long. */
const REFILL_MS = 60_000;
/** Whoever can bring an event about from afar can do so for days: the record must still reach back over months. */
const REFILL_BY_ANYBODY_MS = 3_600_000;

export interface Allowance {
  readonly left: number;
  readonly atMs: number;
  readonly omitted: number;
}

/** By kind; what anybody may bring about by itself. */
export type Allowances = ReadonlyMap<string, Allowance>;

/** @returns the event as it goes on record, with how many before it did not; undefined: left out */
export function allow(allowances: Allowances, event: Event, nowMs: number): readonly [Allowances, Event | undefined] {
  const byAnybody = event.byAnybody === true;
  const counted = byAnybody ? `${event.kind} by anybody` : event.kind;
  const { left, atMs, omitted } = allowances.get(counted) ?? { left: BURST, atMs: nowMs, omitted: 0 };
  const full = Math.min(BURST, left + (nowMs - atMs) / (byAnybody ? REFILL_BY_ANYBODY_MS : REFILL_MS));
  const isTold = full >= 1;
  const next = { left: isTold ? full - 1 : full, atMs: nowMs, omitted: isTold ? 0 : omitted + 1 };
  const text = omitted === 0 ? event.text : `${event.text} (${omitted} of this kind left out before)`;
  return [new Map([...allowances, [counted, next]]), isTold ? { ...event, text } : undefined];
}
