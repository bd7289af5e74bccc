/** What each uplink's own limits of history do, and how exactly limits hold: part of the contract of outbox-contract.ts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { TagRef } from "../core/tag.ts";
import type { ConfiguredUplink, UplinkQueue } from "../pipeline.ts";
import { type Database, OUTBOX_FILE_ID, openReadOnly } from "../store/sqlite.ts";
import { OUTBOX_FORMAT } from "../store/sqlite-block-store.ts";
import { acknowledgeAll, plain, readAll, type StoreCase, type StoreRig, tagRef } from "./store-rig.ts";

const SMALL = { recentSamples: 50, maxBlockSamples: 50, commitSamples: 500 };
const AGE_MS = 90 * 86_400_000;
/** More than 50 samples of this kind ever take in a block. */
const BLOCK_BYTES = 1_000;

const noLimit = (name: string): ConfiguredUplink => ({ name, startAt: "now" });
const upTo = (name: string, maxSizeBytes: number, maxAgeMs = AGE_MS): ConfiguredUplink => ({
  name,
  startAt: "now",
  history: { maxSizeBytes, maxAgeMs },
});

export const OUTBOX_HISTORY_CASES: Record<string, StoreCase> = {
  "P7: the file and its log keep within maxSize, to one block, whatever comes": async (rig) => {
    const maxSizeBytes = 1_000_000;
    await rig.open({ maxSizeBytes }, { limits: { ...SMALL, commitSamples: 20_000 }, uplinks: [noLimit("a")] });
    let highestBytes = 0;
    for (let i = 0; i < 12; i++) {
      for (let n = 0; n < 15_000; n++) rig.appendValue(Math.sin(i * 15_000 + n));
      await rig.until(() => {
        highestBytes = Math.max(highestBytes, rig.store.outbox.report().fileBytes);
        return rig.store.outbox.report().committed >= rig.store.outbox.report().newest;
      });
    }
    assert.ok(rig.queue("a").losses().length > 0, "the limit was reached");
    assert.ok(highestBytes > 0.75 * maxSizeBytes, `${highestBytes} bytes make use of the limit`);
    assert.ok(highestBytes <= maxSizeBytes + BLOCK_BYTES, `${highestBytes} bytes`);
  },

  "P4 P7: an uplink's history keeps within its own maxSize, and costs no other one": async (rig) => {
    const maxSizeBytes = 20_000;
    const uplinks = [upTo("a", maxSizeBytes), noLimit("b")];
    await rig.open({}, { limits: SMALL, uplinks });
    const all = await fill(rig, 20);
    const [a, b] = [rig.queue("a"), rig.queue("b")];
    assert.deepEqual((await readAll(b)).map(plain), all);
    assert.deepEqual(b.losses(), []);
    const left = await keptOrCounted(a, all.length);
    assert.equal(left.filter(({ tag }) => tag.priority === "high").length, 20, "the higher priority stays");
    const { blocks, bytes, samples } = blocksIn(rig);
    const keptBytes = (bytes / samples) * left.length;
    assert.ok(keptBytes > 0.9 * maxSizeBytes, `${keptBytes} bytes make use of the limit`);
    assert.ok(keptBytes <= maxSizeBytes + bytes / blocks, `${keptBytes} bytes`);
    rig.cutPower();
    await rig.open({}, { limits: SMALL, uplinks });
    assert.equal((await readAll(rig.queue("a"))).length, left.length, "what was given up does not come back");
    for (const queue of [rig.queue("a"), rig.queue("b")]) acknowledgeAll(queue);
    await rig.append(1);
    await rig.untilCommitted(rig.store.outbox.report().newest);
    assert.equal(rig.store.outbox.report().released, rig.store.outbox.report().newest);
  },

  "P7: what no uplink waits for any more leaves the file, though another priority does": async (rig) => {
    const uplinks = [upTo("a", 20_000), noLimit("b")];
    await rig.open({}, { limits: SMALL, uplinks });
    await fill(rig, 60);
    acknowledgeAll(rig.queue("b"));
    await rig.clock.advance(120_000);
    await fill(rig, 1);
    await rig.until(() => blocksIn(rig).bytes < 40_000);
  },

  "P4 P7: an uplink's history keeps within its own maxAge": async (rig) => {
    await rig.open({}, { limits: SMALL, uplinks: [upTo("a", 1e9, 600_000), noLimit("b")] });
    const old = await fill(rig, 1);
    await rig.clock.advance(661_000);
    const young = await fill(rig, 1);
    const a = rig.queue("a");
    await rig.until(() => a.losses().some(({ tags }) => tags.some(({ count }) => count === 1_000)));
    assert.deepEqual(new Set(a.losses().map(({ reason }) => reason)), new Set(["too old"]));
    // The others lie in a block that still grows.
    const isNormal = ({ tag }: { tag: TagRef }) => tag.priority === "normal";
    assert.deepEqual((await readAll(a)).map(plain).filter(isNormal), young.filter(isNormal));
    assert.equal((await readAll(rig.queue("b"))).length, old.length + young.length);
    await keptOrCounted(a, old.length + young.length);
  },

  "P7: tags that were renamed away leave the dictionary once nothing refers to them": async (rig) => {
    await rig.open({}, { limits: SMALL });
    const queue = rig.queue();
    for (let i = 0; i < 1_100; i++) rig.append(1, tagRef(`old-${i}/speed`));
    await rig.untilCommitted(1_100);
    assert.equal(tagsIn(rig), 1_100);
    acknowledgeAll(queue);
    // The last of them leave memory, and with it the file.
    rig.append(100);
    acknowledgeAll(queue);
    await rig.close();
    assert.equal(tagsIn(rig), 0);
    await rig.open();
    const given = rig.append(1, tagRef("old-7/speed"));
    await rig.untilCommitted(rig.store.outbox.report().newest);
    assert.deepEqual((await readAll(rig.queue())).map(plain), given);
  },
};

/** 1,000 samples of noise and one of a higher priority, over and over, each time until they are committed. */
async function fill(rig: StoreRig, times: number): Promise<ReturnType<typeof plain>[]> {
  const all: ReturnType<typeof plain>[] = [];
  for (let i = 0; i < times; i++) {
    for (let n = 0; n < 1_000; n++) all.push(rig.appendValue(Math.sin(all.length)));
    all.push(...rig.append(1, tagRef("pump-1/fault", "high")));
    await rig.untilCommitted(rig.store.outbox.report().newest);
  }
  return all.map(plain);
}

function blocksIn(rig: StoreRig): { blocks: number; bytes: number; samples: number } {
  const sql = "SELECT count(*) AS blocks, sum(length(data)) AS bytes, sum(samples) AS samples FROM block";
  return inFile(rig, (database) => database.prepare<[], ReturnType<typeof blocksIn>>(sql).get() ?? assert.fail());
}

function tagsIn(rig: StoreRig): number {
  return inFile(rig, (database) => database.prepare<[], number>("SELECT count(*) FROM tag").pluck().get() ?? 0);
}

function inFile<T>(rig: StoreRig, look: (database: Database) => T): T {
  const database = openReadOnly(join(rig.dir, "outbox.db"), { fileId: OUTBOX_FILE_ID, format: OUTBOX_FORMAT });
  try {
    return look(database);
  } finally {
    database.close();
  }
}

/** Every sample is there or counted in a loss, none twice. */
async function keptOrCounted(queue: UplinkQueue, taken: number): ReturnType<typeof readAll> {
  const left = await readAll(queue);
  const lost = queue.losses().flatMap(({ tags }) => tags.map(({ count }) => count ?? 0));
  assert.equal(left.length + lost.reduce((sum, count) => sum + count, 0), taken);
  return left;
}
