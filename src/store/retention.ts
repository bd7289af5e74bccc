/** Which blocks go when there is too much of them or they are too old. Pure. Ages are running time: a stepped clock drops nothing. */
import type { LossReason } from "../pipeline.ts";
import type { Partition } from "./block-store.ts";

export interface RetentionLimits {
  /** What blocks may fill. */
  readonly roomBytes: number;
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

/** Kept free of the outbox on its partition, for all else that writes there. */
const RESERVE_BYTES = 64 * 1_048_576;
/** The same where the partition is small. */
const RESERVE_SHARE = 0.05;
/** What the outbox may fill where others have used the reserve up: the smallest size that can be configured. */
const MIN_ROOM_BYTES = 1_000_000;

/** The write-ahead log's part of the size limit. */
export function walBytesOf(maxSizeBytes: number): number {
  return Math.min(MAX_WAL_BYTES, Math.floor(maxSizeBytes * WAL_SHARE));
}

/** Of samples in one commit: what lies in the log beside what is not yet brought back from it stays within its part. */
export function commitBytesOf(maxSizeBytes: number): number {
  return walBytesOf(maxSizeBytes) / 4;
}

/** The file and the partition it lies on. */
export interface Space {
  /** The file without its write-ahead log, and with it. */
  readonly pagesBytes: number;
  readonly fileBytes: number;
  readonly partition: Partition | undefined;
}

/**
 * What blocks may fill now: the size limit without the log's part, or less where the partition comes to its reserve.
 * Who else fills it costs the outbox growth, never what it holds.
 */
export function roomOf(limits: { maxSizeBytes: number; reserveBytes?: number | undefined }, space: Space): number {
  const walBytes = walBytesOf(limits.maxSizeBytes);
  const ceilingBytes = limits.maxSizeBytes - walBytes;
  if (space.partition === undefined) return ceilingBytes;
  const walToComeBytes = Math.max(0, walBytes - (space.fileBytes - space.pagesBytes));
  const growthBytes = Math.max(0, unreservedOf(space.partition, limits.reserveBytes) - walToComeBytes);
  return Math.min(ceilingBytes, Math.max(MIN_ROOM_BYTES, space.pagesBytes + growthBytes));
}

/** What may still be written to a partition; below 0 others have taken of its reserve. */
export function unreservedOf({ sizeBytes, freeBytes }: Partition, reserveBytes: number | undefined): number {
  return freeBytes - (reserveBytes ?? Math.min(RESERVE_BYTES, sizeBytes * RESERVE_SHARE));
}

/** Whether blocks must go. */
export function isOverfull(usedBytes: number, limits: Pick<RetentionLimits, "roomBytes">): boolean {
  return usedBytes > limits.roomBytes;
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
  const target = limits.roomBytes * (1 - HEADROOM);
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
