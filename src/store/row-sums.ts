/**
 * Rows that SQLite would give back with a flipped bit, and not know: the names of tags, by which blocks are read, and
 * facts. Each carries a checksum of its text. Rows from before that have none, and count as they are.
 */
import { type Facts, StorageFailure, type TagEntry } from "./block-store.ts";
import { crc32 } from "./crc32.ts";
import type { Database } from "./sqlite.ts";

/** For tables that were made without. */
export function withSums(table: string): string {
  return `ALTER TABLE ${table} ADD COLUMN sum INTEGER;`;
}

export function factSum(name: string, value: string): number {
  return sumOf([name, value]);
}

export function tagSum({ key, device, name, type }: TagEntry): number {
  return sumOf([`${key}`, device, name, type]);
}

function sumOf(parts: readonly string[]): number {
  return crc32(Buffer.from(JSON.stringify(parts)));
}

interface Sum {
  readonly sum: number | null;
}

function isWhole({ sum }: Sum, expected: number): boolean {
  return sum === null || sum === expected;
}

/** What stands for the value of a fact in which a bit has flipped: no reader of facts takes it for one. */
const FLIPPED = "with a flipped bit";

export interface ReadFacts {
  readonly facts: Facts;
  /** Those in which a bit has flipped, in the name perhaps: they are among the facts, and say nothing. */
  readonly flipped: readonly string[];
}

export function readFacts(database: Database): ReadFacts {
  const rows = database.prepare<[], Sum & { readonly name: string; readonly value: string }>(
    `SELECT name, value, ${sumColumn(database, "fact")} FROM fact`,
  );
  const flipped: string[] = [];
  const facts = rows.all().map((row): [string, string] => {
    if (isWhole(row, factSum(row.name, row.value))) return [row.name, row.value];
    flipped.push(row.name);
    return [row.name, FLIPPED];
  });
  return { facts, flipped };
}

/** @throws StorageFailure where a bit has flipped */
export function wholeFacts(database: Database): Facts {
  const { facts, flipped } = readFacts(database);
  if (flipped.length > 0) throw flippedIn(`the fact ${flipped[0]}`);
  return facts;
}

export interface Tags {
  readonly tags: readonly TagEntry[];
  /** Keys of rows that are left out, because a bit has flipped in them: in the key itself, perhaps. */
  readonly flipped: readonly number[];
}

/** @param order by key */
export function readTags(database: Database, order: "ASC" | "DESC" = "ASC", each?: (tag: TagEntry) => void): Tags {
  const rows = database.prepare<[], Sum & TagEntry>(
    `SELECT key, device, name, type, ${sumColumn(database, "tag")} FROM tag ORDER BY key ${order}`,
  );
  const tags: TagEntry[] = [];
  const flipped: number[] = [];
  for (const { sum, ...tag } of rows.iterate()) {
    if (!isWhole({ sum }, tagSum(tag))) flipped.push(tag.key);
    else {
      tags.push(tag);
      each?.(tag);
    }
  }
  return { tags, flipped };
}

/** @throws StorageFailure where a bit has flipped */
export function wholeTags(database: Database): readonly TagEntry[] {
  const { tags, flipped } = readTags(database);
  if (flipped.length > 0) throw flippedIn(`the name of tag ${flipped[0]}`);
  return tags;
}

function flippedIn(what: string): StorageFailure {
  return new StorageFailure("damaged", `a bit has flipped in ${what}`);
}

/** A file of a former version that is only looked at has no such column. */
function sumColumn(database: Database, table: string): string {
  const columns = database.prepare<[string], string>("SELECT name FROM pragma_table_info(?)").pluck().all(table);
  return columns.includes("sum") ? "sum" : "NULL AS sum";
}
