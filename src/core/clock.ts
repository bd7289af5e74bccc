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
  /** Resolves at that monotonic time, finer than `after` can. Absent: `after` is exact. */
  reach?(monotonicMs: number): Promise<void>;
}

/** Longer delays than this make Node fire at once, with a warning. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Node's timers are late by up to so much. */
const TIMER_LATE_MAX_MS = 1;

/** The kernel wakes a sleeper up so much late; that part of a fine wait is spent looking at the clock. */
const WAKE_LATE_MS = 0.08;

/** Nobody ever wakes a sleeper here. */
const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/** The host's clock. Its timers keep the process alive: a gateway ends when told, not when idle. */
export const hostClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => Number(hrtime.bigint()) / 1e6,
  after(delayMs, callback) {
    const handle = setTimeout(callback, Math.min(Math.max(0, delayMs), TIMER_MAX_MS));
    return { cancel: () => clearTimeout(handle) };
  },
  /** Ends with a wait that holds the whole process up, for less than the millisecond that a timer cannot divide. */
  async reach(monotonicMs) {
    const leftMs = () => monotonicMs - hostClock.monotonicMs();
    for (let ms = leftMs(); ms > TIMER_LATE_MAX_MS; ms = leftMs()) await sleep(hostClock, ms - TIMER_LATE_MAX_MS);
    const asleepMs = leftMs() - WAKE_LATE_MS;
    if (asleepMs > 0) Atomics.wait(NEVER_WOKEN, 0, 0, asleepMs);
    while (leftMs() > 0);
  },
};

/** Resolves at that monotonic time, as exactly as the clock can. */
export function reach(clock: Clock, monotonicMs: number): Promise<void> {
  return clock.reach?.(monotonicMs) ?? sleep(clock, monotonicMs - clock.monotonicMs());
}

/** Resolves after `delayMs`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
