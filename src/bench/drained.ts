/** Waits until nothing waits any more, but not for ever: an uplink that gets nowhere would be waited for all night. */
import { type Clock, sleep } from "../core/clock.ts";

const STALLED_MS = 60_000;

/**
 * @param lookMs between two looks
 * @param state of who drains it, in words
 * @throws where nothing was acknowledged for a minute
 */
export async function drained(
  queue: { depth(): number },
  clock: Clock,
  lookMs: number,
  state: () => string,
): Promise<void> {
  let least = queue.depth();
  let sinceMs = clock.monotonicMs();
  for (let depth = least; depth > 0; depth = queue.depth()) {
    const nowMs = clock.monotonicMs();
    if (depth < least) sinceMs = nowMs;
    least = Math.min(least, depth);
    if (nowMs - sinceMs > STALLED_MS) throw new Error(`${depth} samples wait, and the uplink is ${state()}`);
    await sleep(clock, lookMs);
  }
}
