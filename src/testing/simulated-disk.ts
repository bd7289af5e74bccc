/**
 * A card that fails, wears and loses power: a Storage on real SQLite files, in-process and in virtual time. What it
 * does is drawn from the Random it is given, so that a run can be repeated.
 *
 *     a call:  asked ─► waits its turn, and for a slow card ─► statement, statement, … ─► done ─► answered
 *                 │                                               │                        │
 *                 └─────────── the power can be cut at each of these points ───────────────┘
 *
 * A life ends with the power: none of its calls is ever answered again. The next one begins in a new folder, with what
 * the card had kept: all that was committed with synchronous=FULL, as the connection says it is, and of what lies
 * behind it anything.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Clock, sleep } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import { type OpenedBlocks, StorageFailure, type Usage } from "../store/block-store.ts";
import { type Database, storageFailure } from "../store/sqlite.ts";
import {
  type Argument,
  buffersOf,
  type CallName,
  createStorageCalls,
  type Result,
  type StorageCalls,
} from "../store/storage-calls.ts";
import { MAX_IN_FLIGHT, type Storage, storageOver } from "../store/storage-client.ts";
import { type LogMark, markOf, tear } from "./write-ahead-log.ts";

export interface DiskOptions {
  /** A folder of its own. The caller removes it. */
  readonly root: string;
  readonly clock: Clock;
  readonly random: Random;
}

/** full: nothing more can be written. readOnly: the same, for ever. erroring: writing and reading fail. */
export type DiskFault = "none" | "full" | "readOnly" | "erroring";

/** What the card does to every call from now on. */
export interface DiskCondition {
  fault: DiskFault;
  /** Of the statements that could fail, 0 to 1. */
  faultShare: number;
  /** What a call takes. */
  slowMs: number;
}

/** flipped: some bytes differ. truncated: the end is missing. emptied: nothing is left. */
export type Damage = "flipped" | "truncated" | "emptied";

/** PRAGMA synchronous. */
const SYNCHRONOUS_FULL = 2;
const WRITES = /^\s*(?:INSERT|UPDATE|DELETE|CREATE|COMMIT)\b/i;
const READS = /^\s*SELECT\b/i;
const FLIPPED_BYTES_MAX = 16;
/** Of the cuts at a COMMIT, those that leave it half written. */
const TORN_SHARE = 0.75;

interface Life {
  readonly dir: string;
  readonly files: Map<string, OpenFile>;
  /** The end of the last call: one is worked on at a time, as on a thread. */
  last: Promise<unknown>;
  inFlight: number;
  /** To the write-ahead logs. */
  writtenBytes: number;
  isWorking: boolean;
  isOver: boolean;
}

interface OpenFile {
  readonly database: Database;
  /** A commit has reached the card when it returns, says the connection. */
  isFull: boolean;
  /** What of the log is sure to be on the card. */
  sure: LogMark;
}

/** A commit during which the power goes. */
interface Torn {
  readonly path: string;
  readonly before: Uint8Array;
}

export class SimulatedDisk {
  readonly condition: DiskCondition = { fault: "none", faultShare: 1, slowMs: 0 };
  readonly #options: DiskOptions;
  #folders = 0;
  #life: Life;
  /** Points until the power is cut. */
  #pointsLeft = Number.POSITIVE_INFINITY;
  #onCut: () => void = () => undefined;
  #torn: Torn | undefined;
  #isAsking = false;

  constructor(options: DiskOptions) {
    this.#options = options;
    this.#life = newLife(this.#newDir());
  }

  /** The state directory: it changes with every power cut. */
  get dir(): string {
    return this.#life.dir;
  }

  /** The storage for the next process. One runs at a time: whatever still has files open is killed. */
  open(): Storage {
    this.#kill(this.#life);
    const life = newLife(this.dir);
    this.#life = life;
    const calls = withoutHost(
      life,
      createStorageCalls({
        opened: (database) => this.#opened(life, database),
        statement: (sql, path) => this.#statement(life, sql, path),
      }),
    );
    return storageOver(
      (name, argument) => this.#call(life, calls, name, argument),
      async () => closeFiles(life),
    );
  }

  cutPower(): void {
    const life = this.#life;
    this.#pointsLeft = Number.POSITIVE_INFINITY;
    const dir = this.#newDir();
    keepWhatIsSure(life, dir, this.#torn, this.#options.random);
    this.#torn = undefined;
    this.#life = newLife(dir);
    this.#kill(life);
    this.#onCut();
  }

  /**
   * Cuts the power at the so-manieth point from now.
   *
   * @param onCut called in that very turn, amid whatever runs: the next life may only begin in a later one
   */
  cutAfter(points: number, onCut: () => void): void {
    this.#pointsLeft = points;
    this.#onCut = onCut;
  }

  /** What time, worms and other programs do to a file that is not open. */
  damage(file: "outbox.db" | "state.db", how: Damage): void {
    const path = join(this.dir, file);
    const { random } = this.#options;
    const bytes = readFileSync(path);
    if (how === "emptied") truncateSync(path, 0);
    else if (how === "truncated") truncateSync(path, Math.floor(random.next() * bytes.length));
    else {
      for (let left = 1 + Math.floor(random.next() * FLIPPED_BYTES_MAX); left > 0; left--) {
        const at = Math.floor(random.next() * bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 + Math.floor(random.next() * 255));
      }
      writeFileSync(path, bytes);
    }
  }

  /** With its write-ahead log. */
  bytesOf(file: "outbox.db" | "state.db"): number {
    const parts = [join(this.dir, file), logOf(join(this.dir, file))];
    return parts.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
  }

  /** Ends what is still open. */
  end(): void {
    this.#kill(this.#life);
  }

  #kill(life: Life): void {
    life.isOver = true;
    // Amid a statement nothing can be closed: it will be when the call ends.
    if (!life.isWorking) this.#leave(life);
  }

  #leave(life: Life): void {
    closeFiles(life);
    if (life.dir !== this.dir) rmSync(life.dir, { recursive: true, force: true });
  }

  async #call<K extends CallName>(life: Life, calls: StorageCalls, name: K, argument: Argument<K>): Promise<Result<K>> {
    if (life.isOver) return never();
    if (life.inFlight >= MAX_IN_FLIGHT) throw new StorageFailure("failing", "the card does not keep up");
    this.#point(life);
    life.inFlight += 1;
    // What crosses to a thread is moved: whoever still looks at its buffers finds them empty.
    const given = structuredClone(argument, { transfer: buffersOf(argument) });
    const turn = life.last.then(() => this.#work(life, () => calls[name](given)));
    life.last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      life.inFlight -= 1;
    }
  }

  async #work<T>(life: Life, call: () => T): Promise<T> {
    const { clock, random } = this.#options;
    const { slowMs } = this.condition;
    const beforeMs = slowMs * random.next();
    if (slowMs > 0) await sleep(clock, beforeMs);
    if (life.isOver) return never();
    life.isWorking = true;
    try {
      return call();
    } catch (thrown) {
      throw storageFailure(thrown);
    } finally {
      life.isWorking = false;
      if (this.#torn !== undefined) this.cutPower();
      if (life.isOver) this.#leave(life);
      else this.#ask(life);
      this.#point(life);
      if (slowMs > 0) await sleep(clock, slowMs - beforeMs);
      // Overrides what was returned or thrown: nobody hears it any more.
      if (life.isOver) await never();
    }
  }

  /** @returns whether the power went at this point */
  #point(life: Life): boolean {
    if (life !== this.#life || life.isOver || this.#pointsLeft === Number.POSITIVE_INFINITY) return false;
    this.#pointsLeft -= 1;
    if (this.#pointsLeft > 0) return false;
    this.cutPower();
    return true;
  }

  #opened(life: Life, database: Database): void {
    const sure = markOf(logOf(database.name));
    life.files.set(database.name, { database, isFull: this.#isFull(database), sure });
  }

  #statement(life: Life, sql: string, path: string): void {
    if (life.isOver || this.#isAsking) return;
    if (this.#torn !== undefined) {
      this.cutPower();
      throw new Error("the power was cut in the commit before");
    }
    this.#fail(sql);
    if (this.#pointsLeft === 1 && /^COMMIT/i.test(sql) && this.#options.random.next() < TORN_SHARE) {
      noteSure(life);
      this.#torn = { path, before: readFileSync(path) };
      return;
    }
    if (this.#pointsLeft === 1) noteSure(life);
    if (this.#point(life)) throw new Error("the power was cut");
  }

  #fail(sql: string): void {
    const { fault, faultShare } = this.condition;
    if (fault === "none") return;
    const mayFail = WRITES.test(sql) || (fault === "erroring" && READS.test(sql));
    if (!mayFail || this.#options.random.next() >= faultShare) return;
    throw Object.assign(new Error(FAILURES[fault].words), { code: FAILURES[fault].code });
  }

  /** After a call: asks each connection how it commits, which cannot be asked amid a statement. */
  #ask(life: Life): void {
    for (const [path, file] of life.files) {
      if (file.database.open) file.isFull = this.#isFull(file.database);
      else life.files.delete(path);
    }
    noteSure(life);
  }

  #isFull(database: Database): boolean {
    this.#isAsking = true;
    const setting = database.pragma("synchronous", { simple: true });
    this.#isAsking = false;
    if (typeof setting !== "number") throw new Error(`PRAGMA synchronous answers ${String(setting)}`);
    return setting >= SYNCHRONOUS_FULL;
  }

  #newDir(): string {
    const dir = join(this.#options.root, `life-${++this.#folders}`);
    mkdirSync(dir, { recursive: true });
    return dir;
  }
}

const FAILURES: Record<Exclude<DiskFault, "none">, { readonly code: string; readonly words: string }> = {
  full: { code: "SQLITE_FULL", words: "database or disk is full" },
  readOnly: { code: "SQLITE_READONLY", words: "attempt to write a readonly database" },
  erroring: { code: "SQLITE_IOERR", words: "disk I/O error" },
};

function newLife(dir: string): Life {
  return {
    dir,
    files: new Map(),
    last: Promise.resolve(),
    inFlight: 0,
    writtenBytes: 0,
    isWorking: false,
    isOver: false,
  };
}

/** What the machine tells of itself differs from run to run: its partition, and what its thread wrote for the collector. */
function withoutHost(life: Life, calls: StorageCalls): StorageCalls {
  const usageOf = (told: Usage) => ({ ...told, partition: undefined, writtenBytes: life.writtenBytes });
  const openedOf = (told: OpenedBlocks) => ({ ...told, usage: usageOf(told.usage) });
  return {
    ...calls,
    openBlocks: (request) => openedOf(calls.openBlocks(request)),
    renewBlocks: (request) => openedOf(calls.renewBlocks(request)),
    commitBlocks: (change) => usageOf(calls.commitBlocks(change)),
  };
}

/** What was committed by now is on the card. */
function noteSure(life: Life): void {
  for (const [path, file] of life.files) {
    if (!file.isFull) continue;
    const sure = markOf(logOf(path), file.sure);
    life.writtenBytes += sure.framesBytes - (sure.salt === file.sure.salt ? file.sure.framesBytes : 0);
    file.sure = sure;
  }
}

function logOf(path: string): string {
  return `${path}-wal`;
}

function keepWhatIsSure(life: Life, dir: string, torn: Torn | undefined, random: Random): void {
  for (const name of readdirSync(life.dir)) {
    // Shared memory: gone with the power.
    if (!name.endsWith("-shm")) cpSync(join(life.dir, name), join(dir, name));
  }
  for (const [path, { sure }] of life.files) {
    const copy = join(dir, basename(path));
    const isTorn = torn?.path === path;
    // Only what the log holds for sure is brought back into the file: its pages may then be half written.
    if (isTorn && wasWrittenBack(path, torn.before) && random.next() < 0.5) {
      writeFileSync(copy, mixed(readFileSync(path), torn.before, random));
      continue;
    }
    if (isTorn) writeFileSync(copy, torn.before);
    tear(logOf(copy), sure, random);
  }
}

function wasWrittenBack(path: string, before: Uint8Array): boolean {
  return !readFileSync(path).equals(before);
}

function mixed(after: Uint8Array, before: Uint8Array, random: Random): Uint8Array {
  const at = Math.floor(random.next() * after.length);
  return Buffer.concat([after.subarray(0, at), before.subarray(at)]);
}

function closeFiles(life: Life): void {
  for (const { database } of life.files.values()) database.close();
  life.files.clear();
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
