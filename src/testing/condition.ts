import type { Clock } from "../core/clock.ts";

/** A test that waits longer than this for something waits in vain. */
const WAIT_LIMIT_MS = 10_000;

interface Waiter {
  readonly holds: () => boolean;
  readonly met: () => void;
}

/**
 * Lets a test wait until something it watches has come true, with a limit in place of a sleep.
 * Whoever changes what is watched calls `changed`.
 */
export class Condition {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  changed(): void {
    for (const waiter of [...this.#waiters]) if (waiter.holds()) waiter.met();
  }

  /** Rejects with `what` after `limitMs`; `seen` then tells what was there in its place. */
  until(what: string, holds: () => boolean, limitMs = WAIT_LIMIT_MS, seen: () => string = () => ""): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        timer.cancel();
        this.#waiters.delete(waiter);
        settle();
      };
      const waiter: Waiter = { holds, met: () => end(resolve) };
      const timer = this.#clock.after(limitMs, () =>
        end(() => reject(new Error(`waited ${limitMs} ms in vain until ${what} ${seen()}`))),
      );
      this.#waiters.add(waiter);
    });
  }
}
