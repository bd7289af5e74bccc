import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ClockTrust, KnownTime, RememberedTime } from "../core/known-time.ts";
import type { UndatedSample } from "../pipeline.ts";
import { acknowledgeAll, readAll, StoreRig, tagRef } from "../testing/store-rig.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { type BlockStore, StorageFailure } from "./block-store.ts";
import type { StoreOptions } from "./open-store.ts";
import { inProcessStorage, type Storage } from "./storage-client.ts";

/** By which the time was shown, and what it was. */
const KNOWN_MS = Date.UTC(2026, 0, 1);
const TRUE_MS = Date.UTC(2026, 10, 22);
const DATED = { offsetMs: TRUE_MS, isCertain: true };
const SPEED = tagRef("pump-1/speed");

class SettableTime implements KnownTime {
  boot = "one";
  current: ClockTrust = "none";
  remembered: RememberedTime | undefined;
  trust = () => this.current;
  offsetMs = () => KNOWN_MS;
  remember(past: RememberedTime): void {
    this.remembered = past;
  }
}

function undated(bootMs: number): UndatedSample {
  return { tag: SPEED, value: bootMs, status: "Good", bootMs, epoch: 7 };
}

/** A store on a board that does not know the time, and whose card can be made to refuse. */
function rigOf(t: TestContext) {
  const card = { isFull: false };
  const worker = (): Storage => {
    const storage = inProcessStorage();
    const commit: BlockStore["commit"] = (change) =>
      card.isFull ? Promise.reject(new StorageFailure("full", "the card is full")) : storage.blocks.commit(change);
    return { ...storage, blocks: { ...storage.blocks, commit } };
  };
  const rig = new StoreRig(t, { name: "card", worker }, new VirtualClock(KNOWN_MS));
  t.after(() => {
    card.isFull = false;
  });
  const time = new SettableTime();
  const open = (more: Partial<StoreOptions> = {}) => rig.open({}, { time, ...more });
  return { rig, card, time, open };
}

test("P9: what has no time is read as a copy only, and no acknowledgement of it counts", async (t) => {
  const { rig, open, time } = rigOf(t);
  const { outbox } = await open();
  const queue = rig.queue();
  outbox.append([undated(1_000), undated(2_000)]);
  assert.equal(queue.dated(), 0);
  assert.deepEqual((await queue.read(1, 2, 10)).samples, []);
  const { samples, covers } = await queue.readLive(1, 2, 10);
  assert.deepEqual(covers, { from: 1, to: 2 });
  assert.deepEqual(
    samples.map(({ unsynced, sourceTimestampMs }) => [unsynced, sourceTimestampMs]),
    [
      [true, KNOWN_MS + 1_000],
      [true, KNOWN_MS + 2_000],
    ],
  );
  acknowledgeAll(queue);
  assert.equal(queue.depth(), 2);
  await outbox.date(DATED);
  assert.equal(queue.dated(), 0, "in force with the moment from which stamps are UTC");
  time.current = "good";
  assert.deepEqual(
    (await readAll(queue)).map(({ sourceTimestampMs, takenInMs }) => [sourceTimestampMs, takenInMs]),
    [
      [TRUE_MS + 1_000, undefined],
      [TRUE_MS + 2_000, undefined],
    ],
    "history, however young",
  );
  acknowledgeAll(queue);
  assert.equal(queue.depth(), 0);
});

test("P9: tail and blocks are dated alike, also after a restart; the first offset of a boot stands", async (t) => {
  const { rig, open, time } = rigOf(t);
  await open();
  rig.queue();
  rig.store.outbox.append([undated(1_000)]);
  await rig.untilCommitted(1);
  await rig.close();
  const { outbox } = await open();
  const queue = rig.queue();
  outbox.append([undated(5_000)]);
  await outbox.date(DATED);
  await outbox.date({ offsetMs: 0, isCertain: false });
  time.current = "good";
  const expected = [TRUE_MS + 1_000, TRUE_MS + 5_000];
  assert.deepEqual(
    (await readAll(queue)).map(({ sourceTimestampMs }) => sourceTimestampMs),
    expected,
  );
  await rig.untilCommitted(2);
  rig.cutPower();
  time.boot = "two";
  await open();
  assert.deepEqual(
    (await readAll(rig.queue())).map(({ sourceTimestampMs }) => sourceTimestampMs),
    expected,
  );
});

test("P9: nothing is dated by an offset that the card has not taken; what comes after goes on", async (t) => {
  const { rig, open, time, card } = rigOf(t);
  const { outbox } = await open();
  const queue = rig.queue();
  outbox.append([undated(1_000)]);
  card.isFull = true;
  await outbox.date(DATED);
  time.current = "good";
  rig.append(1);
  assert.equal(queue.dated(), 0);
  const live = await queue.readLive(1, 2, 10);
  assert.deepEqual(
    live.samples.map(({ unsynced }) => unsynced),
    [true, undefined],
  );
  acknowledgeAll(queue);
  assert.deepEqual(queue.pending()[0], { from: 1, to: 1 });
  card.isFull = false;
  await rig.until(() => queue.dated() === 2);
  assert.equal((await readAll(queue))[0]?.sourceTimestampMs, TRUE_MS + 1_000);
});

test("P9: a boot that ended in the dark is told by its best-known time, as uncertain, in blocks and losses", async (t) => {
  const { rig, open, time } = rigOf(t);
  await open();
  rig.queue();
  rig.store.outbox.append([undated(1_000)]);
  await rig.untilCommitted(1);
  rig.cutPower();
  time.boot = "two";
  const { outbox } = await open();
  const queue = rig.queue();
  assert.deepEqual(
    (await readAll(queue)).map(({ sourceTimestampMs, status }) => [sourceTimestampMs, status]),
    [[KNOWN_MS + 1_000, "UncertainLastUsableValue"]],
  );
  assert.deepEqual(queue.losses(), [], "until when is known with the time of this boot");
  await outbox.date(DATED);
  time.current = "good";
  const [loss] = queue.losses();
  assert.equal(loss?.reason, "unclean stop");
  assert.ok(loss.fromMs < KNOWN_MS + rig.clock.monotonicMs(), "from the boot in the dark");
  assert.ok(loss.toMs >= TRUE_MS, "to the start of this one");
});

test("P4 P9: what is given up before the time is known is told with its true time after", async (t) => {
  const { rig, open, time, card } = rigOf(t);
  const { outbox } = await open({ limits: { tailSamples: 10, recentSamples: 10, giveUpSamples: 5 } });
  const queue = rig.queue();
  card.isFull = true;
  outbox.append(Array.from({ length: 12 }, (_, i) => undated(1_000 + i)));
  assert.deepEqual(queue.losses(), []);
  card.isFull = false;
  await outbox.date(DATED);
  time.current = "good";
  const [loss] = queue.losses();
  assert.deepEqual([loss?.reason, loss?.fromMs, loss?.toMs], ["outbox full", TRUE_MS + 1_000, TRUE_MS + 1_004]);
  await rig.untilWritten();
  await rig.close();
  await open();
  assert.equal(rig.queue().losses()[0]?.fromMs, TRUE_MS + 1_000);
});

test("P4 P9: what was taken in without its time, and is given up after its boot is dated, is told at once", async (t) => {
  const { rig, time } = rigOf(t);
  const { outbox } = await rig.open({ maxAgeMs: 60_000 }, { time, limits: { recentSamples: 2 } });
  const queue = rig.queue();
  outbox.append([undated(1_000), undated(2_000)]);
  await rig.untilCommitted(2);
  await outbox.date(DATED);
  time.current = "good";
  rig.append(4);
  await rig.until(() => queue.losses().length > 0);
  const [loss] = queue.losses();
  assert.deepEqual([loss?.reason, loss?.fromMs, loss?.toMs], ["too old", TRUE_MS + 1_000, TRUE_MS + 2_000]);
});

test("P4 P9: a gap that is told ends at the start, though this boot begins with a time of before the gap", async (t) => {
  const { rig, open, time } = rigOf(t);
  time.current = "good";
  rig.clock.stepWall(TRUE_MS - KNOWN_MS);
  await open();
  rig.queue();
  rig.append(1);
  await rig.untilCommitted(1);
  rig.cutPower();
  rig.clock.stepWall(KNOWN_MS - TRUE_MS);
  time.boot = "two";
  time.current = "none";
  const { outbox } = await open();
  const startedMs = TRUE_MS + rig.clock.monotonicMs();
  await outbox.date(DATED);
  time.current = "good";
  const [loss] = rig.queue().losses();
  assert.equal(loss?.toMs, startedMs);
});

test("P9: an earlier process of the boot leaves what it knew of the time", async (t) => {
  const { rig, open, time } = rigOf(t);
  await open();
  assert.equal(time.remembered?.seen, undefined);
  await rig.store.outbox.date({ offsetMs: TRUE_MS, isCertain: false });
  await rig.clock.advance(5_000);
  await rig.close();
  await open();
  assert.deepEqual(time.remembered?.fixed, { offsetMs: TRUE_MS, isCertain: false });
  assert.deepEqual(time.remembered?.seen, { ms: KNOWN_MS + 5_000, boot: "one", monotonicMs: 5_000 });
});

test("P9: numbers that begin at the Unix time wait for it, and an epoch that could not is raised to it", async (t) => {
  const { rig, open } = rigOf(t);
  const { state } = await open();
  assert.ok(state.epoch() < TRUE_MS / 1_000 - 86_400, "a guess");
  let session: number | undefined;
  void state.nextSession("cloud").then((given) => {
    session = given;
  });
  await rig.clock.advance(60_000);
  assert.equal(session, undefined);
  assert.equal(await state.clockSettled(TRUE_MS, true), true);
  await rig.until(() => session !== undefined);
  assert.ok((session ?? 0) >= TRUE_MS / 1_000 && state.raiseEpoch() >= TRUE_MS / 1_000);
  await rig.close();
  const again = await open();
  assert.ok(again.state.epoch() >= TRUE_MS / 1_000);
  assert.equal(await again.state.clockSettled(TRUE_MS, true), false, "it began right by now");
});

test("P9: numbers that a file knows rise to the time, too, once that is known: a life without a trace went by it", async (t) => {
  const { rig, open, time } = rigOf(t);
  time.current = "good";
  const { state } = await open();
  await state.clockSettled(KNOWN_MS, true);
  await state.nextSession("cloud");
  await rig.close();
  time.current = "none";
  const next = await open();
  const epoch = next.state.epoch();
  assert.equal(await next.state.clockSettled(TRUE_MS, false), false, "a guess may lie in the future");
  assert.equal(next.state.epoch(), epoch);
  assert.equal(await next.state.clockSettled(TRUE_MS, true), true);
  assert.ok(next.state.epoch() >= TRUE_MS / 1_000 && (await next.state.nextSession("cloud")) >= TRUE_MS / 1_000);
});
