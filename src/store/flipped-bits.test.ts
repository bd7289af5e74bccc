/** What SQLite does not notice: a bit that flips in the text of a row. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { NumberedSample, Sample } from "../pipeline.ts";
import { plain, readAll, StoreRig, tagRef } from "../testing/store-rig.ts";
import { OUTBOX_FILE_ID, openReadOnly, STATE_FILE_ID } from "./sqlite.ts";
import { OUTBOX_FORMAT } from "./sqlite-block-store.ts";

/** Of all bits so many are tried, evenly spread. */
const TRIES = 16;
/** Tags whose names lie a bit or two apart, in memory no more. */
const TAGS = ["pump-1/speed", "pump-3/speed", "pump-1/spedd"].map((id) => tagRef(id));
const LIMITS = { recentSamples: 10, maxBlockSamples: 20 };
const STATE_FORMAT = 99;

test("P4 P5: a bit that flips in the name of a tag, or in what is noted of progress, gives no wrong value and no unsaid hole", async (t) => {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  await rig.open({}, { limits: LIMITS, tags: TAGS });
  rig.queue();
  const given: Sample[] = [];
  for (let i = 0; i < 40; i++) for (const tag of TAGS) given.push(...rig.append(1, tag));
  await rig.untilCommitted(given.length);
  rig.queue().acknowledge({ from: 1, to: 30 });
  await rig.close();
  const whole = copyOf(t, rig.dir);
  const known = new Map(given.map((sample) => [keyOf(sample), sample]));
  const path = join(rig.dir, "outbox.db");
  const places = placesIn(path, OUTBOX_FILE_ID, ["tag", "fact"]);
  for (let i = 0; i < TRIES; i++) {
    rig.cutPower();
    rmSync(rig.dir, { recursive: true });
    cpSync(whole, rig.dir, { recursive: true });
    const at = Math.floor((i * places.length) / TRIES);
    const bit = 1 << (i % 8);
    const where = `bit ${bit} of byte ${at} of ${places.length}`;
    flip(join(rig.dir, "outbox.db"), places[at] ?? 0, bit);
    await rig.open({}, { limits: LIMITS, tags: TAGS });
    const queue = rig.queue();
    const left: readonly NumberedSample[] = await readAll(queue);
    for (const sample of left) assert.deepEqual(plain(sample), known.get(keyOf(sample)), where);
    const got = new Set(left.map(keyOf));
    for (const sample of given.slice(30)) {
      if (got.has(keyOf(sample))) continue;
      const isTold = queue
        .losses()
        .some(
          ({ fromMs, toMs, tags }) =>
            fromMs <= sample.sourceTimestampMs &&
            sample.sourceTimestampMs <= toMs &&
            tags.some((lost) => lost.tag.id === sample.tag.id),
        );
      assert.ok(isTold, `${where}: ${keyOf(sample)} is gone and not told`);
    }
    await rig.close();
  }
});

test("P8: a bit that flips in state.db makes no counter turn back, and is told", async (t) => {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  await rig.open();
  const epoch = rig.store.state.epoch();
  const session = await rig.store.state.nextSession("cloud");
  await rig.close();
  const whole = copyOf(t, rig.dir);
  const places = placesIn(join(rig.dir, "state.db"), STATE_FILE_ID, ["fact"]);
  for (let i = 0; i < TRIES; i++) {
    rig.cutPower();
    rmSync(rig.dir, { recursive: true });
    cpSync(whole, rig.dir, { recursive: true });
    const at = Math.floor((i * places.length) / TRIES);
    flip(join(rig.dir, "state.db"), places[at] ?? 0, 1 << (i % 8));
    const logged = rig.logged.length;
    await rig.open();
    assert.ok(rig.store.state.epoch() > epoch, `epoch, byte ${at}`);
    assert.ok((await rig.store.state.nextSession("cloud")) > session, `session, byte ${at}`);
    assert.match(rig.logged.slice(logged).join("\n"), /state\.db could not be used \(.*bit/, `byte ${at}`);
    await rig.close();
  }
});

function keyOf({ tag, sourceTimestampMs }: Sample): string {
  return `${tag.id} ${sourceTimestampMs}`;
}

function copyOf(t: TestContext, dir: string): string {
  const copy = mkdtempSync(join(tmpdir(), "sallyport-bits-"));
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  for (const file of readdirSync(dir)) cpSync(join(dir, file), join(copy, file));
  return copy;
}

/** The bytes of all texts in rows of these tables. */
function placesIn(path: string, fileId: number, tables: readonly string[]): readonly number[] {
  const bytes = readFileSync(path);
  const file = openReadOnly(path, { fileId, format: Math.max(OUTBOX_FORMAT, STATE_FORMAT) });
  const rows = tables.flatMap((table) => file.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table}`).all());
  file.close();
  return rows.flatMap((row) => {
    const text = Object.values(row)
      .filter((value) => typeof value === "string")
      .join("");
    const at = bytes.indexOf(text);
    assert.ok(at > 0, text);
    return Array.from(text, (_, i) => at + i);
  });
}

function flip(path: string, at: number, bit: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ bit;
  writeFileSync(path, bytes);
}
