/** Takes over from a file that was set aside what can still be read of it, row by row round what cannot. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { PRIORITIES, VALUE_TYPES } from "../core/tag.ts";
import type { Block, Facts, TagEntry } from "./block-store.ts";
import { fenceAbove } from "./dictionary.ts";
import { readFacts, readTags } from "./row-sums.ts";
import { type Database, NewerFormat, OUTBOX_FILE_ID, openReadOnly, type Statement } from "./sqlite.ts";

/** In one transaction. */
const BATCH_BLOCKS = 200;

export interface Salvaged {
  readonly blocks: number;
  /** Every row that the table or its index names was read: nothing is known to be lost. */
  readonly isWhole: boolean;
}

/** Where it goes. What throws ends the salvage; what came before stays. */
export interface SalvageTarget {
  /** Absent where memory knows them better. */
  readonly putFacts?: (facts: Facts) => void;
  readonly putTags?: (tags: readonly TagEntry[]) => void;
  readonly putBlocks: (blocks: readonly Block[]) => void;
  /** Only blocks that begin below this number. */
  readonly below: number;
}

export interface SalvageSource {
  readonly path: string;
  /** The newest that is understood; a newer one is left alone. */
  readonly format: number;
  /** What a file of ours begins with. */
  readonly firstPage: () => Uint8Array;
}

/** A file that is not ours gives nothing. */
export function salvage({ path, format, firstPage }: SalvageSource, target: SalvageTarget): Salvaged {
  try {
    const source = opened(path, format);
    if (source !== undefined) return taken(source, target);
    // The first page is the same in every file of ours, but for what only matters to whoever writes.
    return withPage(path, firstPage(), () => {
      const mended = opened(path, format);
      return mended?.tags.some(isOurs) ? { ...taken(mended, target), isWhole: false } : NOTHING;
    });
  } catch {
    return NOTHING;
  }
}

const NOTHING: Salvaged = { blocks: 0, isWhole: false };

interface Source {
  readonly database: Database;
  readonly tags: readonly TagEntry[];
  readonly hasAllTags: boolean;
}

/** Undefined where SQLite finds no tags in it: without them no block can be read. @throws NewerFormat */
function opened(path: string, format: number): Source | undefined {
  let database: Database | undefined;
  try {
    database = openReadOnly(path, { fileId: OUTBOX_FILE_ID, format });
    const found = tagsOf(database);
    if (found.tags.length > 0 || found.hasAllTags) return { database, ...found };
  } catch (thrown) {
    if (thrown instanceof NewerFormat) throw thrown;
  }
  attempt(() => database?.close());
  return undefined;
}

/** From both ends: a page that cannot be read hides only its own. */
function tagsOf(database: Database): Omit<Source, "database"> {
  const tags = new Map<number, TagEntry>();
  const walk = (order: "ASC" | "DESC") =>
    readTags(database, order, (tag) => tags.set(tag.key, tag)).flipped.length === 0;
  const hasAllTags = attempt(() => walk("ASC")) ?? false;
  if (!hasAllTags) attempt(() => walk("DESC"));
  return { tags: [...tags.values()], hasAllTags };
}

function isOurs({ type }: TagEntry): boolean {
  return VALUE_TYPES.some((known) => known === type);
}

/** Reads with another first page, and puts back the one that was there: what is set aside stays as it was found. */
function withPage<T>(path: string, page: Uint8Array, read: () => T): T {
  const file = openSync(path, "r+");
  try {
    const found = new Uint8Array(page.length);
    readSync(file, found, 0, found.length, 0);
    try {
      writeSync(file, page, 0, page.length, 0);
      return read();
    } finally {
      writeSync(file, found, 0, found.length, 0);
    }
  } finally {
    closeSync(file);
  }
}

function taken({ database: source, tags, hasAllTags }: Source, target: SalvageTarget): Salvaged {
  let blocks = 0;
  try {
    // Damage may hide a row of theirs without a word.
    target.putTags?.([...tags, fenceAbove(tags)]);
    let isWhole = hasAllTags;
    const read = attempt(() => readFacts(source));
    if (read === undefined || read.flipped.length > 0) isWhole = false;
    if (read !== undefined) target.putFacts?.(read.facts);
    const found = namesOf(source);
    isWhole &&= found.isWhole;
    let batch: Block[] = [];
    const put = () => {
      target.putBlocks(batch);
      blocks += batch.length;
      batch = [];
    };
    const load: Statement<[number], Block> = source.prepare(
      "SELECT first, last, samples, priority, epoch, fromMs, toMs, runMs, data FROM block WHERE first = ?",
    );
    for (const first of found.firsts) {
      const block = attempt(() => load.get(first));
      if (block === undefined) isWhole = false;
      else if (block.first < target.below) batch.push(block);
      if (batch.length === BATCH_BLOCKS) put();
    }
    put();
    return { blocks, isWhole };
  } catch {
    return { blocks, isWhole: false };
  } finally {
    attempt(() => source.close());
  }
}

/** From both ends of the table and of its index: a page that cannot be read hides only what no other way leads to. */
function namesOf(source: Database): { readonly firsts: readonly number[]; readonly isWhole: boolean } {
  const walks = [
    "SELECT first FROM block NOT INDEXED ORDER BY first",
    "SELECT first FROM block NOT INDEXED ORDER BY first DESC",
    ...[...PRIORITIES.keys()].flatMap((priority) =>
      ["ASC", "DESC"].map(
        (order) =>
          `SELECT first FROM block INDEXED BY block_by_priority WHERE priority = ${priority} ORDER BY first ${order}`,
      ),
    ),
  ];
  const firsts = new Set<number>();
  let isWhole = true;
  for (const walk of walks) {
    const isDone = attempt(() => {
      for (const first of source.prepare<[], number>(walk).pluck().iterate()) firsts.add(first);
      return true;
    });
    isWhole &&= isDone === true;
  }
  return { firsts: [...firsts].sort((a, b) => a - b), isWhole };
}

/** What cannot be read is left out. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
