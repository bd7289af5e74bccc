/** outbox.db: blocks, their dictionary, and facts. Synchronous; runs on the storage thread. */
import { readFileSync } from "node:fs";
import { assert } from "../core/errors.ts";
import { PRIORITIES } from "../core/tag.ts";
import { type BlockStatements, prepareBlocks } from "./block-statements.ts";
import {
  type Block,
  type Change,
  MAX_BLOCK_SPAN,
  type OldBlock,
  type OldestRequest,
  type OpenedBlocks,
  type OpenRequest,
  type PriorityRange,
  type ReadBlocks,
  type ReadRequest,
  StorageFailure,
  type Usage,
} from "./block-store.ts";
import { tagSum, wholeFacts, wholeTags, withSums } from "./row-sums.ts";
import { type Salvaged, salvage } from "./salvage.ts";
import {
  type Database,
  fileSize,
  firstPageOf,
  OUTBOX_FILE_ID,
  openDatabase,
  openInMemory,
  partitionOf,
  type SqliteWatch,
  setAsideFile,
  storageFailure,
  takeLock,
} from "./sqlite.ts";
import { FACTS_TABLE } from "./sqlite-facts.ts";

const MIGRATIONS: readonly string[] = [
  `${FACTS_TABLE}
  CREATE TABLE tag (key INTEGER PRIMARY KEY, device TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL);
  CREATE TABLE block (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, samples INTEGER NOT NULL, priority INTEGER NOT NULL,
    epoch INTEGER NOT NULL, fromMs INTEGER NOT NULL, toMs INTEGER NOT NULL, runMs INTEGER NOT NULL, data BLOB NOT NULL
  );
  CREATE INDEX block_by_priority ON block (priority, first);`,
  // Bytes of all blocks of this priority up to this one: how much lies in a range is then two looks, not a scan.
  "ALTER TABLE block ADD COLUMN total INTEGER NOT NULL DEFAULT 0;",
  `${withSums("tag")} ${withSums("fact")}`,
];

/** The newest form of the file. */
export const OUTBOX_FORMAT = MIGRATIONS.length;

/** Deleting more in one commit would keep the samples behind it waiting. */
const MAX_RELEASED_BLOCKS = 1_000;
/** A file of which so much is free is shrunk, a little with each commit; less is kept for what comes. */
const SHRINK_FREE_SHARE = 1 / 4;
const SHRINK_FREE_BYTES = 262_144;
const SHRINK_STEP_PAGES = 256;

interface RenewRequest {
  readonly reason: string;
  readonly nowMs: number;
  readonly below: number;
}

export class SqliteBlockStore {
  readonly #watch: SqliteWatch | undefined;
  #request: OpenRequest | undefined;
  #lock: Database | undefined;
  #database: Database | undefined;
  /** Why the file could not be opened. */
  #failure: StorageFailure | undefined;
  #statements: BlockStatements | undefined;
  #writtenBytes = 0;

  constructor(watch?: SqliteWatch) {
    this.#watch = watch;
  }

  open(request: OpenRequest): OpenedBlocks {
    const { setAside, ...opened } = this.#open(request);
    if (setAside === undefined) return { ...opened, setAside };
    const salvaged = this.#salvage(setAside.path, Number.POSITIVE_INFINITY, true);
    const database = this.#database;
    const statements = this.#statements;
    if (database === undefined || statements === undefined) return { ...opened, setAside };
    // Also without a block: tags and facts came over, and a tag that memory does not know of would be written twice.
    const usage = this.#usage([], false);
    return { ...contentOf(database, statements), usage, setAside: { ...setAside, salvaged } };
  }

  /** @param withFacts also what is no block */
  #salvage(path: string, below: number, withFacts: boolean): Salvaged {
    const database = this.#database;
    const statements = this.#statements;
    if (database === undefined || statements === undefined) return { blocks: 0, isWhole: false };
    const put = (part: Partial<Change>) => {
      database.transaction(apply).immediate(statements, { ...NO_CHANGE, ...part });
    };
    const firstPage = () => firstPageOf({ fileId: OUTBOX_FILE_ID, migrations: MIGRATIONS });
    const source = { path, format: OUTBOX_FORMAT, firstPage };
    return salvage(source, {
      below,
      putBlocks: (blocks) => put({ blocks }),
      ...(withFacts && { putFacts: (facts) => put({ facts }), putTags: (tags) => put({ tags }) }),
    });
  }

  #open(request: OpenRequest): OpenedBlocks {
    this.#request = request;
    const options = {
      ...request,
      fileId: OUTBOX_FILE_ID,
      migrations: MIGRATIONS,
      exclusive: false,
      watch: this.#watch,
    };
    const opened = this.#opening(() => {
      this.#lock ??= takeLock(request.path, this.#watch);
      return openDatabase(options, (database) => {
        const statements = prepareBlocks(database);
        return { statements, found: contentOf(database, statements) };
      });
    });
    this.#database = opened.database;
    this.#statements = opened.content.statements;
    return { ...opened.content.found, setAside: opened.setAside, usage: this.#usage([], false) };
  }

  /** A file that could not be opened refuses every later call for the same reason. */
  #opening<T>(open: () => T): T {
    try {
      this.#failure = undefined;
      return open();
    } catch (thrown) {
      this.#failure = storageFailure(thrown);
      throw this.#failure;
    }
  }

  renew({ reason, nowMs, below }: RenewRequest): OpenedBlocks {
    const request = this.#request;
    assert(request !== undefined, "a store renewed before it was opened");
    this.#closeFile();
    try {
      const path = setAsideFile(request.path, nowMs);
      const opened = this.#open({ ...request, nowMs });
      const salvaged = this.#salvage(path, below, false);
      return { ...opened, usage: this.#usage([], false), setAside: { path, reason, salvaged } };
    } catch (thrown) {
      throw storageFailure(thrown);
    }
  }

  commit(change: Change): Usage {
    const moreReleased = this.#measured((database, statements) => {
      const left = database.transaction(apply).immediate(statements, change);
      shrink(database);
      return left;
    });
    return this.#usage(change.ages, moreReleased);
  }

  read({ from, to, maxBlocks }: ReadRequest): ReadBlocks {
    return this.#measured((_, statements) => {
      const { read } = statements;
      const around = read.all(from - MAX_BLOCK_SPAN, from, from, -1);
      const after = read.all(from, to, from, maxBlocks + 1);
      const beyond = after[maxBlocks];
      const blocks = [...around, ...after.slice(0, maxBlocks)];
      const end = beyond === undefined ? to : beyond.first - 1;
      compareKeys(statements, from, end);
      return { blocks, to: end };
    });
  }

  oldest({ priority, maxBlocks, from, below }: OldestRequest): readonly OldBlock[] {
    const lowest = from - MAX_BLOCK_SPAN;
    return this.#measured((_, { oldest }) => oldest.all(priority, lowest, from, below, below, maxBlocks));
  }

  sizeOf(ranges: readonly PriorityRange[]): number {
    return this.#measured((_, statements) => sizeOf(statements, ranges));
  }

  reaching(number: number): readonly Block[] {
    return this.#measured((_, statements) => lastBlocks(statements, number));
  }

  load(firsts: readonly number[]): readonly Block[] {
    return this.#measured((_, { load }) =>
      firsts.map((first) => load.get(first)).filter((block) => block !== undefined),
    );
  }

  close(): void {
    this.#closeFile();
    this.#lock?.close();
    this.#lock = undefined;
  }

  #closeFile(): void {
    const database = this.#database;
    this.#database = undefined;
    this.#statements = undefined;
    database?.close();
  }

  #measured<T>(call: (database: Database, statements: BlockStatements) => T): T {
    const database = this.#database;
    const statements = this.#statements;
    const before = writtenByThread();
    try {
      if (this.#failure !== undefined) throw this.#failure;
      assert(database !== undefined && statements !== undefined, "a call to a store that is not open");
      return call(database, statements);
    } catch (thrown) {
      throw storageFailure(thrown);
    } finally {
      this.#writtenBytes += writtenByThread() - before;
    }
  }

  #usage(ages: readonly number[], moreReleased: boolean): Usage {
    const size = this.#database === undefined ? NO_FILE : fileSize(this.#database);
    return {
      ...size,
      partition: this.#request && partitionOf(this.#request.path),
      writtenBytes: this.#writtenBytes,
      lowest: this.#statements?.lowest.get() ?? undefined,
      moreReleased,
      oldestMs: ages.map((number) => this.#statements?.oldestMs.get(number - MAX_BLOCK_SPAN, number)),
    };
  }
}

const NO_CHANGE: Change = { blocks: [], tags: [], facts: [], released: [], dropped: [], forgotten: [], ages: [] };
const NO_FILE = { fileBytes: 0, pagesBytes: 0, usedBytes: 0 };

function contentOf(database: Database, statements: BlockStatements): Omit<OpenedBlocks, "setAside" | "usage"> {
  return {
    tags: wholeTags(database),
    facts: wholeFacts(database),
    highest: highestNumber(database),
    newest: lastBlocks(statements, Number.MAX_SAFE_INTEGER),
  };
}

function lastBlocks({ lastBelow }: BlockStatements, number: number): readonly Block[] {
  return PRIORITIES.flatMap((_, priority) => lastBelow.all(priority, number));
}

/**
 * Each block's `first` stands in the table and in its index. Where they differ one of them is damaged, and a block that
 * is there would not be found.
 */
function compareKeys({ held, listed }: BlockStatements, from: number, to: number): void {
  const inTable = held.all(from, to);
  const inIndex = listed.all(from, to);
  if (inTable.length === inIndex.length && inTable.every((first, i) => first === inIndex[i])) return;
  throw new StorageFailure("damaged", `the blocks from ${from} to ${to} are not those of their index`);
}

/**
 * The highest number lies in one of the last blocks by `first`: looking at those alone spares a whole scan. A row that
 * says more than a block can hold must not use the numbers up.
 */
function highestNumber(database: Database): number | undefined {
  const highest = database.prepare<[number, number], number | null>(
    "SELECT max(min(last, first + ? - 1)) FROM block WHERE first > (SELECT max(first) FROM block) - ?",
  );
  return highest.pluck().get(MAX_BLOCK_SPAN, MAX_BLOCK_SPAN) ?? undefined;
}

function sizeOf({ firstReaching, lastReached }: BlockStatements, ranges: readonly PriorityRange[]): number {
  let bytes = 0;
  /** A block that lies in two ranges counts once. */
  const counted = new Map<number, number>();
  for (const { priority, from, to } of ranges) {
    const start = Math.max(from, counted.get(priority) ?? from);
    const first = firstReaching.get(priority, start - MAX_BLOCK_SPAN, to, start);
    const last = lastReached.get(priority, to);
    if (first === undefined || last === undefined || last.first < first.first) continue;
    bytes += Math.max(first.sizeBytes, last.total - first.total + first.sizeBytes);
    counted.set(priority, last.last + 1);
  }
  return bytes;
}

/** @returns whether released blocks are left */
/** What a file of these blocks and tags would take, without its write-ahead log. */
export function fileBytesOf({ blocks, tags }: Pick<Change, "blocks" | "tags">): number {
  const database = openInMemory({ fileId: OUTBOX_FILE_ID, migrations: MIGRATIONS });
  try {
    const statements = prepareBlocks(database);
    database.transaction(apply).immediate(statements, { ...NO_CHANGE, blocks, tags });
    return fileSize(database).pagesBytes;
  } finally {
    database.close();
  }
}

function apply(statements: BlockStatements, change: Change): boolean {
  for (const tag of change.tags) statements.putTag.run({ ...tag, sum: tagSum(tag) });
  for (const first of change.dropped) statements.drop.run(first);
  for (const block of change.blocks) {
    const below = statements.totalBelow.get(block.priority, block.first) ?? 0;
    statements.putBlock.run({ ...block, total: below + block.data.length });
  }
  for (const key of change.forgotten) statements.forget.run(key);
  statements.putFacts(change.facts);
  let room = MAX_RELEASED_BLOCKS;
  for (const { from, to } of change.released) {
    if (room > 0) room -= statements.release.run(from, to, to, room).changes;
  }
  return room === 0;
}

function shrink(database: Database): void {
  const { pagesBytes, usedBytes } = fileSize(database);
  const freeBytes = pagesBytes - usedBytes;
  if (freeBytes > Math.max(SHRINK_FREE_BYTES, pagesBytes * SHRINK_FREE_SHARE))
    database.exec(`PRAGMA incremental_vacuum(${SHRINK_STEP_PAGES})`);
}

/** Bytes that this thread has handed to write calls; 0 where the system does not tell. */
function writtenByThread(): number {
  try {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync("/proc/thread-self/io", "latin1"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
