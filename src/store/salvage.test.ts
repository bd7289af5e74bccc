import assert from "node:assert/strict";
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Sample, UplinkQueue } from "../pipeline.ts";
import { plain, readAll, StoreRig, tagRef } from "../testing/store-rig.ts";
import { OUTBOX_FILE_ID, openDatabase, openReadOnly } from "./sqlite.ts";
import { OUTBOX_FORMAT, SqliteBlockStore } from "./sqlite-block-store.ts";

const PAGE_BYTES = 1_024;
/** Samples in one block, and blocks that one page may hold or lead to where nothing else does. */
const BLOCK_SAMPLES = 50;
const MAX_LOST_BLOCKS = 20;
const LIMITS = { recentSamples: 50, maxBlockSamples: BLOCK_SAMPLES };
/** Where a page tells what it is, where cells are listed, and where they lie. */
const OFFSETS = [1, 40, 500, 980];

test("P4 P8: a flipped byte in any page costs what lies there, and whatever is lost is told", async (t) => {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  await rig.open({}, { limits: LIMITS });
  rig.queue();
  const given: Sample[] = [];
  for (let i = 0; i < 40; i++) {
    for (let n = 0; n < 100; n++) given.push(rig.appendValue(Math.sin(given.length)));
    given.push(...rig.append(1, tagRef("pump-1/fault", "high")));
    await rig.untilCommitted(given.length);
  }
  // The rig stamps ahead of its clock.
  await rig.clock.advance(120_000);
  await rig.close();
  const whole = mkdtempSync(join(tmpdir(), "sallyport-salvage-"));
  t.after(() => rmSync(whole, { recursive: true, force: true }));
  cpSync(rig.dir, whole, { recursive: true });
  const pages = statSync(join(rig.dir, "outbox.db")).size / PAGE_BYTES;
  let salvaged = 0;
  for (let page = 0; page < pages; page++) {
    const offset = OFFSETS[page % OFFSETS.length] ?? 0;
    rig.cutPower();
    rmSync(rig.dir, { recursive: true });
    cpSync(whole, rig.dir, { recursive: true });
    flip(join(rig.dir, "outbox.db"), page * PAGE_BYTES + offset);
    await rig.open({}, { limits: LIMITS });
    const queue = rig.queue();
    const left = await readAll(queue);
    const missing = given.length - new Set(left.map(({ number }) => number)).size;
    checkTold(given, left, queue, `page ${page}`);
    if (readdirSync(rig.dir).some((file) => file.includes("damaged")) && left.length > 0) salvaged++;
    assert.ok(missing <= MAX_LOST_BLOCKS * BLOCK_SAMPLES, `page ${page}: ${missing} of ${given.length}`);
    await rig.close();
  }
  assert.ok(salvaged > 0, "some files were set aside and salvaged");
});

test("P4 P8: a file whose end is missing is damaged, wherever its log begins, and whatever is lost is told", async (t) => {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  // Long rows: what of them lies on pages of its own SQLite reads past its cache.
  const limits = { recentSamples: 50, maxBlockSamples: 400 };
  await rig.open({}, { limits });
  rig.queue();
  const given: Sample[] = [];
  const fill = async (samples: number) => {
    for (const end = given.length + samples; given.length < end; ) given.push(rig.appendValue(Math.sin(given.length)));
    await rig.untilCommitted(given.length);
  };
  await fill(2_000);
  await rig.close();
  await rig.open({}, { limits });
  rig.queue();
  await fill(500);
  await rig.clock.advance(120_000);
  rig.cutPower();
  const whole = mkdtempSync(join(tmpdir(), "sallyport-truncated-"));
  t.after(() => rmSync(whole, { recursive: true, force: true }));
  cpSync(rig.dir, whole, { recursive: true });
  const bytes = statSync(join(rig.dir, "outbox.db")).size;
  for (let length = 100; length < bytes; length += 2_500) {
    rig.cutPower();
    rmSync(rig.dir, { recursive: true });
    cpSync(whole, rig.dir, { recursive: true });
    truncateSync(join(rig.dir, "outbox.db"), length);
    await rig.open({}, { limits });
    const queue = rig.queue();
    // A read that meets the missing end waits until the file is renewed.
    let left: readonly Sample[] | undefined;
    void readAll(queue).then((samples) => {
      left = samples;
    });
    await rig.until(() => left !== undefined);
    checkTold(given, left ?? [], queue, `${length} of ${bytes} bytes`);
    await rig.close();
  }
  assert.doesNotMatch(rig.logged.join("\n"), /waits for the next start/);
});

test("P8: where no block can be taken over, the new file knows what was, and takes samples", async (t) => {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  await rig.open();
  rig.queue();
  rig.append(1_000);
  await rig.untilCommitted(1_000);
  await rig.close();
  const path = join(rig.dir, "outbox.db");
  const file = openReadOnly(path, { fileId: OUTBOX_FILE_ID, format: OUTBOX_FORMAT });
  const pageBytes = Number(file.pragma("page_size", { simple: true }));
  const roots = file.prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'block'").pluck().all();
  file.close();
  for (const page of roots) flip(path, (page - 1) * pageBytes);
  await rig.open();
  assert.match(rig.logged.join("\n"), /set aside as .*, 0 blocks salvaged/);
  rig.append(1);
  await rig.untilCommitted(rig.store.outbox.report().newest);
  assert.equal(rig.queue().losses()[0]?.reason, "damaged file");
});

test("P5 P8: a key whose tag was lost in damage is given to no other tag", async (t) => {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  const tags = Array.from({ length: 300 }, (_, i) => tagRef(`pump-1/a-name-of-some-length-${i}`));
  await rig.open({}, { limits: LIMITS });
  rig.queue();
  const idOf = new Map(tags.map((tag) => [rig.append(1, tag)[0]?.value, tag.id]));
  // They are in the file, and not in memory.
  rig.append(LIMITS.recentSamples);
  await rig.untilCommitted(tags.length + LIMITS.recentSamples);
  await rig.close();
  const path = join(rig.dir, "outbox.db");
  const at = readFileSync(path).lastIndexOf("a-name-of-some-length-299");
  flip(path, at - (at % PAGE_BYTES));
  await rig.open({}, { limits: LIMITS });
  // What comes now gets keys, and so does what comes after the next start.
  for (const device of ["pump-2", "pump-3"]) {
    for (let i = 0; i < 100; i++) rig.append(1, tagRef(`${device}/${i}`));
    await rig.untilCommitted(rig.store.outbox.report().newest);
    await rig.close();
    await rig.open({}, { limits: LIMITS });
  }
  const old = (await readAll(rig.queue())).filter(({ value }) => idOf.has(value));
  assert.match(rig.logged.join("\n"), /set aside/);
  for (const { value, tag } of old) assert.equal(tag.id, idOf.get(value));
});

test("P8: a file without its first page gives up every sample, is told as damaged, and is left as it was found", async (t) => {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  await rig.open({}, { limits: LIMITS });
  rig.queue();
  const given = rig.append(1_000);
  await rig.untilCommitted(1_000);
  await rig.close();
  const path = join(rig.dir, "outbox.db");
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(PAGE_BYTES, 0x5a), 0, PAGE_BYTES, 0);
  closeSync(file);
  const found = readFileSync(path);
  await rig.open({}, { limits: LIMITS });
  const queue = rig.queue();
  assert.deepEqual((await readAll(queue)).map(plain), given.map(plain));
  assert.equal(queue.losses()[0]?.reason, "damaged file");
  const aside = readdirSync(rig.dir).find((name) => /damaged-[^w]*Z$/.test(name)) ?? "";
  assert.deepEqual(readFileSync(join(rig.dir, aside)), found);
});

test("P8: nothing is taken over from what is no outbox, and it is left as it was found", () => {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-foreign-"));
  const path = join(dir, "outbox.db");
  const shape = { path, nowMs: 0, walBytes: 65_536, exclusive: false };
  const text = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO note (text) VALUES ('float64');";
  const { database } = openDatabase(
    { ...shape, fileId: 0x12345678, migrations: [text, text.replaceAll("note", "more")] },
    () => 0,
  );
  database.close();
  for (const bytes of [readFileSync(path), Buffer.alloc(50_000, 0x5a), Buffer.alloc(0)]) {
    writeFileSync(path, bytes);
    const store = new SqliteBlockStore();
    const { setAside } = store.open(shape);
    store.close();
    if (bytes.length > 0) {
      assert.deepEqual(setAside?.salvaged, { blocks: 0, isWhole: false });
      assert.deepEqual(readFileSync(setAside.path), bytes);
    }
    for (const name of readdirSync(dir)) rmSync(join(dir, name));
  }
  rmSync(dir, { recursive: true });
});

function checkTold(given: readonly Sample[], left: readonly Sample[], queue: UplinkQueue, where: string): void {
  const known = new Map(given.map((sample) => [keyOf(sample), sample]));
  for (const sample of left) {
    assert.deepEqual(plain(sample), plain(known.get(keyOf(sample)) ?? assert.fail(where)), where);
    known.delete(keyOf(sample));
  }
  for (const { tag, sourceTimestampMs: at } of known.values()) {
    const isTold = queue
      .losses()
      .some(({ fromMs, toMs, tags }) => fromMs <= at && at <= toMs && tags.some((lost) => lost.tag.id === tag.id));
    assert.ok(isTold, `${where}: ${tag.id} at ${at} is gone and not told`);
  }
}

function keyOf({ tag, sourceTimestampMs }: Sample): string {
  return `${tag.id} ${sourceTimestampMs}`;
}

function flip(path: string, at: number): void {
  const file = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Uint8Array.of((byte[0] ?? 0) ^ 0x41), 0, 1, at);
  closeSync(file);
}
