/** Samples to a stored block and back, and whether its row tells the same as its bytes. Pure. */
import { decodeBlock, encodeBlock } from "./block-codec.ts";
import type { PackedBlock } from "./block-packer.ts";
import type { Block } from "./block-store.ts";
import { type Dictionary, priorityOf } from "./dictionary.ts";
import type { LossSpan } from "./losses.ts";
import { isUndated, type StoredSample } from "./stored-sample.ts";
import { DamagedBytes } from "./varint.ts";

/** As it is stored. @param runMs running time of the gateway now */
export function blockOf({ rank, samples }: PackedBlock, runMs: number, dictionary: Dictionary): Block {
  const times = samples.map((sample) =>
    isUndated(sample) ? sample.bootMs + sample.knownOffsetMs : sample.sourceTimestampMs,
  );
  return {
    first: samples[0]?.number ?? 0,
    last: samples.at(-1)?.number ?? 0,
    samples: samples.length,
    priority: rank,
    epoch: samples.at(-1)?.epoch ?? 0,
    fromMs: times.reduce((a, b) => Math.min(a, b)),
    toMs: times.reduce((a, b) => Math.max(a, b)),
    runMs,
    data: encodeBlock(samples, (tag) => dictionary.keyOf(tag)),
  };
}

export interface BlockContent {
  /** None where the bytes are damaged. Where only the row is, all of them: which numbers it hides is then known. */
  readonly samples: readonly StoredSample[];
  /** Why the block cannot be relied on; undefined where it can. */
  readonly problem: string | undefined;
}

export function contentOf(block: Block, dictionary: Dictionary): BlockContent {
  const priority = priorityOf(block.priority);
  try {
    const samples = decodeBlock(block.data, (key) => dictionary.tagOf(key, priority));
    return { samples, problem: rowProblem(block, samples) };
  } catch (thrown) {
    if (!(thrown instanceof DamagedBytes)) throw thrown;
    return { samples: [], problem: thrown.message };
  }
}

/** Where a block lies that cannot be read. Its row has the epoch of its last sample only. */
export function spanOf({ epoch, fromMs, toMs }: Block): LossSpan {
  return { epoch: 0, toEpoch: epoch, fromMs, toMs };
}

/** The bytes have a checksum, the columns beside them have none; by these a block is found, released and dropped. */
function rowProblem({ first, last, samples: count }: Block, samples: readonly StoredSample[]): string | undefined {
  const from = samples[0]?.number;
  const to = samples.at(-1)?.number;
  if (first === from && last === to && count === samples.length) return undefined;
  return `its row says ${count} samples, ${first} to ${last}; it holds ${samples.length}, ${from} to ${to}`;
}
