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
  const ceiling = attempt <= 1 ? spreadMs : Math.max(spreadMs, BACKOFF_BASE_MS) * 2 ** Math.min(attempt - 1, 30);
  return Math.round(random.next() * Math.min(ceiling, maxMs));
}
