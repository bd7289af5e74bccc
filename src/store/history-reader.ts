/** Reads what has left memory, a few blocks at a time, and keeps them decoded while one uplink streams through them. */
import { type Clock, sleep } from "../core/clock.ts";
import type { Range } from "../pipeline.ts";
import { type BlockContent, contentOf } from "./block-content.ts";
import { type Block, type BlockStore, type ReadBlocks, StorageFailure } from "./block-store.ts";
import type { BootTimes } from "./boot-times.ts";
import type { Dictionary } from "./dictionary.ts";
import type { StoredSample } from "./stored-sample.ts";

/** All that the file holds of the numbers `from` to `to`, ascending. Below the tail nothing is ever added to that. */
export interface HistoryWindow {
  readonly from: number;
  readonly to: number;
  readonly samples: readonly StoredSample[];
}

const NOTHING: ReadBlocks & Range = { from: 0, to: -1, blocks: [] };

/** After a failed read: whoever asks again at once must not spin. */
const RETRY_MS = 1_000;

export interface HistoryReaderOptions {
  readonly store: BlockStore;
  readonly dictionary: Dictionary;
  readonly boots: BootTimes;
  readonly maxBlocks: number;
  /** A block that cannot be relied on; its numbers count as given up. */
  readonly onDamaged: (block: Block, content: BlockContent) => void;
  readonly onFailure: (failure: StorageFailure) => void;
  readonly clock: Clock;
}

export class HistoryReader {
  readonly #options: HistoryReaderOptions;
  #window: HistoryWindow | undefined;
  /** Blocks as they are in the file: every one with a number from `from` to `to`. */
  #ahead: ReadBlocks & Range = NOTHING;
  /** Those of them that reach beyond the window, decoded. */
  readonly #open = new Map<Block, readonly StoredSample[]>();

  constructor(options: HistoryReaderOptions) {
    this.#options = options;
  }

  /** The window around `from`; it may end before `to`. Both lie below the tail. Undefined: try again. */
  async window(from: number, to: number): Promise<HistoryWindow | undefined> {
    const last = this.#window;
    if (last !== undefined && last.from <= from && from <= last.to) return last;
    if (from < this.#ahead.from || from > this.#ahead.to) {
      const read = await this.#read(from, to);
      if (read === undefined) return undefined;
      this.#ahead = { ...read, from };
      this.#open.clear();
    }
    const window = this.#next(from);
    this.#window = window;
    return window;
  }

  /** What was read ahead, from there to the end of the block that ends first: no more is decoded at a time. */
  #next(from: number): HistoryWindow {
    const blocks = this.#ahead.blocks.filter(({ last }) => last >= from);
    const to = blocks.reduce((least, { last }) => Math.min(least, last), this.#ahead.to);
    const parts = blocks.filter(({ first }) => first <= to).map((block) => this.#decoded(block));
    for (const block of this.#open.keys()) if (block.last <= to) this.#open.delete(block);
    return { from, to, samples: merged(parts, { from, to }) };
  }

  async #read(from: number, to: number): Promise<ReadBlocks | undefined> {
    const { store, maxBlocks, onFailure, clock } = this.#options;
    try {
      return await store.read({ from, to, maxBlocks });
    } catch (thrown) {
      if (!(thrown instanceof StorageFailure)) throw thrown;
      onFailure(thrown);
      await sleep(clock, RETRY_MS);
      return undefined;
    }
  }

  /** The source time of a number, where it is at hand. */
  timeAt(number: number): number | undefined {
    const window = this.#window;
    if (window === undefined || number < window.from || number > window.to) return undefined;
    const sample = window.samples.find((candidate) => candidate.number >= number);
    return sample && this.#options.boots.read(sample).sourceTimestampMs;
  }

  forget(): void {
    this.#window = undefined;
    this.#ahead = NOTHING;
    this.#open.clear();
  }

  #decoded(block: Block): readonly StoredSample[] {
    const samples = this.#open.get(block) ?? this.#decode(block);
    this.#open.set(block, samples);
    return samples;
  }

  #decode(block: Block): readonly StoredSample[] {
    const { dictionary, onDamaged } = this.#options;
    const content = contentOf(block, dictionary);
    if (content.problem === undefined) return content.samples;
    onDamaged(block, content);
    return [];
  }
}

/** @param parts of each block its samples, ascending */
function merged(parts: readonly (readonly StoredSample[])[], { from, to }: Range): readonly StoredSample[] {
  const inside = parts.flatMap((samples) => samples.filter(({ number }) => number >= from && number <= to));
  if (parts.length === 1) return inside;
  inside.sort((a, b) => a.number - b.number);
  // A salvaged block may reach into what memory stored again.
  return inside.filter(({ number }, i) => number !== inside[i - 1]?.number);
}
