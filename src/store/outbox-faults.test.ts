/** The outbox on a card that fails. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { Priority } from "../core/tag.ts";
import { FaultRig } from "../testing/fault-rig.ts";
import { acknowledgeAll, plain, readAll, tagRef } from "../testing/store-rig.ts";

test("P8: a full card keeps samples in memory, says so, and loses nothing when there is room again", async (t) => {
  const rig = await FaultRig.open(t);
  await rig.clock.advance(1_000);
  rig.card.failure = "full";
  const given = rig.append(30);
  await rig.clock.advance(5_000);
  const report = rig.outbox.report();
  assert.equal(report.health, "full");
  assert.equal(report.healthReason, "the card is full");
  assert.equal(report.committed, 0);
  assert.deepEqual((await readAll(rig.queue)).map(plain), given);
  rig.card.failure = undefined;
  await rig.clock.advance(60_000);
  assert.equal(rig.outbox.report().health, "ok");
  assert.equal(rig.outbox.report().committed, 30);
  assert.deepEqual(rig.queue.losses(), []);
});

test("P7: retries back off to a minute", async (t) => {
  const rig = await FaultRig.open(t);
  rig.append(1);
  let attempts = 0;
  rig.card.failure = "failing";
  Object.defineProperty(rig.card, "hold", {
    get: () => {
      attempts++;
      return undefined;
    },
  });
  await rig.clock.advance(30 * 60_000);
  assert.ok(attempts >= 30 && attempts < 40, `${attempts} attempts in half an hour`);
  assert.equal(rig.outbox.report().health, "failing");
});

test("P4 P7: memory is bounded: the oldest of the lowest priority go, each is told, safe time waits", async (t) => {
  const limits = { recentSamples: 10, tailSamples: 100, giveUpSamples: 20 };
  const rig = await FaultRig.open(t, limits);
  await rig.clock.advance(2_000);
  const heldMs = rig.clock.wallMs();
  rig.card.failure = "failing";
  const tagOf = (priority: Priority) => tagRef(`pump-1/${priority}`, priority);
  rig.append(50, tagOf("low"));
  rig.append(40, tagOf("high"));
  rig.append(40, tagOf("normal"));
  await rig.clock.advance(5_000);
  assert.equal(rig.outbox.report().memorySamples, 90);
  const [loss, ...others] = rig.queue.losses();
  assert.deepEqual(others, []);
  assert.equal(loss?.reason, "outbox full");
  assert.deepEqual(
    loss.tags.map(({ tag, count }) => [tag.id, count]),
    [["pump-1/low", 40]],
  );
  assert.deepEqual([loss.fromMs, loss.toMs], [10, 400], "the oldest");
  assert.equal(rig.outbox.report().dropped, 40);
  assert.equal((await readAll(rig.queue)).length, 90);
  assert.ok((rig.known.at(-1)?.safe?.ms ?? 0) <= heldMs, "a loss that only memory knows holds the safe time back");
  acknowledgeAll(rig.queue);
  await rig.clock.advance(5_000);
  assert.ok((rig.known.at(-1)?.safe?.ms ?? 0) <= heldMs, "also when nothing else waits");
  rig.card.failure = undefined;
  await rig.clock.advance(70_000);
  assert.ok((rig.known.at(-1)?.safe?.ms ?? 0) > heldMs);
});

test("a commit that takes long keeps the samples readable and the card is told as slow", async (t) => {
  const rig = await FaultRig.open(t);
  await rig.clock.advance(1_000);
  const given = rig.append(5);
  let release = () => {};
  rig.card.hold = new Promise((resolve) => {
    release = resolve;
  });
  await rig.clock.advance(6_000);
  assert.equal(rig.outbox.report().health, "slow");
  assert.match(rig.outbox.report().healthReason, /takes \d s/);
  given.push(...rig.append(5));
  assert.deepEqual((await readAll(rig.queue)).map(plain), given);
  acknowledgeAll(rig.queue);
  rig.card.hold = undefined;
  release();
  await rig.clock.advance(20_000);
  assert.equal(rig.outbox.report().committed, 5, "what was acknowledged meanwhile is not written");
  assert.equal(rig.outbox.report().health, "ok");
});

test("P8: a file found damaged while running is set aside; what can be read goes into the new one", async (t) => {
  const rig = await FaultRig.open(t, { recentSamples: 10, maxBlockSamples: 10 });
  const given = rig.append(100);
  await rig.clock.advance(2_000);
  given.push(...rig.append(1));
  await rig.clock.advance(2_000);
  const { memorySamples } = rig.outbox.report();
  assert.ok(memorySamples <= 11);
  rig.card.failure = "damaged";
  given.push(...rig.append(1));
  await rig.clock.advance(2_000);
  assert.equal(rig.outbox.report().health, "ok");
  assert.ok(readdirSync(rig.dir).some((file) => file.startsWith("outbox.db.damaged-")));
  assert.deepEqual(rig.queue.losses(), [], "all of it could be read");
  assert.deepEqual((await readAll(rig.queue)).map(plain), given);
  assert.equal(rig.outbox.report().committed, 102);
  await rig.outbox.close();
  await rig.start({});
  assert.deepEqual((await readAll(rig.queue)).map(plain), given, "and is in the new file");
});

test("P8: a damaged file that cannot be set aside at once is tried again", async (t) => {
  const rig = await FaultRig.open(t);
  await rig.clock.advance(1_000);
  rig.card.failure = "damaged";
  rig.card.renewFailure = "failing";
  const given = rig.append(5);
  await rig.clock.advance(5_000);
  assert.equal(rig.outbox.report().health, "failing");
  rig.card.renewFailure = undefined;
  await rig.clock.advance(60_000);
  assert.equal(rig.outbox.report().health, "ok");
  assert.equal(rig.outbox.report().committed, 5);
  assert.deepEqual((await readAll(rig.queue)).map(plain), given);
  assert.deepEqual(rig.queue.losses(), [], "all of it was in memory");
});

test("a read that fails ends the batch where it is certain, and is tried again", async (t) => {
  const rig = await FaultRig.open(t, { recentSamples: 10 });
  const given = rig.append(50);
  await rig.clock.advance(2_000);
  given.push(...rig.append(1));
  rig.card.readFailure = "failing";
  const reading = rig.queue.read(1, 51, 100);
  await rig.clock.advance(2_000);
  assert.deepEqual(await reading, { covers: { from: 1, to: 0 }, samples: [] });
  rig.card.readFailure = undefined;
  assert.deepEqual((await readAll(rig.queue)).map(plain), given);
});

test("P4 P8: a block whose bytes are damaged is told, and the others are read", async (t) => {
  const rig = await FaultRig.open(t, { recentSamples: 10, maxBlockSamples: 10 });
  const damaged = new Set([2, 5]);
  let blocks = 0;
  rig.card.spoil = (data) => {
    if (damaged.has(blocks++)) data.fill(0x55, data.length >> 1);
  };
  const given = rig.append(100);
  await rig.clock.advance(2_000);
  given.push(...rig.append(1));
  const left = (await readAll(rig.queue)).map(plain);
  assert.deepEqual(
    left,
    given.filter((_, i) => i === 100 || !damaged.has(Math.floor(i / 10))),
  );
  const [loss, ...others] = rig.queue.losses();
  assert.deepEqual(others, []);
  assert.equal(loss?.reason, "damaged file");
  assert.deepEqual([loss.fromMs, loss.toMs], [given[20]?.sourceTimestampMs, given[59]?.sourceTimestampMs]);
  acknowledgeAll(rig.queue);
  await rig.clock.advance(12_000);
  assert.equal(rig.queue.losses().length, 1, "told once");
});

test("P8: a card that refuses at the stop does not hold the stop up, and the next start is an unclean one", async (t) => {
  const rig = await FaultRig.open(t);
  await rig.clock.advance(1_000);
  rig.append(3);
  rig.card.failure = "failing";
  await rig.outbox.close();
  assert.match(rig.logged.join("\n"), /3 samples could not be stored and are given up; the next start tells of it/);
  rig.card.failure = undefined;
  await rig.start({});
  assert.deepEqual(
    rig.queue.losses().map(({ reason }) => reason),
    ["unclean stop"],
  );
});

test("P7: to see which blocks must go no samples are fetched, only those of what goes", async (t) => {
  const rig = new FaultRig(t);
  await rig.start({ recentSamples: 10, maxBlockSamples: 10, maxBlockOpenMs: 1_000 }, { maxAgeMs: 150_000 });
  const step = async () => {
    rig.append(100);
    await rig.clock.advance(70_000);
  };
  for (let i = 0; i < 2; i++) await step();
  assert.ok(rig.card.seen.length > 0 && rig.card.seen.every((block) => !("data" in block)));
  assert.equal(rig.card.loaded, 0);
  await step();
  assert.equal(rig.queue.losses()[0]?.tags[0]?.count, 100, "what is too old goes, and is counted");
  assert.equal(rig.card.loaded, 10);
});
