import type { Clock } from "../core/clock.ts";

/** A test that waits longer than this for something waits in vain. */
const WAIT_LIMIT_MS = 10_000;

/** Settles as `promise` does, or rejects with `what` when that takes too long. */
export function within<T>(clock: Clock, promise: Promise<T>, what: string, limitMs = WAIT_LIMIT_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limitMs, () => reject(new Error(`waited ${limitMs} ms in vain until ${what}`)));
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
