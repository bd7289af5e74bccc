/** What the outbox does at its limits and with a file it cannot use: part of the contract of outbox-contract.ts. */
import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { OUTBOX_HISTORY_CASES } from "./outbox-history-cases.ts";
import { plain, readAll, type StoreCase, tagRef } from "./store-rig.ts";

/** Small enough to reach the limits of the file with few samples; what is in memory is never dropped. */
const SMALL = { recentSamples: 50, maxBlockSamples: 50, commitSamples: 500 };

export const OUTBOX_LIMITS_CASES: Record<string, StoreCase> = {
  ...OUTBOX_HISTORY_CASES,

  "P4 P7: at the size limit the oldest of the lowest priority go, and each uplink is told": async (rig) => {
    const maxSizeBytes = 400_000;
    await rig.open({ maxSizeBytes }, { limits: SMALL });
    const a = rig.queue("a");
    const b = rig.queue("b");
    for (let i = 0; i < 20; i++) {
      // Noise in every bit: nothing that could be compressed.
      const values = Array.from({ length: 2_000 }, (_, n) => Math.sin(i * 2_000 + n));
      for (const value of values) rig.appendValue(value);
      rig.append(5, tagRef("pump-1/fault", "high"));
      await rig.untilCommitted(rig.store.outbox.report().newest);
      a.acknowledge({ from: 0, to: 10 });
    }
    rig.append(1);
    await rig.untilCommitted(rig.store.outbox.report().newest);
    const { fileBytes } = rig.store.outbox.report();
    assert.ok(fileBytes <= maxSizeBytes * 1.25, `${fileBytes} bytes`);
    const taken = rig.store.outbox.report().takenIn;
    for (const [queue, acknowledged] of [
      [a, 10],
      [b, 0],
    ] as const) {
      const left = await readAll(queue);
      assert.equal(left.filter(({ tag }) => tag.priority === "high").length, 100, "the higher priority stays");
      const [loss, ...others] = queue.losses();
      assert.deepEqual(others, [], "merged into one");
      assert.equal(loss?.reason, "outbox full");
      assert.deepEqual(
        loss.tags.map(({ tag, count }) => [tag.id, count]),
        [["pump-1/speed", taken - left.length - acknowledged]],
        "every sample is read or counted",
      );
      const oldestLeft = left.find(({ tag }) => tag.priority === "normal")?.sourceTimestampMs ?? 0;
      assert.ok(loss.toMs < oldestLeft);
    }
    assert.equal(rig.store.outbox.report().dropped, b.losses()[0]?.tags[0]?.count);
  },

  "what memory still shows is never dropped from the file": async (rig) => {
    await rig.open({ maxSizeBytes: 40_000 }, { limits: { recentSamples: 5_000 } });
    const queue = rig.queue();
    for (let i = 0; i < 4_000; i++) rig.appendValue(Math.sin(i));
    await rig.untilCommitted(4_000);
    rig.append(1);
    await rig.untilCommitted(4_001);
    assert.deepEqual(queue.losses(), []);
    rig.cutPower();
    await rig.open();
    assert.equal((await readAll(rig.queue())).length, 4_001);
  },

  "P7: what every uplink has acknowledged leaves memory first; what is stored stays for the one that waits": async (
    rig,
  ) => {
    await rig.open({}, { limits: { releasedSamples: 5 } });
    const a = rig.queue("a");
    const b = rig.queue("b");
    rig.append(100);
    await rig.untilCommitted(100);
    a.acknowledge({ from: 1, to: 100 });
    rig.append(1);
    assert.equal(rig.store.outbox.report().memorySamples, 101);
    b.acknowledge({ from: 1, to: 60 });
    rig.append(1);
    assert.equal(rig.store.outbox.report().memorySamples, 42);
    for (const queue of [a, b]) queue.acknowledge({ from: 1, to: 102 });
    rig.append(1);
    assert.equal(rig.store.outbox.report().memorySamples, 5);
  },

  "P4: what is too old goes and is told; a stepped clock makes nothing old": async (rig) => {
    const config = { maxAgeMs: 600_000 };
    await rig.open(config, { limits: SMALL });
    const queue = rig.queue();
    rig.append(200);
    await rig.untilCommitted(200);
    rig.clock.stepWall(20 * 365 * 86_400_000);
    await rig.clock.advance(61_000);
    rig.append(200);
    await rig.untilCommitted(400);
    assert.deepEqual(queue.losses(), []);
    await rig.clock.advance(560_000);
    rig.append(100);
    await rig.until(() => queue.losses().length === 1);
    assert.equal(queue.losses()[0]?.reason, "too old");
    assert.deepEqual(
      queue.losses()[0]?.tags.map(({ count }) => count),
      [200],
    );
    assert.equal((await readAll(queue)).length, 300);
    assert.equal(queue.depth(), 300, "what is gone is no longer waited for");
  },

  "P8: a file that is not ours, or damaged, is set aside and told, and the gateway goes on": async (rig) => {
    const damages: readonly ((path: string) => void)[] = [
      (path) => writeFileSync(path, "these are the words of another program ".repeat(200)),
      (path) => {
        const file = openSync(path, "r+");
        writeSync(file, Buffer.alloc(8_000, 0x5a), 0, 8_000, 200);
        closeSync(file);
      },
    ];
    for (const damage of damages) {
      await rig.open();
      rig.queue();
      rig.append(300);
      await rig.close();
      damage(join(rig.dir, "outbox.db"));
      await rig.open();
      const queue = rig.queue();
      assert.deepEqual(
        queue.losses().map(({ reason }) => reason),
        ["damaged file"],
      );
      assert.ok(readdirSync(rig.dir).some((file) => file.startsWith("outbox.db.damaged-20")));
      const given = rig.append(3);
      await rig.untilCommitted(3);
      assert.deepEqual((await readAll(queue)).map(plain), given);
      await rig.close();
      rmSync(rig.dir, { recursive: true });
    }
  },

  "P4 P8: what an outbox held that was emptied or removed is told as lost": async (rig) => {
    for (const accident of [truncateSync, rmSync]) {
      await rig.open();
      rig.queue();
      const [oldest] = rig.append(300);
      await rig.close();
      accident(join(rig.dir, "outbox.db"));
      await rig.open();
      const [loss] = rig.queue().losses();
      assert.equal(loss?.reason, "damaged file");
      assert.ok(loss.fromMs <= (oldest?.sourceTimestampMs ?? 0) && rig.clock.wallMs() <= loss.toMs);
      await rig.close();
      rmSync(rig.dir, { recursive: true });
    }
  },

  "P4 P8: an outbox that was emptied within its first minute is missed too": async (rig) => {
    await rig.open();
    rig.queue();
    rig.append(3);
    await rig.untilCommitted(3);
    rig.cutPower();
    for (const file of readdirSync(rig.dir)) if (file.startsWith("outbox.db")) truncateSync(join(rig.dir, file));
    await rig.open();
    const [loss] = rig.queue().losses();
    assert.equal(loss?.reason, "damaged file");
    assert.deepEqual([loss.fromMs, loss.toMs], [0, rig.clock.wallMs()]);
  },

  "P8: an empty file is a new file": async (rig) => {
    mkdirSync(rig.dir);
    writeFileSync(join(rig.dir, "outbox.db"), "");
    await rig.open();
    assert.deepEqual(rig.queue().losses(), []);
    assert.deepEqual(
      readdirSync(rig.dir).filter((file) => file.includes("damaged")),
      [],
    );
  },
};
