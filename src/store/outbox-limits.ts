import { PACK_LIMITS, type PackLimits } from "./block-packer.ts";

/** What bounds the outbox in memory and in one piece of work. Tests make them small. */
export interface OutboxLimits extends PackLimits {
  /** Samples kept in memory though stored, so that live sending never waits for the card. */
  readonly recentSamples: number;
  readonly recentBytes: number;
  /** Samples kept in memory though acknowledged by all, for rewinds. Few: then they are garbage before they are old. */
  readonly releasedSamples: number;
  /** Samples in memory at most, when the card takes none. Beyond, the oldest of the lowest priority are given up. */
  readonly tailSamples: number;
  readonly tailBytes: number;
  /** Given up at a time: each time costs a pass over the tail. */
  readonly giveUpSamples: number;
  /** In one transaction. */
  readonly commitSamples: number;
  /** Blocks decoded at a time for one uplink. */
  readonly readBlocks: number;
  /** Blocks looked at, and dropped, at a time when the file is too big or old. */
  readonly retentionBlocks: number;
}

/** What memory shows of the file stays in it, so with a small file it must not be much. */
const MIN_RECENT_BYTES = 1_048_576;

export function limitsFor(maxSizeBytes: number): OutboxLimits {
  const recentBytes = Math.min(OUTBOX_LIMITS.recentBytes, Math.max(MIN_RECENT_BYTES, maxSizeBytes / 2));
  return { ...OUTBOX_LIMITS, recentBytes };
}

export const OUTBOX_LIMITS: OutboxLimits = {
  ...PACK_LIMITS,
  recentSamples: 10_000,
  recentBytes: 8 * 1_048_576,
  releasedSamples: 250,
  tailSamples: 100_000,
  tailBytes: 32 * 1_048_576,
  giveUpSamples: 5_000,
  commitSamples: 20_000,
  readBlocks: 4,
  retentionBlocks: 32,
};
