/**
 * What every outbox must do, whether its file is on a thread of its own or in-process: `outboxContract` registers the
 * tests. Time is virtual; the files are real.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Sample } from "../pipeline.ts";
import { OUTBOX_LIMITS_CASES } from "./outbox-limits-cases.ts";
import { OUTBOX_UPLINKS_CASES } from "./outbox-uplinks-cases.ts";
import { STATE_CASES } from "./state-cases.ts";
import {
  acknowledgeAll,
  COMMIT_INTERVAL_MS,
  plain,
  readAll,
  type StoreCase,
  StoreRig,
  type StoreWorker,
  tagRef,
} from "./store-rig.ts";

export function outboxContract(how: StoreWorker): void {
  for (const [name, body] of Object.entries({
    ...READING,
    ...KEEPING,
    ...OUTBOX_LIMITS_CASES,
    ...OUTBOX_UPLINKS_CASES,
    ...STATE_CASES,
  })) {
    test(`${how.name}: ${name}`, (t) => body(new StoreRig(t, how)));
  }
}

const READING: Record<string, StoreCase> = {
  "samples are numbered in order and read until acknowledged": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    let appends = 0;
    const stop = queue.onAppend(() => appends++);
    const first = queue.newest();
    const given = [...rig.append(3), ...rig.append(2)];
    stop();
    rig.append(1);
    assert.equal(appends, 2);
    assert.equal(queue.newest(), first + 6);
    const batch = await queue.read(first + 1, first + 5, 10);
    assert.deepEqual(batch.samples.map(plain), given);
    assert.deepEqual(
      batch.samples.map(({ number }) => number - first),
      [1, 2, 3, 4, 5],
    );
    assert.deepEqual(batch.covers, { from: first + 1, to: first + 5 });
    assert.equal((await queue.read(first + 1, first + 5, 2)).covers.to, first + 2);
    assert.equal((await readAll(queue, 1)).length, 6, "reading removes nothing");
    assert.equal(queue.depth(), 6);
    assert.equal(queue.oldestMs(), given[0]?.sourceTimestampMs);
    acknowledgeAll(queue);
    assert.equal(queue.depth(), 0);
    assert.equal(queue.oldestMs(), undefined);
    assert.deepEqual(queue.pending(), [{ from: first + 7, to: Infinity }]);
  },

  "numbers beyond the newest are neither read nor acknowledged": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(2);
    assert.deepEqual((await queue.read(1, Infinity, 10)).covers, { from: 1, to: 2 });
    assert.deepEqual(await queue.read(3, 9, 10), { covers: { from: 3, to: 2 }, samples: [] });
    queue.acknowledge({ from: 1, to: Infinity });
    rig.append(1);
    assert.deepEqual(
      (await readAll(queue)).map(({ number }) => number),
      [3],
    );
  },

  "acknowledgements out of order leave ranges, and only those are read": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(10);
    queue.acknowledge({ from: 3, to: 4 });
    queue.acknowledge({ from: 8, to: 8 });
    assert.deepEqual(queue.pending(), [
      { from: 1, to: 2 },
      { from: 5, to: 7 },
      { from: 9, to: Infinity },
    ]);
    assert.deepEqual(
      (await readAll(queue)).map(({ number }) => number),
      [1, 2, 5, 6, 7, 9, 10],
    );
    const batch = await queue.read(3, 4, 10);
    assert.deepEqual(batch, { covers: { from: 3, to: 4 }, samples: [] });
  },

  "P7: progress never has more than 64 ranges, and never a hole": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(400);
    for (let n = 2; n <= 400; n += 2) queue.acknowledge({ from: n, to: n });
    assert.equal(queue.pending().length, 64);
    const left = new Set((await readAll(queue)).map(({ number }) => number));
    for (let n = 1; n <= 400; n += 2) assert.ok(left.has(n), `${n} was never acknowledged`);
  },

  "a rewind takes acknowledgements back, also of what was never stored": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    const given = rig.append(6);
    acknowledgeAll(queue);
    await rig.clock.advance(COMMIT_INTERVAL_MS);
    queue.rewind(4);
    assert.deepEqual((await readAll(queue)).map(plain), given.slice(3));
    await rig.untilCommitted(6);
    rig.cutPower();
    await rig.open();
    assert.deepEqual((await readAll(rig.queue())).map(plain), given.slice(3), "and is stored when it waits");
  },

  "a rewind also takes back what was stored and released": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    const given = rig.append(6);
    await rig.untilCommitted(6);
    acknowledgeAll(queue);
    await rig.untilWritten();
    queue.rewind(3);
    await rig.untilWritten();
    rig.cutPower();
    await rig.open();
    assert.deepEqual((await readAll(rig.queue())).map(plain), given.slice(2));
  },

  "each uplink has its own progress; a new name starts now, or with the oldest held": async (rig) => {
    await rig.open();
    const a = rig.queue("a");
    rig.append(3);
    const now = rig.queue("now", "now");
    const oldest = rig.queue("oldest", "oldest");
    rig.append(2);
    acknowledgeAll(a);
    assert.deepEqual([a.depth(), now.depth(), oldest.depth()], [0, 2, 5]);
    assert.equal(rig.store.outbox.report().released, 1);
  },

  "P4: commitInterval 0 shows an uplink only what is on the card": async (rig) => {
    await rig.open({ commitIntervalMs: 0, outageCommitIntervalMs: 0 }, { limits: { commitSamples: 7 } });
    const queue = rig.queue();
    let appends = 0;
    queue.onAppend(() => {
      appends++;
      assert.ok(queue.newest() <= rig.store.outbox.report().committed);
    });
    let given: Sample[] = [];
    for (let i = 0; i < 5; i++) {
      given = [...given, ...rig.append(20)];
      await rig.until(() => queue.newest() === given.length);
    }
    assert.ok(appends >= 5);
    rig.cutPower();
    await rig.open();
    assert.deepEqual((await readAll(rig.queue())).map(plain), given);
  },
};

const KEEPING: Record<string, StoreCase> = {
  "P11: what is acknowledged within commitInterval is never written": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    await rig.untilWritten();
    const before = rig.store.outbox.report().writtenBytes;
    for (let i = 0; i < 40; i++) {
      rig.append(50);
      await rig.clock.advance(COMMIT_INTERVAL_MS / 2);
      acknowledgeAll(queue);
    }
    assert.equal(rig.store.outbox.report().committed, 0);
    assert.equal(rig.store.outbox.report().writtenBytes, before);
    rig.cutPower();
    await rig.open();
    assert.equal((await readAll(rig.queue("all", "oldest"))).length, 0);
  },

  "P4: a power cut loses nothing older than the interval, and it tells what it may have lost": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    await rig.clock.advance(5_000);
    const takenInMs = rig.clock.wallMs();
    const given = [rig.appendValue(1.5), rig.appendValue(2n ** 63n), rig.appendValue("ü"), rig.appendValue(null)];
    await rig.untilCommitted(given.length);
    const committedMs = rig.clock.wallMs();
    queue.acknowledge({ from: 1, to: 1 });
    rig.append(3);
    rig.cutPower();
    await rig.clock.advance(60_000);
    await rig.open();
    const again = rig.queue();
    assert.deepEqual((await readAll(again)).map(plain).slice(-3), given.slice(1));
    const [loss, ...others] = again.losses();
    assert.equal(others.length, 0);
    assert.equal(loss?.reason, "unclean stop");
    // Within an epoch the clock may have been a second behind for a while.
    assert.ok(loss.fromMs > takenInMs - 1_000 && loss.fromMs <= committedMs, "from the safe time");
    assert.equal(loss.toMs, rig.clock.wallMs());
    assert.deepEqual(
      loss.tags.map(({ tag, count }) => [tag.id, count]),
      [
        ["pump-1/speed", null],
        ["pump-1/fault", null],
      ],
    );
    rig.append(1);
    assert.equal(again.newest(), 5, "numbers go on above the highest in the file");
  },

  "a clean stop keeps everything and tells no loss": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    const given = rig.append(5);
    queue.acknowledge({ from: 2, to: 3 });
    await rig.close();
    await rig.open();
    const again = rig.queue();
    assert.deepEqual(again.losses(), []);
    assert.deepEqual(
      (await readAll(again)).map(({ number }) => number),
      [1, 4, 5],
    );
    assert.deepEqual((await readAll(again)).map(plain), [given[0], given[3], given[4]]);
    assert.equal(again.oldestMs(), given[0]?.sourceTimestampMs);
  },

  "numbers go on where they were, also when nothing is left in the file": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(5);
    acknowledgeAll(queue);
    await rig.close();
    await rig.open();
    const again = rig.queue();
    const given = rig.append(1);
    assert.equal(again.newest(), 6);
    assert.deepEqual((await readAll(again)).map(plain), given);
  },

  "P11: what was acknowledged is not written again with what comes after it": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(5);
    await rig.untilCommitted(5);
    acknowledgeAll(queue);
    const given = rig.append(5);
    await rig.untilCommitted(10);
    await rig.close();
    await rig.open();
    assert.deepEqual((await readAll(rig.queue("all", "oldest"))).map(plain), given);
  },

  "P4: an acknowledgement of stored samples is remembered, at most 10 s later": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(10);
    await rig.untilCommitted(10);
    acknowledgeAll(queue);
    const beforeMs = rig.clock.monotonicMs();
    await rig.untilWritten();
    // A thread works in real time, and virtual time goes on meanwhile.
    assert.ok(rig.clock.monotonicMs() - beforeMs < 120_000);
    rig.cutPower();
    await rig.open();
    assert.equal((await readAll(rig.queue())).length, 0);
  },

  "a loss stays until it is acknowledged, over restarts": async (rig) => {
    await rig.open();
    rig.queue();
    await rig.untilWritten();
    rig.cutPower();
    await rig.open();
    assert.equal(rig.queue().losses().length, 1, "also where no sample was ever stored");
    await rig.close();
    await rig.open();
    const [loss] = rig.queue().losses();
    rig.queue().acknowledgeLoss(loss?.id ?? -1);
    assert.equal(rig.queue().losses().length, 0);
    await rig.close();
    await rig.open();
    assert.equal(rig.queue().losses().length, 0);
  },

  "what every uplink has passed leaves the file; what one has not stays": async (rig) => {
    const limits = { recentSamples: 10, maxBlockSamples: 8 };
    await rig.open({}, { limits });
    const a = rig.queue("a");
    const b = rig.queue("b");
    const given = rig.append(100);
    await rig.untilCommitted(100);
    acknowledgeAll(a);
    b.acknowledge({ from: 1, to: 60 });
    assert.equal(rig.store.outbox.report().released, 61);
    await rig.close();
    await rig.open({}, { limits });
    const all = await readAll(rig.queue("all", "oldest"));
    assert.ok(all.length >= 40 && all.length < 50, `${all.length} samples held`);
    assert.deepEqual((await readAll(rig.queue("b"))).map(plain), given.slice(60));
    acknowledgeAll(rig.queue("b"));
    acknowledgeAll(rig.queue("all"));
    await rig.close();
    await rig.open();
    assert.equal((await readAll(rig.queue("more", "oldest"))).length, 0);
  },

  "history beyond memory is read in order, whatever its priority": async (rig) => {
    const limits = { recentSamples: 20, maxBlockSamples: 7, commitSamples: 50, readBlocks: 2 };
    await rig.open({}, { limits });
    const queue = rig.queue();
    const given: Sample[] = [];
    for (let i = 0; i < 60; i++) {
      given.push(...rig.append(3), ...rig.append(1, tagRef("pump-1/fault", "high")));
      if (i % 9 === 0) given.push(...rig.append(1, tagRef("pump-1/text", "low")));
      if (i % 10 === 0) await rig.clock.advance(COMMIT_INTERVAL_MS);
    }
    await rig.untilCommitted(given.length);
    rig.append(1);
    assert.ok(rig.store.outbox.report().memorySamples <= 21);
    queue.acknowledge({ from: 30, to: 50 });
    const left = await readAll(queue, 11);
    const wanted = given.filter((_, i) => i + 1 < 30 || i + 1 > 50);
    assert.deepEqual(left.slice(0, -1).map(plain), wanted);
    rig.cutPower();
    await rig.open({}, { limits });
    assert.deepEqual((await readAll(rig.queue(), 13)).map(plain), given, "the acknowledgement was not stored yet");
  },

  "P8: a changed configuration reads old blocks as they were written": async (rig) => {
    await rig.open();
    rig.queue();
    const old: Sample = { ...rig.appendValue(7), tag: { ...tagRef("pump-1/speed"), type: "int16" } };
    rig.store.outbox.append([old]);
    await rig.close();
    await rig.open({}, { tags: [tagRef("other/one")] });
    const queue = rig.queue();
    rig.store.outbox.append([{ ...old, tag: tagRef("other/one") }]);
    const back = await readAll(queue);
    assert.deepEqual(
      back.map(({ tag }) => [tag.id, tag.type]),
      [
        ["pump-1/speed", "float64"],
        ["pump-1/speed", "int16"],
        ["other/one", "float64"],
      ],
    );
  },
};
