/** Takes over from a file that was set aside what can still be read of it, row by row round what cannot. */
import { PRIORITIES } from "../core/tag.ts";
import type { Block, Facts, TagEntry } from "./block-store.ts";
import { type Database, OUTBOX_FILE_ID, openReadOnly, type Statement } from "./sqlite.ts";
import { readFacts } from "./sqlite-facts.ts";

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

/** @param format the newest that is understood; a file that is not ours, or newer, is left alone */
export function salvage(path: string, format: number, target: SalvageTarget): Salvaged {
  let source: Database | undefined;
  let blocks = 0;
  try {
    source = openReadOnly(path, { fileId: OUTBOX_FILE_ID, format });
    const tags = source.prepare<[], TagEntry>("SELECT key, device, name, type FROM tag").all();
    target.putTags?.(tags);
    let isWhole = true;
    const database = source;
    const facts = attempt(() => readFacts(database));
    if (facts === undefined) isWhole = false;
    else target.putFacts?.(facts);
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
    attempt(() => source?.close());
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
