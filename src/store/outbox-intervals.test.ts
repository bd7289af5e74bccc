/** P4's bound: how long a sample may be in memory alone. In-process, where virtual time is exact. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { OutboxConfig } from "../config/config.ts";
import { acknowledgeAll, readAll, StoreRig } from "../testing/store-rig.ts";

/** Of the interval: it is looked for every quarter of it. */
const BOUND = 1.25;
const LONG_MS = 60_000;

async function openRig(t: TestContext, commitIntervalMs: number, outageCommitIntervalMs: number): Promise<StoreRig> {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  const config: Partial<OutboxConfig> = { commitIntervalMs, outageCommitIntervalMs };
  await rig.open(config);
  rig.queue();
  await rig.clock.advance(2 * LONG_MS);
  return rig;
}

/** Takes a sample in at a moment between two checks, and sees it on the card within the bound. */
async function commitsWithin(rig: StoreRig, intervalMs: number): Promise<void> {
  await rig.clock.advance(77);
  rig.append(1);
  await rig.clock.advance(BOUND * intervalMs);
  const { committed, newest } = rig.store.outbox.report();
  assert.equal(committed, newest);
}

test("P4: in an outage outageCommitInterval is kept, also where it is the shorter", async (t) => {
  for (const outageMs of [200, 1_000, 5_000]) {
    const rig = await openRig(t, LONG_MS, outageMs);
    rig.append(1);
    await rig.clock.advance(BOUND * LONG_MS);
    assert.equal(rig.store.outbox.report().committed, 1, "now the broker keeps it waiting");
    for (let i = 0; i < 3; i++) await commitsWithin(rig, outageMs);
  }
});

test("P4: commitInterval is kept, whatever the one for outages", async (t) => {
  for (const commitMs of [200, 1_000]) {
    const rig = await openRig(t, commitMs, LONG_MS);
    for (let i = 0; i < 3; i++) {
      await commitsWithin(rig, commitMs);
      acknowledgeAll(rig.queue());
    }
  }
});

test("P4: with outageCommitInterval 0 samples are committed as they come", async (t) => {
  const rig = await openRig(t, 1_000, 0);
  rig.append(1);
  await rig.clock.advance(BOUND * 1_000);
  rig.append(1);
  await rig.clock.advance(0);
  assert.equal(rig.store.outbox.report().committed, 2);
});

test("P4: what waits for a removed uplink makes no outage", async (t) => {
  const rig = await openRig(t, 1_000, LONG_MS);
  rig.queue("removed");
  rig.append(3);
  await rig.close();
  const uplinks = [{ name: "cloud", startAt: "now" as const }];
  await rig.open({ commitIntervalMs: 1_000, outageCommitIntervalMs: LONG_MS }, { uplinks });
  acknowledgeAll(rig.queue());
  await commitsWithin(rig, 1_000);
});

test("P4: with a long interval memory that fills up is committed early: nothing is given up while the card has room", async (t) => {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  const limits = { recentSamples: 20, tailSamples: 100, giveUpSamples: 10, commitSamples: 30 };
  await rig.open({ commitIntervalMs: LONG_MS, outageCommitIntervalMs: LONG_MS }, { limits });
  const queue = rig.queue();
  for (let i = 0; i < 50; i++) {
    rig.append(10);
    await rig.clock.advance(3_000);
  }
  assert.deepEqual(queue.losses(), []);
  assert.equal((await readAll(queue)).length, 500);
});
