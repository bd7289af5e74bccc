/** What the replay benchmark measures, and the limits it is held to. */
import { atLeast, atMost, context, type Figure, told } from "./figure.ts";
import type { DrainResult } from "./replay-drain.ts";
import type { LiveResult } from "./replay-live.ts";

const STORE_MIN_PER_S = 100_000;
const UPLINK_MIN_PER_S = 40_000;
const GROWN_MAX_MB = 30;
/** Besides a round trip and a message of 4 kB. */
const LIVE_DELAY_MAX_MS = 250;

export function figuresOfDrain(
  name: "store" | "uplink" | "uplink_read",
  { samples, seconds, cpuS, grownBytes }: DrainResult,
): readonly Figure[] {
  const min = name === "store" ? STORE_MIN_PER_S : UPLINK_MIN_PER_S;
  return [
    atLeast(`replay_${name}`, Math.round(samples / seconds), "samples/s", min),
    told(`replay_${name}_cpu`, (cpuS * 1e6) / samples, "µs/sample"),
    atMost(`replay_${name}_rss_growth`, grownBytes / 1e6, "MB", GROWN_MAX_MB),
  ];
}

/** @param delaysMs from the taking in of each value to its arrival as live */
export function figuresOfLive(
  name: string,
  { taken, replayed, roundTripMs, messageMs }: LiveResult,
  delaysMs: readonly number[],
): Figure[] {
  // What did not come as live came too late.
  const missing = Math.max(0, taken - delaysMs.length);
  const sorted = [...delaysMs, ...Array<number>(missing).fill(Number.POSITIVE_INFINITY)].toSorted((a, b) => a - b);
  const of = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return [
    context(`live_${name}_round_trip`, roundTripMs, "ms"),
    context(`live_${name}_4kB_message`, messageMs, "ms"),
    context(`live_${name}_values`, taken, "count"),
    context(`live_${name}_history_meanwhile`, replayed, "samples"),
    told(`live_${name}_p50`, of(0.5), "ms"),
    atMost(`live_${name}_p99`, of(0.99), "ms", LIVE_DELAY_MAX_MS + roundTripMs + messageMs),
  ];
}
