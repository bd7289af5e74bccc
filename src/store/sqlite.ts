/** The adapter of better-sqlite3, and the settings of every file we keep. */
import { existsSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import Sqlite from "better-sqlite3";
import { makeDirectory } from "../core/directory.ts";
import { messageOf } from "../core/errors.ts";
import { type Partition, type SetAside, StorageFailure } from "./block-store.ts";

export type Database = Sqlite.Database;
export type Statement<Parameters extends unknown[], Row = unknown> = Sqlite.Statement<Parameters, Row>;

/** "SALO" and "SALS": tell our files from other SQLite files, and from each other. */
export const OUTBOX_FILE_ID = 0x53414c4f;
export const STATE_FILE_ID = 0x53414c53;
/** A commit writes whole pages, and changes little on each: small ones spare the card most of it. */
const PAGE_BYTES = 1_024;
/** A page in the write-ahead log, with its head. */
const WAL_FRAME_BYTES = PAGE_BYTES + 24;
/** In the head of a file (sqlite.org/fileformat2.html, section 1.3): from and to. */
const WAL_MARKS_AT = [18, 20] as const;
const WITH_WAL = 2;
const PAGE_COUNT_AT = [28, 32] as const;
/** For a tool that reads the file while we write. */
const BUSY_TIMEOUT_MS = 5_000;
const CACHE_KIB = 2_048;
/** Of one file that was set aside more than once. */
const MAX_SET_ASIDE_FILES = 3;
const MAX_SET_ASIDE_BYTES = 1_000_000_000;
const MIN_WAL_PAGES = 16;

/** Sees all that SQLite is told; for proofs. */
export interface SqliteWatch {
  /** A file was opened and configured. */
  opened(database: Database): void;
  /** Before each statement; what it throws, the statement throws. */
  statement(sql: string, path: string): void;
}

export interface DatabaseOptions {
  readonly path: string;
  readonly nowMs: number;
  readonly walBytes: number;
  readonly fileId: number;
  /** Statements that make version 1, 2, … of the file from the one before; append only. */
  readonly migrations: readonly string[];
  /** Nobody else may open the file: a second gateway on the same state is refused. */
  readonly exclusive: boolean;
  readonly watch?: SqliteWatch | undefined;
}

export interface OpenDatabase<T> {
  readonly database: Database;
  readonly content: T;
  readonly setAside: SetAside | undefined;
}

/**
 * Opens a file and reads what `load` wants of it. A file that is no database of ours, or damaged, is renamed, with the
 * time in its name, and a new one begun.
 * @throws StorageFailure for what a new file would not mend
 */
export function openDatabase<T>(options: DatabaseOptions, load: (database: Database) => T): OpenDatabase<T> {
  try {
    makeDirectory(dirname(options.path));
    return { ...openWhereRoomIs(options, load), setAside: undefined };
  } catch (thrown) {
    const failure = storageFailure(thrown);
    if (failure.kind !== "damaged") throw failure;
    const path = setAsideFile(options.path, options.nowMs);
    return { ...openOnce(options, load), setAside: { path, reason: failure.message } };
  }
}

/**
 * SQLite shares the index of the write-ahead log through a file beside it. A full card has no room for one; a file that
 * nobody else may open needs none. So a gateway starts on a full card, at the price of tools that must wait.
 */
function openWhereRoomIs<T>(
  options: DatabaseOptions,
  load: (database: Database) => T,
): { database: Database; content: T } {
  try {
    return openOnce(options, load);
  } catch (thrown) {
    if (!codeOf(thrown).startsWith("SQLITE_IOERR_SHM")) throw thrown;
    return openOnce({ ...options, exclusive: true }, load);
  }
}

function openOnce<T>(options: DatabaseOptions, load: (database: Database) => T): { database: Database; content: T } {
  const { path, watch } = options;
  const verbose = watch && ((sql: unknown) => watch.statement(String(sql), path));
  const database = immortal(new Sqlite(path, { timeout: BUSY_TIMEOUT_MS, ...(verbose && { verbose }) }));
  try {
    configure(database, options);
    watch?.opened(database);
    migrate(database, options);
    return { database, content: load(database) };
  } catch (thrown) {
    database.close();
    // The file says that it is ours, and is not. Any other error in a statement is our bug, and no reason to set it aside.
    if (/^no such (table|column|index)|has no column named/.test(messageOf(thrown)))
      throw new StorageFailure("damaged", messageOf(thrown));
    throw thrown;
  }
}

/** A new file of that kind, in memory only. */
export function openInMemory({ fileId, migrations }: Pick<DatabaseOptions, "fileId" | "migrations">): Database {
  const database = immortal(new Sqlite(":memory:"));
  shapeNew(database);
  migrate(database, { fileId, migrations });
  return database;
}

/** With what every file of a kind begins: SQLite's head and the schema, which one page holds. */
export function firstPageOf(kind: Pick<DatabaseOptions, "fileId" | "migrations">): Uint8Array {
  const database = openInMemory(kind);
  const page = Uint8Array.from(database.serialize().subarray(0, PAGE_BYTES));
  database.close();
  page.fill(WITH_WAL, ...WAL_MARKS_AT);
  // Its length is then what the file system says.
  page.fill(0, ...PAGE_COUNT_AT);
  return page;
}

/**
 * A file of ours to look at; nothing is ever written to it.
 * @param format the newest that is understood
 * @throws StorageFailure when it is not ours, or too new
 */
export function openReadOnly(path: string, { fileId, format }: { fileId: number; format: number }): Database {
  const database = immortal(new Sqlite(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS }));
  try {
    if (number(database.pragma("application_id", { simple: true })) !== fileId) throw notOurs();
    const version = number(database.pragma("user_version", { simple: true }));
    if (version > format) throw tooNew(version);
    return database;
  } catch (thrown) {
    database.close();
    throw storageFailure(thrown);
  }
}

/**
 * Takes the file for this process, so that no second gateway works on it; readers are not kept away. The lock is the
 * system's own and ends with the process. Where the card takes no new file there is none.
 *
 * @throws StorageFailure when another process has it
 */
export function takeLock(path: string, watch?: SqliteWatch): Database | undefined {
  let lock: Database | undefined;
  try {
    lock = immortal(new Sqlite(`${path}-lock`, { timeout: 0 }));
    watch?.opened(lock);
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (thrown) {
    lock?.close();
    const failure = storageFailure(thrown);
    if (failure.kind === "busy") throw failure;
    return undefined;
  }
}

const immortals = new Set<Database | Sqlite.Statement>();

/**
 * Keeps the file's object and every statement for ever, each text prepared once. Built against Node 24.19 or later,
 * better-sqlite3 before 13 aborts the process when the garbage collector meets one of them while no script runs
 * (nodejs/node#65446). The gateway has a few dozen statements, so this costs nothing.
 */
function immortal(database: Database): Database {
  immortals.add(database);
  const prepare = database.prepare.bind(database);
  const prepared = new Map<string, Sqlite.Statement>();
  const once = (sql: string): Sqlite.Statement => {
    const statement = prepared.get(sql) ?? (prepare(sql) as Sqlite.Statement);
    prepared.set(sql, statement);
    immortals.add(statement);
    return statement;
  };
  return Object.assign(database, {
    prepare: once,
    // The library's own prepares anew each time.
    pragma(text: string, options: Sqlite.PragmaOptions = {}): unknown {
      const statement = once(`PRAGMA ${text}`);
      if (!statement.reader) return statement.run();
      return options.simple === true ? statement.pluck(true).get() : statement.pluck(false).all();
    },
  });
}

function configure(database: Database, { walBytes, exclusive }: DatabaseOptions): void {
  const walPages = Math.max(MIN_WAL_PAGES, Math.floor(walBytes / WAL_FRAME_BYTES));
  // First of all: the first look at a file decides whether its log gets a shared index.
  database.pragma(`locking_mode = ${exclusive ? "EXCLUSIVE" : "NORMAL"}`);
  // These shape a new file. On one that is there the second would write, which a full card cannot take.
  if (number(database.pragma("page_count", { simple: true })) === 0) shapeNew(database);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  // Half of it: what one commit adds comes on top.
  database.pragma(`wal_autocheckpoint = ${Math.max(MIN_WAL_PAGES, walPages >> 1)}`);
  database.pragma(`journal_size_limit = ${walPages * WAL_FRAME_BYTES}`);
  database.pragma(`cache_size = -${CACHE_KIB}`);
  database.pragma("temp_store = MEMORY");
  database.pragma("cell_size_check = ON");
  database.pragma("trusted_schema = OFF");
}

function shapeNew(database: Database): void {
  database.pragma(`page_size = ${PAGE_BYTES}`);
  database.pragma("auto_vacuum = INCREMENTAL");
}

function migrate(database: Database, { migrations, fileId }: Pick<DatabaseOptions, "migrations" | "fileId">): void {
  const version = number(database.pragma("user_version", { simple: true }));
  const application = number(database.pragma("application_id", { simple: true }));
  const tables = number(database.prepare("SELECT count(*) FROM sqlite_schema").pluck().get());
  const ours = application === fileId || (version === 0 && tables === 0);
  if (!ours) throw notOurs();
  if (version > migrations.length) throw tooNew(version);
  if (version === migrations.length) return;
  const upgrade = database.transaction(() => {
    for (const statements of migrations.slice(version)) database.exec(statements);
    database.pragma(`application_id = ${fileId}`);
    database.pragma(`user_version = ${migrations.length}`);
  });
  upgrade.immediate();
}

function notOurs(): StorageFailure {
  return new StorageFailure("damaged", "it is not a file of this gateway");
}

/** The file is in order, for a later version of us. */
export class NewerFormat extends StorageFailure {}

function tooNew(version: number): StorageFailure {
  return new NewerFormat("damaged", `it was written by a newer version of sallyport (format ${version})`);
}

/** Renames what there is of the file and its write-ahead log, so that what is in them can still be looked at. */
export function setAsideFile(path: string, nowMs: number): string {
  const time = new Date(nowMs).toISOString().replaceAll(":", "-");
  let aside = `${path}.damaged-${time}`;
  for (let i = 2; existsSync(aside); i++) aside = `${path}.damaged-${time}-${i}`;
  if (existsSync(path)) renameSync(path, aside);
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
  rmSync(`${path}-shm`, { force: true });
  removeOldest(path);
  return aside;
}

/** A card that keeps damaging its file must not be filled with what is left of it. The newest always stays. */
function removeOldest(path: string): void {
  const prefix = `${basename(path)}.damaged-`;
  const names = readdirSync(dirname(path)).filter((name) => name.startsWith(prefix));
  let bytes = 0;
  // The time in the name orders them.
  for (const [age, name] of names
    .filter((other) => !/-(?:wal|shm)$/.test(other))
    .sort()
    .reverse()
    .entries()) {
    const file = join(dirname(path), name);
    bytes += statSync(file).size;
    if (age === 0 || (age < MAX_SET_ASIDE_FILES && bytes <= MAX_SET_ASIDE_BYTES)) continue;
    for (const part of [file, `${file}-wal`, `${file}-shm`]) rmSync(part, { force: true });
  }
}

export interface FileSize {
  readonly fileBytes: number;
  readonly usedBytes: number;
  /** Of the file without its write-ahead log. */
  readonly pagesBytes: number;
}

export function fileSize(database: Database): FileSize {
  const pages = number(database.pragma("page_count", { simple: true }));
  const freePages = number(database.pragma("freelist_count", { simple: true }));
  const wal = statSync(`${database.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  return {
    fileBytes: pages * PAGE_BYTES + wal,
    usedBytes: (pages - freePages) * PAGE_BYTES,
    pagesBytes: pages * PAGE_BYTES,
  };
}

/** The partition of a file. Undefined where the system does not tell. */
export function partitionOf(path: string): Partition | undefined {
  try {
    const { bsize, blocks, bavail } = statfsSync(path);
    return { sizeBytes: blocks * bsize, freeBytes: bavail * bsize };
  } catch {
    return undefined;
  }
}

/** A short read is the end of the file, where its head says that there is more: a card that fails tells another error. */
const DAMAGED = /^SQLITE_(CORRUPT|NOTADB$|IOERR_SHORT_READ$)/;

/** Anything thrown by a call to SQLite or to the file system, sorted and in words. */
export function storageFailure(thrown: unknown): StorageFailure {
  if (thrown instanceof StorageFailure) return thrown;
  const code = codeOf(thrown);
  const words = `${messageOf(thrown)}${code === "" ? "" : ` (${code})`}`;
  if (code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT") {
    return new StorageFailure("full", `there is no room on the card: ${words}`);
  }
  if (DAMAGED.test(code)) return new StorageFailure("damaged", words);
  if (code.startsWith("SQLITE_BUSY")) return new StorageFailure("busy", `another process uses the file: ${words}`);
  if (code.startsWith("SQLITE_READONLY") || code === "EROFS") {
    return new StorageFailure("failing", `the card is write-protected: ${words}`);
  }
  return new StorageFailure("failing", words);
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
