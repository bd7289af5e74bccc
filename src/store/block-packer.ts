/**
 * Which samples go into which block. The last block of each priority stays open: the next commit writes it again,
 * with more samples in it, for the price of a page, so that an outage of days makes few blocks instead of one a second.
 */
import { MAX_BLOCK_SPAN } from "./block-store.ts";
import { rankOf } from "./dictionary.ts";
import { isUndated, type StoredSample } from "./stored-sample.ts";

export interface PackLimits {
  readonly maxBlockSamples: number;
  /** Of text in a block's samples, in characters. */
  readonly maxBlockText: number;
  /** A block is closed after this, in running time, so that it can grow old. */
  readonly maxBlockOpenMs: number;
}

export const PACK_LIMITS: PackLimits = {
  maxBlockSamples: 1_024,
  maxBlockText: 65_536,
  maxBlockOpenMs: 3_600_000,
};

/** Samples of one priority and one time base that make one block, ascending. */
export interface PackedBlock {
  readonly rank: number;
  readonly samples: readonly StoredSample[];
  readonly openedRunMs: number;
}

/** The block that may still grow, by the rank of its priority. */
export type OpenBlocks = ReadonlyMap<number, PackedBlock>;

export interface Packed {
  /** Each block to write; the first of a rank may be its open block, grown. */
  readonly blocks: readonly PackedBlock[];
  readonly open: OpenBlocks;
}

/**
 * @param samples ascending, none of them in a block yet
 * @param mayGrow whether the open block may be written again
 */
export function pack(
  open: OpenBlocks,
  samples: readonly StoredSample[],
  mayGrow: (block: PackedBlock) => boolean,
  runMs: number,
  limits: PackLimits,
): Packed {
  const blocks: PackedBlock[] = [];
  const stillOpen = new Map([...open].filter(([, block]) => mayGrow(block) && !isOld(block, runMs, limits)));
  for (const [rank, group] of byRank(samples)) {
    const growing = stillOpen.get(rank);
    const end = growing?.samples.at(-1)?.number ?? -Infinity;
    // Taken back by a rewind: they lie within or below the open block and get blocks of their own.
    blocks.push(
      ...chain(
        rank,
        undefined,
        group.filter((sample) => sample.number < end),
        runMs,
        limits,
      ),
    );
    const grown = chain(
      rank,
      growing,
      group.filter((sample) => sample.number > end),
      runMs,
      limits,
    );
    blocks.push(...grown);
    const last = grown.at(-1);
    if (last !== undefined) stillOpen.set(rank, last);
  }
  return { blocks, open: stillOpen };
}

function byRank(samples: readonly StoredSample[]): Map<number, StoredSample[]> {
  const groups = new Map<number, StoredSample[]>();
  for (const sample of samples) {
    const rank = rankOf(sample.tag.priority);
    const group = groups.get(rank);
    if (group === undefined) groups.set(rank, [sample]);
    else group.push(sample);
  }
  return groups;
}

/** Blocks of one rank, one after the other, beginning with the one that grows. Only what changed is returned. */
function chain(
  rank: number,
  growing: PackedBlock | undefined,
  samples: readonly StoredSample[],
  runMs: number,
  limits: PackLimits,
): PackedBlock[] {
  const blocks: PackedBlock[] = [];
  let current = [...(growing?.samples ?? [])];
  let text = current.reduce((sum, sample) => sum + textOf(sample), 0);
  let openedRunMs = growing?.openedRunMs ?? runMs;
  let changed = false;
  const close = () => {
    if (changed) blocks.push({ rank, samples: current, openedRunMs });
    current = [];
    text = 0;
    openedRunMs = runMs;
    changed = false;
  };
  for (const sample of samples) {
    const first = current[0]?.number ?? sample.number;
    const isFull =
      current.length >= limits.maxBlockSamples ||
      (current.length > 0 && text + textOf(sample) > limits.maxBlockText) ||
      sample.number - first >= MAX_BLOCK_SPAN ||
      (current[0] !== undefined && bootOf(current[0]) !== bootOf(sample));
    if (isFull) close();
    current.push(sample);
    text += textOf(sample);
    changed = true;
  }
  close();
  return blocks;
}

function isOld(block: PackedBlock, runMs: number, limits: PackLimits): boolean {
  return runMs - block.openedRunMs >= limits.maxBlockOpenMs;
}

/** A block counts from one boot, or is in UTC. */
function bootOf(sample: StoredSample): string | undefined {
  return isUndated(sample) ? sample.boot : undefined;
}

function textOf({ value }: StoredSample): number {
  return typeof value === "string" ? value.length : 0;
}
