/**
 * Time as an argument. Wall time stamps samples, monotonic time measures and schedules: a board
 * without a clock battery has its wall time stepped by years while it runs.
 */
import { hrtime } from "node:process";

/** A pending call; cancelling twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch, UTC, whole. Can step. */
  wallMs(): number;
  /** Milliseconds since some fixed moment, with fractions. Never steps back. */
  monotonicMs(): number;
  /** Calls back once, at the earliest `delayMs` from now. */
  after(delayMs: number, callback: () => void): Timer;
}

/** Longer delays than this make Node fire at once, with a warning. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The host's clock. Its timers keep the process alive: a gateway ends when told, not when idle. */
export const hostClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => Number(hrtime.bigint()) / 1e6,
  after(delayMs, callback) {
    const handle = setTimeout(callback, Math.min(Math.max(0, delayMs), TIMER_MAX_MS));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/** The wall time of a moment given in monotonic time, by today's relation of the two. */
export function wallAt(clock: Clock, monotonicMs: number): number {
  return Math.round(clock.wallMs() - (clock.monotonicMs() - monotonicMs));
}
