/** Waiting in virtual time: lets it pass until something has come true, with a limit. */
import type { VirtualClock } from "./virtual-clock.ts";

const LIMIT_MS = 600_000;
const STEP_MS = 100;

/** Lets time pass until `holds`. Rejects with `what` after `limitMs` of virtual time. */
export async function passUntil(
  clock: VirtualClock,
  what: string,
  holds: () => boolean,
  limitMs = LIMIT_MS,
): Promise<void> {
  const lateMs = clock.monotonicMs() + limitMs;
  await clock.advance(0);
  while (!holds()) {
    if (clock.monotonicMs() >= lateMs) throw new Error(`waited ${limitMs} ms of virtual time in vain until ${what}`);
    await clock.advance(STEP_MS);
  }
}

/** Settles as `promise` does, letting time pass. */
export async function passWhile<T>(clock: VirtualClock, what: string, promise: Promise<T>): Promise<T> {
  let settled = false;
  const mark = () => {
    settled = true;
  };
  promise.then(mark, mark);
  await passUntil(clock, what, () => settled);
  return promise;
}
