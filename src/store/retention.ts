/** Which blocks go when the file is too big or too old. Pure. Ages are running time: a stepped clock drops nothing. */
import type { LossReason } from "../pipeline.ts";

export interface RetentionLimits {
  readonly maxSizeBytes: number;
  readonly maxAgeMs: number;
}

/** What the decision needs of a block. */
export interface Candidate {
  readonly first: number;
  readonly runMs: number;
  readonly sizeBytes: number;
}

/** Blocks of one priority that may go, the oldest first. */
export interface CandidateGroup {
  readonly oldest: readonly Candidate[];
  /** No more of this priority may go. */
  readonly isAll: boolean;
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

/** @param groups the oldest blocks of each priority, the lowest priority first */
export function decideDrops(
  groups: readonly CandidateGroup[],
  usedBytes: number,
  runMs: number,
  limits: RetentionLimits,
): readonly Dropped[] {
  const isTooOld = (block: Candidate) => runMs - block.runMs > limits.maxAgeMs;
  const tooOld = groups.flatMap((group) => group.oldest.filter(isTooOld));
  const dropped: Dropped[] = tooOld.map(({ first }) => ({ first, reason: "too old" }));
  let used = usedBytes - tooOld.reduce((sum, block) => sum + block.sizeBytes, 0);
  if (!isOverfull(used, limits)) return dropped;
  const target = (limits.maxSizeBytes - walBytesOf(limits.maxSizeBytes)) * (1 - HEADROOM);
  for (const { oldest, isAll } of groups) {
    for (const block of oldest.filter((candidate) => !isTooOld(candidate))) {
      if (used <= target) return dropped;
      used -= block.sizeBytes;
      dropped.push({ first: block.first, reason: "outbox full" });
    }
    // There are more of this priority: they go before any of a higher one.
    if (!isAll) return dropped;
  }
  return dropped;
}
