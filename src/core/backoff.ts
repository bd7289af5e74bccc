import type { Random } from "./random.ts";

/** Delay before the second attempt, before jitter. */
const BACKOFF_BASE_MS = 1_000;

/**
 * Exponential back-off with full jitter. The first retry is spread over `spreadMs`, so that a
 * broker that restarts is not met by all its gateways at once.
 *
 * @param attempt failed attempts so far, from 1
 * @returns milliseconds to wait, 0 … maxMs
 */
export function backoffMs(attempt: number, spreadMs: number, maxMs: number, random: Random): number {
  return Math.round(random.next() * ceilingMs(attempt, spreadMs, maxMs));
}

/**
 * The same for many who lose one server at once: from the second failure on nobody comes back before the spread is
 * over. Who was too early would else meet those who still wait for their first turn.
 *
 * @returns milliseconds to wait: up to `spreadMs` after the first failure, then `spreadMs` … `maxMs`
 */
export function reconnectMs(attempt: number, spreadMs: number, maxMs: number, random: Random): number {
  if (attempt <= 1) return backoffMs(attempt, spreadMs, maxMs, random);
  const leastMs = Math.min(spreadMs, maxMs);
  return Math.round(leastMs + random.next() * (ceilingMs(attempt, spreadMs, maxMs) - leastMs));
}

function ceilingMs(attempt: number, spreadMs: number, maxMs: number): number {
  const ceiling = attempt <= 1 ? spreadMs : Math.max(spreadMs, BACKOFF_BASE_MS) * 2 ** Math.min(attempt - 1, 30);
  return Math.min(ceiling, maxMs);
}
