/** What a life of crash.ts takes in: each sample follows from its number, so that nobody needs to remember it. */
import type { OutboxConfig } from "../../config/config.ts";
import type { TagRef } from "../../core/tag.ts";
import type { ConfiguredUplink, Sample } from "../../pipeline.ts";

export const COMMIT_INTERVAL_MS = 400;
export const LIVE_UPLINK = "live";
/** Its broker is never there. */
export const AWAY_UPLINK = "away";
const TAGS = 20;

export const CRASH_CONFIG: OutboxConfig = {
  path: "outbox.db",
  maxSizeBytes: 200_000_000,
  maxAgeMs: 90 * 86_400_000,
  commitIntervalMs: COMMIT_INTERVAL_MS,
  outageCommitIntervalMs: COMMIT_INTERVAL_MS,
};
export const CRASH_UPLINKS: readonly ConfiguredUplink[] = [LIVE_UPLINK, AWAY_UPLINK].map((name) => ({
  name,
  startAt: "now",
}));
export const CRASH_TAGS: readonly TagRef[] = Array.from({ length: TAGS }, (_, i) => {
  const name = `value-${i}`;
  return { id: `pump/${name}`, device: "pump", name, type: "float64", priority: i === 0 ? "high" : "normal" };
});

/** @param wallMs of all samples taken in together: each of another tag */
export function sampleOf(number: number, wallMs: number, epoch: number): Sample {
  const tag = CRASH_TAGS[number % TAGS];
  if (tag === undefined) throw new Error("there are no tags");
  return { tag, value: number / 7, status: "Good", sourceTimestampMs: wallMs, epoch };
}
