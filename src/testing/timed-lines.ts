import { hostClock } from "../core/clock.ts";

/** Tells lines on standard output, each with the seconds since now. */
export function timedLines(): (line: string) => void {
  const sinceMs = hostClock.monotonicMs();
  return (line) => {
    const s = ((hostClock.monotonicMs() - sinceMs) / 1_000).toFixed(0).padStart(5);
    process.stdout.write(`${s} s  ${line}\n`);
  };
}
