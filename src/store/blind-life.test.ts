/** A life that cannot open the outbox, between two that can. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { acknowledgeAll, StoreRig, tagRef } from "../testing/store-rig.ts";
import { StorageFailure } from "./block-store.ts";
import { inProcessStorage, type Storage } from "./storage-client.ts";

const HOUR_MS = 3_600_000;

class BlindRig extends StoreRig {
  /** The next openings find no file. */
  readonly card: { refusesOutbox: boolean };

  constructor(t: TestContext) {
    const card = { refusesOutbox: false };
    super(t, { name: "a card that refuses", worker: () => storageOn(card) });
    this.card = card;
  }
}

function storageOn(card: { readonly refusesOutbox: boolean }): Storage {
  const storage = inProcessStorage();
  const refuse = async () => {
    throw new StorageFailure("failing", "disk I/O error");
  };
  const isRefused = card.refusesOutbox;
  return { ...storage, blocks: isRefused ? { ...storage.blocks, open: refuse, commit: refuse } : storage.blocks };
}

test("P4: what a power cut took before a life without its file is told by the first that has it again", async (t) => {
  const rig = new BlindRig(t);
  await rig.open();
  rig.queue();
  await rig.clock.advance(2_000);
  const lostMs = rig.append(1)[0]?.sourceTimestampMs ?? 0;
  rig.cutPower();
  rig.card.refusesOutbox = true;
  await rig.open();
  await rig.clock.advance(HOUR_MS);
  rig.append(1);
  acknowledgeAll(rig.queue());
  await rig.clock.advance(HOUR_MS);
  await rig.close();
  rig.card.refusesOutbox = false;
  await rig.open();
  const [gap] = rig.queue().losses();
  assert.equal(gap?.reason, "unclean stop");
  assert.ok(gap.fromMs <= lostMs && lostMs <= gap.toMs, `${lostMs} in ${gap.fromMs} to ${gap.toMs}`);
});

test("P4: what a life without its file could not keep is told, also where the file was closed well before", async (t) => {
  const rig = new BlindRig(t);
  const seldom = tagRef("pump-1/seldom");
  await rig.open({}, { tags: [seldom] });
  rig.queue();
  rig.append(1);
  await rig.close();
  rig.card.refusesOutbox = true;
  await rig.open();
  await rig.clock.advance(1_000);
  const lostMs = rig.append(1)[0]?.sourceTimestampMs ?? 0;
  rig.cutPower();
  rig.card.refusesOutbox = false;
  await rig.clock.advance(HOUR_MS);
  await rig.open();
  const [gap, ...others] = rig.queue().losses();
  assert.deepEqual(others, []);
  assert.equal(gap?.reason, "unclean stop");
  assert.ok(gap.fromMs <= lostMs && lostMs <= gap.toMs, `${lostMs} in ${gap.fromMs} to ${gap.toMs}`);
  acknowledgeAll(rig.queue());
  rig.queue().acknowledgeLoss(gap.id);
  await rig.clock.advance(120_000);
  await rig.close();
  await rig.open();
  assert.deepEqual(rig.queue().losses(), [], "told once");
});

test("P4: an uplink that was added just before a power cut is told of the gap, too", async (t) => {
  const rig = new BlindRig(t);
  await rig.open();
  rig.queue("a");
  rig.append(1);
  await rig.untilCommitted(1);
  rig.queue("b");
  rig.append(1);
  rig.cutPower();
  await rig.clock.advance(HOUR_MS);
  await rig.open();
  assert.deepEqual(
    rig
      .queue("b")
      .losses()
      .map(({ reason }) => reason),
    ["unclean stop"],
  );
  assert.deepEqual(rig.queue("c").losses(), [], "none that comes later");
});
