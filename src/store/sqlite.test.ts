import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { afterCollection } from "../testing/garbage.ts";
import { type Database, OUTBOX_FILE_ID, openDatabase, STATE_FILE_ID, setAsideFile } from "./sqlite.ts";

let dir = "";
before(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-sqlite-"));
});
after(() => rmSync(dir, { recursive: true, force: true }));

function open(name: string, load: (database: Database) => unknown = () => undefined): Database {
  const migrations = ["CREATE TABLE thing (name TEXT PRIMARY KEY)"];
  const options = {
    path: join(dir, name),
    nowMs: 0,
    walBytes: 1e6,
    fileId: OUTBOX_FILE_ID,
    migrations,
    exclusive: false,
  };
  return openDatabase(options, load).database;
}

test("P8: the garbage collector never meets a statement: on Node 24 it would abort the process", async () => {
  const seen: WeakRef<object>[] = [];
  (() => {
    const database = open("kept.db");
    seen.push(new WeakRef(database), new WeakRef(database.prepare("SELECT count(*) FROM thing")));
    database.close();
  })();
  assert.deepEqual(await afterCollection(seen), [false, false]);
});

test("a statement is prepared once for its text", () => {
  const database = open("once.db");
  assert.equal(database.prepare("SELECT 1"), database.prepare("SELECT 1"));
  database.close();
});

test("settings are what they were asked to be", () => {
  const database = open("settings.db");
  const setting = (name: string) => database.pragma(name, { simple: true });
  assert.equal(setting("journal_mode"), "wal");
  assert.equal(setting("synchronous"), 2);
  assert.equal(setting("auto_vacuum"), 2);
  assert.equal(setting("user_version"), 1);
  assert.deepEqual(database.pragma("foreign_keys"), [{ foreign_keys: 1 }]);
  database.close();
});

test("P8: a file of the other kind is set aside, not taken for one's own", () => {
  open("swapped.db").close();
  const options = { path: join(dir, "swapped.db"), nowMs: 0, walBytes: 1e6, migrations: [], exclusive: false };
  const { database, setAside } = openDatabase({ ...options, fileId: STATE_FILE_ID }, () => undefined);
  assert.match(setAside?.reason ?? "", /not a file of this gateway/);
  database.close();
});

test("P8: a file whose end is missing is set aside, wherever it ends: no start waits for a card that is well", () => {
  const database = open("whole.db");
  const insert = database.prepare("INSERT INTO thing VALUES (?)");
  // Longer than a page: what does not fit is read past SQLite's cache, with an error of its own.
  for (let i = 0; i < 8; i++) insert.run(`${i} ${"x".repeat(3_000)}`);
  database.pragma("wal_checkpoint(TRUNCATE)");
  // What follows stands in the log, with the first page and its count of pages.
  insert.run("last");
  const whole = readFileSync(join(dir, "whole.db"));
  const log = readFileSync(join(dir, "whole.db-wal"));
  for (let bytes = 1; bytes < whole.length; bytes += 509) {
    const name = `cut-${bytes}.db`;
    writeFileSync(join(dir, name), whole.subarray(0, bytes));
    writeFileSync(join(dir, `${name}-wal`), log);
    open(name, (cut) => cut.prepare("SELECT * FROM thing").all()).close();
  }
});

test("P8: a file that lacks a table is set aside", () => {
  open("poor.db").close();
  const migrations = ["CREATE TABLE thing (name TEXT PRIMARY KEY)"];
  const options = { path: join(dir, "poor.db"), nowMs: 0, walBytes: 1e6, fileId: OUTBOX_FILE_ID, migrations };
  let looks = 0;
  const { database, setAside } = openDatabase({ ...options, exclusive: false }, (file) => {
    looks += 1;
    if (looks === 1) file.prepare("SELECT * FROM elsewhere");
  });
  assert.match(setAside?.reason ?? "", /no such table/);
  database.close();
});

test("P7: of a file that is set aside again and again the newest three are kept", () => {
  const path = join(dir, "worn.db");
  for (let day = 1; day <= 5; day++) {
    writeFileSync(path, `day ${day}`);
    writeFileSync(`${path}-wal`, "");
    setAsideFile(path, Date.UTC(2026, 0, day));
  }
  const kept = readdirSync(dir).filter((name) => name.startsWith("worn.db.damaged-") && !name.endsWith("-wal"));
  assert.deepEqual(
    kept.sort().map((name) => readFileSync(join(dir, name), "utf8")),
    ["day 3", "day 4", "day 5"],
  );
  assert.equal(readdirSync(dir).filter((name) => name.startsWith("worn.db.damaged-")).length, 6);
});
