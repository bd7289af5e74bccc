/**
 * The seam between the outbox and its file. Every call is one transaction; a commit has reached the card when it
 * resolves. The store knows blocks and facts, not what they mean: deciding is the outbox's.
 */
import type { Range } from "../pipeline.ts";

/** The numbers of a block lie this close together at most, so that a search by number looks at few blocks. */
export const MAX_BLOCK_SPAN = 65_536;

/** What is known of a block without its samples. */
export interface BlockHead {
  /** Lowest and highest number in it; other priorities' numbers may lie between. */
  readonly first: number;
  readonly last: number;
  readonly samples: number;
  /** Index into PRIORITIES. */
  readonly priority: number;
  /** Epoch, and earliest and latest source time, UTC ms, of its samples: known even when the bytes are damaged. */
  readonly epoch: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** When its last sample was stored, in running time of the gateway. */
  readonly runMs: number;
}

/** A block as stored. Its bytes are those of block-codec.ts. */
export interface Block extends BlockHead {
  readonly data: Uint8Array;
}

/** A block that may have to go. */
export interface OldBlock extends BlockHead {
  readonly sizeBytes: number;
}

/** A tag in the dictionary of the file. Entries are never changed, so old blocks stay readable. */
export interface TagEntry {
  readonly key: number;
  readonly device: string;
  readonly name: string;
  readonly type: string;
}

/** Small facts by name, each a JSON text; null removes one. */
export type Facts = readonly (readonly [name: string, value: string | null])[];

/** One transaction. */
export interface Change {
  /** New blocks; one with the `first` of a stored block replaces it. */
  readonly blocks: readonly Block[];
  readonly tags: readonly TagEntry[];
  readonly facts: Facts;
  /** Blocks that lie wholly in one of these ranges are deleted, a bounded number of them in one commit. */
  readonly released: readonly Range[];
  /** The `first` of each block to delete. */
  readonly dropped: readonly number[];
  /** The `key` of each tag that nothing refers to any more. */
  readonly forgotten: readonly number[];
  /** Numbers whose oldest block's source time is asked for: see Usage.oldestMs. */
  readonly ages: readonly number[];
}

export interface Usage {
  /** The file and its write-ahead log on the card. */
  readonly fileBytes: number;
  /** The file alone. */
  readonly pagesBytes: number;
  /** The part of the file that is not free for new blocks. */
  readonly usedBytes: number;
  /** The partition it lies on; undefined where the system does not tell. */
  readonly partition: Partition | undefined;
  /** Handed to the card since the file was opened, as far as the system tells. */
  readonly writtenBytes: number;
  /** The lowest number in any block. */
  readonly lowest: number | undefined;
  /** Released blocks are left, for the next commit. */
  readonly moreReleased: boolean;
  /** For each of Change.ages: fromMs of the first block that reaches that number. */
  readonly oldestMs: readonly (number | undefined)[];
}

/** As an ordinary user finds it. */
export interface Partition {
  readonly sizeBytes: number;
  readonly freeBytes: number;
}

/** What is in the file at its opening. */
export interface OpenedBlocks {
  /** A file that could not be used was renamed to `path`; a new one was begun. */
  readonly setAside: SetAside | undefined;
  readonly tags: readonly TagEntry[];
  readonly facts: Facts;
  readonly highest: number | undefined;
  /** The last block of each priority: numbers go on above what it holds, whatever its row says. */
  readonly newest: readonly Block[];
  readonly usage: Usage;
}

export interface SetAside {
  readonly path: string;
  readonly reason: string;
  /** What was taken over from it. */
  readonly salvaged?: { readonly blocks: number; readonly isWhole: boolean };
}

export interface OpenRequest {
  readonly path: string;
  /** UTC ms, for the name of a file that is set aside. */
  readonly nowMs: number;
  /** The write-ahead log is brought back into the file when it has grown to about this. */
  readonly walBytes: number;
}

export interface ReadRequest extends Range {
  /** Of those that begin above `from`; one a priority, usually, lies around it. */
  readonly maxBlocks: number;
}

export interface ReadBlocks {
  /** Ascending by `first`. */
  readonly blocks: readonly Block[];
  /** Every block with a number from the request's `from` up to here is in `blocks`. */
  readonly to: number;
}

export interface OldestRequest {
  readonly priority: number;
  readonly maxBlocks: number;
  /** Only blocks that reach this number. */
  readonly from: number;
  /** Only blocks that lie wholly below this number. */
  readonly below: number;
}

/** Blocks of one priority with a number in the range. */
export interface PriorityRange extends Range {
  readonly priority: number;
}

/** Every call may reject with a StorageFailure. */
export interface BlockStore {
  /** Opens the file, or begins a new one; a damaged one is set aside first. */
  open(request: OpenRequest): Promise<OpenedBlocks>;
  /**
   * Sets the open file aside because of `reason` and begins a new one, with what can be read of the old one's blocks.
   *
   * @param below only blocks that begin below this number: all else is in memory
   */
  renew(reason: string, nowMs: number, below: number): Promise<OpenedBlocks>;
  commit(change: Change): Promise<Usage>;
  read(request: ReadRequest): Promise<ReadBlocks>;
  oldest(request: OldestRequest): Promise<readonly OldBlock[]>;
  /** The bytes of the blocks of these ranges, which ascend and do not overlap within a priority. */
  sizeOf(ranges: readonly PriorityRange[]): Promise<number>;
  /** Of each priority the last block that begins at or below the number: it may reach it, whatever its row says. */
  reaching(number: number): Promise<readonly Block[]>;
  /** Those of these blocks that are there. @param firsts of each its `first` */
  load(firsts: readonly number[]): Promise<readonly Block[]>;
  /** Brings the write-ahead log back into the file and closes it. */
  close(): Promise<void>;
}

/**
 * `full`: no room. `damaged`: not the file that we wrote. `busy`: another process has it. `failing`: anything else the
 * card or system refuses.
 */
export type FailureKind = "full" | "damaged" | "busy" | "failing";

/** A call to the store failed, and why, in words. Nothing of it was stored. */
export class StorageFailure extends Error {
  readonly kind: FailureKind;
  constructor(kind: FailureKind, message: string) {
    super(message);
    this.name = "StorageFailure";
    this.kind = kind;
  }
}
