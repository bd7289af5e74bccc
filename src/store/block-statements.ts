/** The statements on the blocks of outbox.db, prepared once. */
import { PRIORITIES } from "../core/tag.ts";
import type { Block, Facts, OldBlock, TagEntry } from "./block-store.ts";
import type { Database, Statement } from "./sqlite.ts";
import { factWriter } from "./sqlite-facts.ts";

const HEAD_COLUMNS = "first, last, samples, priority, epoch, fromMs, toMs, runMs";
const MEASURED = "SELECT first, last, length(data) AS sizeBytes, total FROM block INDEXED BY block_by_priority";
const RANKS = [...PRIORITIES.keys()].join(", ");
const COLUMNS = `${HEAD_COLUMNS}, data`;

export interface BlockStatements {
  readonly putBlock: Statement<[Block & { readonly total: number }]>;
  readonly putTag: Statement<[TagEntry & { readonly sum: number }]>;
  readonly putFacts: (facts: Facts) => void;
  readonly drop: Statement<[number]>;
  readonly release: Statement<[number, number, number, number]>;
  readonly read: Statement<[number, number, number, number], Block>;
  readonly oldest: Statement<[number, number, number, number, number, number], OldBlock>;
  readonly totalBelow: Statement<[number, number], number>;
  readonly firstReaching: Statement<[number, number, number, number], Measured>;
  readonly lastReached: Statement<[number, number], Measured>;
  readonly forget: Statement<[number]>;
  readonly load: Statement<[number], Block>;
  readonly lastBelow: Statement<[number, number], Block>;
  readonly oldestMs: Statement<[number, number], number>;
  readonly lowest: Statement<[], number | null>;
  readonly held: Statement<[number, number], number>;
  readonly listed: Statement<[number, number], number>;
}

/** A block by what it weighs. */
export interface Measured {
  readonly first: number;
  readonly last: number;
  readonly sizeBytes: number;
  readonly total: number;
}

export function prepareBlocks(database: Database): BlockStatements {
  return {
    // An update leaves the index by priority alone, so that a growing block costs one page.
    putBlock: database.prepare(
      `INSERT INTO block (${COLUMNS}, total)
       VALUES (@first, @last, @samples, @priority, @epoch, @fromMs, @toMs, @runMs, @data, @total)
       ON CONFLICT (first) DO UPDATE SET last = excluded.last, samples = excluded.samples, epoch = excluded.epoch,
         fromMs = excluded.fromMs, toMs = excluded.toMs, runMs = excluded.runMs, data = excluded.data,
         total = excluded.total`,
    ),
    putTag: database.prepare(
      "INSERT INTO tag (key, device, name, type, sum) VALUES (@key, @device, @name, @type, @sum)",
    ),
    putFacts: factWriter(database),
    drop: database.prepare("DELETE FROM block WHERE first = ?"),
    release: database.prepare("DELETE FROM block WHERE first >= ? AND first <= ? AND last <= ? ORDER BY first LIMIT ?"),
    read: database.prepare(
      `SELECT ${COLUMNS} FROM block WHERE first > ? AND first <= ? AND last >= ? ORDER BY first LIMIT ?`,
    ),
    // The length stands in the row's header: asking for it reads nothing of the data.
    oldest: database.prepare(
      `SELECT ${HEAD_COLUMNS}, length(data) AS sizeBytes
       FROM block WHERE priority = ? AND first > ? AND last >= ? AND first < ? AND last < ? ORDER BY first LIMIT ?`,
    ),
    totalBelow: database
      .prepare<[number, number], number>(
        "SELECT total FROM block WHERE priority = ? AND first < ? ORDER BY first DESC LIMIT 1",
      )
      .pluck(),
    firstReaching: database.prepare(
      `${MEASURED} WHERE priority = ? AND first > ? AND first <= ? AND last >= ? ORDER BY first LIMIT 1`,
    ),
    lastReached: database.prepare(`${MEASURED} WHERE priority = ? AND first <= ? ORDER BY first DESC LIMIT 1`),
    forget: database.prepare("DELETE FROM tag WHERE key = ?"),
    load: database.prepare(`SELECT ${COLUMNS} FROM block WHERE first = ?`),
    lastBelow: database.prepare(
      `SELECT ${COLUMNS} FROM block INDEXED BY block_by_priority
       WHERE priority = ? AND first <= ? ORDER BY first DESC LIMIT 1`,
    ),
    oldestMs: database
      .prepare<[number, number], number>(
        "SELECT fromMs FROM block WHERE first > ? AND last >= ? ORDER BY first LIMIT 1",
      )
      .pluck(),
    lowest: database.prepare<[], number | null>("SELECT min(first) FROM block").pluck(),
    held: database
      .prepare<[number, number], number>(
        "SELECT first FROM block NOT INDEXED WHERE first BETWEEN ? AND ? ORDER BY first",
      )
      .pluck(),
    listed: database
      .prepare<[number, number], number>(
        `SELECT first FROM block INDEXED BY block_by_priority
         WHERE priority IN (${RANKS}) AND first BETWEEN ? AND ? ORDER BY first`,
      )
      .pluck(),
  };
}
