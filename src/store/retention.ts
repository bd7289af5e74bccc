/** Which blocks go when the file is too big or too old. Pure. Ages are running time: a stepped clock drops nothing. */
import type { LossReason } from "../pipeline.ts";

export interface RetentionLimits {
  readonly maxSizeBytes: number;
  readonly maxAgeMs: number;
}

/** What the decision needs of a block. */
export interface Candidate {
  readonly first: number;
  readonly priority: number;
  readonly runMs: number;
  readonly sizeBytes: number;
}

export interface Dropped {
  readonly first: number;
  readonly reason: LossReason;
}

/** Freed beyond what is needed, so that a full file does not drop a block with each commit. */
const HEADROOM = 0.05;
/** Of the size limit, for the write-ahead log. */
const WAL_SHARE = 1 / 8;
const MAX_WAL_BYTES = 4 * 1_048_576;

/** The write-ahead log's part of the size limit. */
export function walBytesOf(maxSizeBytes: number): number {
  return Math.min(MAX_WAL_BYTES, Math.floor(maxSizeBytes * WAL_SHARE));
}

/** Whether the file has come so close to its limit that blocks must go. */
export function isOverfull(usedBytes: number, limits: RetentionLimits): boolean {
  return usedBytes > limits.maxSizeBytes - walBytesOf(limits.maxSizeBytes);
}

/** @param candidates blocks that may go; of one priority the oldest first */
export function decideDrops(
  candidates: readonly Candidate[],
  usedBytes: number,
  runMs: number,
  limits: RetentionLimits,
): readonly Dropped[] {
  const tooOld = candidates.filter((block) => runMs - block.runMs > limits.maxAgeMs);
  const dropped: Dropped[] = tooOld.map(({ first }) => ({ first, reason: "too old" }));
  let used = usedBytes - tooOld.reduce((sum, block) => sum + block.sizeBytes, 0);
  if (!isOverfull(used, limits)) return dropped;
  const target = (limits.maxSizeBytes - walBytesOf(limits.maxSizeBytes)) * (1 - HEADROOM);
  const young = candidates.filter((block) => !tooOld.includes(block)).sort((a, b) => a.priority - b.priority);
  for (const block of young) {
    if (used <= target) break;
    used -= block.sizeBytes;
    dropped.push({ first: block.first, reason: "outbox full" });
  }
  return dropped;
}
