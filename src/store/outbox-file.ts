/**
 * Looks into an outbox without changing it: that of a gateway at work, or the card of a dead one in a laptop. The file
 * of a gateway at work is read where it is. Any other is read as a copy, because SQLite writes beside each file of
 * this kind that it opens.
 */
import { cpSync, existsSync, mkdtempSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TagRef } from "../core/tag.ts";
import type { NumberedSample } from "../pipeline.ts";
import { contentOf } from "./block-content.ts";
import { type Block, type Facts, StorageFailure } from "./block-store.ts";
import { Dictionary } from "./dictionary.ts";
import { isLocked } from "./file-lock.ts";
import { countUpTo } from "./ranges.ts";
import { readFacts, readTags } from "./row-sums.ts";
import { type SavedOutbox, savedOutbox } from "./saved-facts.ts";
import { type Database, fileSize, OUTBOX_FILE_ID, openReadOnly, storageFailure } from "./sqlite.ts";
import { OUTBOX_FORMAT } from "./sqlite-block-store.ts";
import { dated, isUndated } from "./stored-sample.ts";

/** What the file holds as a whole, as its rows tell. */
export interface OutboxSummary {
  /** With its write-ahead log. */
  readonly fileBytes: number;
  readonly blocks: number;
  readonly samples: number;
  /** Source times, UTC ms; null where there is no block. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
}

/** Source times, UTC ms, both inclusive. */
export interface TimeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

export class OutboxFile {
  /** A process on this machine works on it. */
  readonly isInUse: boolean;
  readonly saved: SavedOutbox;
  readonly facts: Facts;
  /** Blocks whose samples could not be read so far, and why. */
  readonly damaged: { readonly block: Block; readonly problem: string }[] = [];
  readonly #path: string;
  readonly #copy: string | undefined;
  readonly #database: Database;
  readonly #dictionary: Dictionary;

  /**
   * @param tempDir where a copy goes
   * @throws StorageFailure when it is no outbox, or cannot be read
   */
  constructor(path: string, tempDir = tmpdir()) {
    // The write-ahead log stands beside the file itself, not beside a link to it.
    this.#path = realPathOf(path);
    this.isInUse = isLocked(this.#path);
    this.#copy = this.isInUse ? undefined : copyOf(this.#path, tempDir);
    try {
      const source = this.#copy === undefined ? this.#path : join(this.#copy, COPY_NAME);
      this.#database = openReadOnly(source, { fileId: OUTBOX_FILE_ID, format: OUTBOX_FORMAT });
      this.#dictionary = new Dictionary(readTags(this.#database).tags);
      this.facts = readFacts(this.#database).facts;
      this.saved = savedOutbox(this.facts, this.#dictionary);
    } catch (thrown) {
      this.#removeCopy();
      throw storageFailure(thrown);
    }
  }

  summary(): OutboxSummary {
    const row = this.#database
      .prepare<[], Omit<OutboxSummary, "fileBytes">>(
        `SELECT count(*) AS blocks, ifnull(sum(samples), 0) AS samples, min(fromMs) AS fromMs, max(toMs) AS toMs
         FROM block`,
      )
      .get();
    const fileBytes = [this.#path, `${this.#path}-wal`].reduce((sum, file) => sum + sizeOf(file), 0);
    return { blocks: 0, samples: 0, fromMs: null, toMs: null, ...row, fileBytes };
  }

  /** All that its blocks take, rows and pages included. */
  usedBytes(): number {
    return fileSize(this.#database).usedBytes;
  }

  /** Numbers that an uplink's broker has not acknowledged, as far as they were ever stored. */
  depthOf(uplink: string): number {
    const highest = this.#database.prepare<[], number | null>("SELECT max(last) FROM block").pluck().get() ?? 0;
    return countUpTo(this.saved.uplinks.get(uplink)?.pending ?? [{ from: 1, to: highest }], highest);
  }

  /** All that it ever held samples of. */
  tags(): readonly TagRef[] {
    return this.#dictionary.all();
  }

  /**
   * By number, those of all priorities in one row: the order in which they were taken in. What is damaged is left out
   * and noted.
   */
  *samples(span: TimeSpan): Generator<NumberedSample> {
    let waiting: NumberedSample[] = [];
    for (const block of this.#blocks(span)) {
      const cut = waiting.findIndex(({ number }) => number >= block.first);
      yield* inSpan(cut < 0 ? waiting : waiting.slice(0, cut), span);
      waiting = cut < 0 ? [] : waiting.slice(cut);
      waiting.push(...this.#read(block));
      waiting.sort((a, b) => a.number - b.number);
    }
    yield* inSpan(waiting, span);
  }

  close(): void {
    this.#database.close();
    this.#removeCopy();
  }

  /** One by one: the file of a gateway at work must not be held by a reader that waits for its pipe. */
  *#blocks({ fromMs, toMs }: TimeSpan): Generator<Block> {
    const next = this.#database.prepare<[number, number, number], Block>(
      `SELECT first, last, samples, priority, epoch, fromMs, toMs, runMs, data FROM block
       WHERE first > ? AND (toMs >= ? AND fromMs <= ? ${this.#undatedNumbers()}) ORDER BY first LIMIT 1`,
    );
    try {
      for (let block = next.get(-1, fromMs, toMs); block !== undefined; block = next.get(block.first, fromMs, toMs)) {
        yield block;
      }
    } catch (thrown) {
      throw storageFailure(thrown);
    }
  }

  #read(block: Block): readonly NumberedSample[] {
    const { samples, problem } = contentOf(block, this.#dictionary);
    if (problem !== undefined) this.damaged.push({ block, problem });
    return samples.map((sample) =>
      isUndated(sample) ? dated(sample, this.saved.boots.get(sample.boot)?.fixed) : sample,
    );
  }

  /** The rows of undated blocks tell only what time it may have been. */
  #undatedNumbers(): string {
    const ranges = [...this.saved.boots.values()].filter(({ from, to }) => from <= to);
    return ranges.map(({ from, to }) => `OR first BETWEEN ${from} AND ${to}`).join(" ");
  }

  #removeCopy(): void {
    if (this.#copy !== undefined) rmSync(this.#copy, { recursive: true, force: true });
  }
}

const COPY_NAME = "outbox.db";

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (thrown) {
    throw storageFailure(thrown);
  }
}

/** The write-ahead log goes with it: what was committed last stands there only. */
function copyOf(path: string, tempDir: string): string {
  const folder = copyFolder(tempDir);
  const copy = join(folder, COPY_NAME);
  try {
    cpSync(path, copy);
    if (existsSync(`${path}-wal`)) cpSync(`${path}-wal`, `${copy}-wal`);
    return folder;
  } catch (thrown) {
    rmSync(folder, { recursive: true, force: true });
    const failure = storageFailure(thrown);
    throw failure.kind === "full" ? noPlace(tempDir, failure) : failure;
  }
}

function copyFolder(tempDir: string): string {
  try {
    return mkdtempSync(join(tempDir, "sallyport-outbox-"));
  } catch (thrown) {
    throw noPlace(tempDir, storageFailure(thrown));
  }
}

/** It is the folder for copies that fails, not the card that is read. */
function noPlace(tempDir: string, { kind, message }: StorageFailure): StorageFailure {
  return new StorageFailure(
    kind,
    `no copy can be made in ${tempDir}; set TMPDIR to a folder with room for it: ${message}`,
  );
}

function inSpan(samples: readonly NumberedSample[], { fromMs, toMs }: TimeSpan): readonly NumberedSample[] {
  return samples.filter(({ sourceTimestampMs: at }) => at >= fromMs && at <= toMs);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
