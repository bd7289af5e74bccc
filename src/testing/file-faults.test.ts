/** The service on files that are not what they were when it left them: seen from the far end. */
import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { OUTBOX_FILE_ID, openDatabase, openReadOnly } from "../store/sqlite.ts";
import { OUTBOX_FORMAT } from "../store/sqlite-block-store.ts";
import { FieldSite } from "./field-site.ts";

/** Where SQLite's file has the version of its content: four bytes, the highest first. */
const VERSION_AT = 60;
const NEWER_VERSION = 99;
/** A card that refused is asked again within a minute. */
const RETRY_LIMIT_MS = 90_000;
const EXIT_BUSY = 74;
/** Of a process that is refused, on a machine that has other work. */
const START_LIMIT_MS = 60_000;

interface Case {
  readonly name: string;
  /** How the run before ends. */
  readonly end: "stop" | "kill";
  /** @param path of outbox.db */
  readonly spoil: (path: string) => void;
  /** As the far end sees it. */
  readonly incident: RegExp;
  readonly isSetAside: boolean;
}

const CASES: readonly Case[] = [
  {
    name: "a torn write-ahead log",
    end: "kill",
    spoil: (path) => truncateSync(`${path}-wal`, Math.floor(statSync(`${path}-wal`).size / 2) + 1),
    incident: /^the last run did not end in order/,
    isSetAside: false,
  },
  {
    name: "a flipped bit where SQLite minds it",
    end: "stop",
    spoil: (path) => put(path, blockTableAt(path), 0xff),
    incident: /^outbox\.db .*(malformed|damaged|index)/,
    isSetAside: true,
  },
  {
    name: "a file of a newer version",
    end: "stop",
    spoil: (path) => put(path, VERSION_AT + 3, NEWER_VERSION),
    incident: /^outbox\.db .* written by a newer version of sallyport \(format 99\)/,
    isSetAside: true,
  },
  {
    name: "a zero-length file",
    end: "stop",
    spoil: (path) => truncateSync(path, 0),
    incident: /^outbox\.db is not the file it was, but an empty one/,
    isSetAside: false,
  },
  {
    name: "state.db lost",
    end: "stop",
    spoil: (path) => rmSync(path.replace("outbox.db", "state.db")),
    incident: /^state\.db was empty or missing/,
    isSetAside: false,
  },
];

describe("P8: the gateway starts, reads, publishes and says what it found", () => {
  let site: FieldSite | undefined;

  afterEach(async () => {
    await site?.close();
    site = undefined;
  });

  test("on each file that is not what it was", async () => {
    const s = await FieldSite.open();
    site = s;
    const path = join(s.stateDir, "outbox.db");
    await s.subscribe();
    const file = await s.configureWithBacklog();
    let gateway = await s.startGateway(file);
    await s.tells("outbox/incident", /^none$/, "in order");
    for (const { name, end, spoil, incident, isSetAside } of CASES) {
      await s.publishes(`before ${name}`);
      await s.stores();
      await gateway[end]();
      const asideBefore = damagedFiles(s.stateDir);
      spoil(path);
      gateway = await s.startGateway(file);
      await s.publishes(name);
      await s.tells("outbox/incident", incident, name);
      await s.tells("outbox/health", /^ok$/, name);
      assert.equal(damagedFiles(s.stateDir) - asideBefore, isSetAside ? 1 : 0, name);
    }
    assert.equal(await gateway.stop(), 0);
  });

  test("and goes on while another process wants its file", async () => {
    const s = await FieldSite.open();
    site = s;
    await s.subscribe();
    const file = await s.configureWithBacklog();
    await mkdir(s.stateDir);
    const first = await s.startGateway(file);
    const second = s.runGateway(file);
    await second.logged(/another process uses the file/, START_LIMIT_MS);
    assert.equal(await second.ended(), EXIT_BUSY, "a second gateway is refused");
    await s.publishes("beside a second gateway");
    const other = heldByOther(join(s.stateDir, "outbox.db"));
    await s.tells("outbox/health", /^failing: another process uses the file/, "while it is held", RETRY_LIMIT_MS);
    await s.publishes("while it is held");
    other.close();
    await s.tells("outbox/health", /^ok$/, "when it is free again", RETRY_LIMIT_MS);
    assert.equal(await first.stop(), 0);
  });
});

/** A tool that begins to write and does not end. */
function heldByOther(path: string): { close(): void } {
  const migrations = Array<string>(OUTBOX_FORMAT).fill("");
  const shape = { nowMs: 0, walBytes: 1_048_576, fileId: OUTBOX_FILE_ID, migrations, exclusive: false };
  const { database } = openDatabase({ path, ...shape }, (opened) => opened.exec("BEGIN IMMEDIATE"));
  return database;
}

/** The first byte of the page with which the table of blocks begins. */
function blockTableAt(path: string): number {
  const file = openReadOnly(path, { fileId: OUTBOX_FILE_ID, format: OUTBOX_FORMAT });
  const pageBytes = Number(file.pragma("page_size", { simple: true }));
  const root = file.prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'block'").pluck().get();
  file.close();
  return ((root ?? 1) - 1) * pageBytes;
}

function put(path: string, at: number, byte: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Uint8Array.of(byte), 0, 1, at);
  closeSync(file);
}

function damagedFiles(folder: string): number {
  return readdirSync(folder).filter((name) => name.includes(".damaged-") && !/-(wal|shm)$/.test(name)).length;
}
