import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import type { Sample } from "../pipeline.ts";
import { SimulatedDisk } from "../testing/simulated-disk.ts";
import { acknowledgeAll, tagRef } from "../testing/store-rig.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { passWhile } from "../testing/virtual-wait.ts";
import { openStore, type Store, type StoreOptions } from "./open-store.ts";

const CONFIG = {
  path: "outbox.db",
  maxSizeBytes: 1e8,
  maxAgeMs: 1e10,
  commitIntervalMs: 1_000,
  outageCommitIntervalMs: 1_000,
};
/** Longer than between two attempts to store the epoch. */
const TRIED_AGAIN_MS = 10_000;

function newDisk(t: TestContext, clock: VirtualClock): SimulatedDisk {
  const root = mkdtempSync(join(tmpdir(), "sallyport-state-"));
  const disk = new SimulatedDisk({ root, clock, random: seededRandom(1) });
  t.after(() => {
    disk.end();
    rmSync(root, { recursive: true, force: true });
  });
  return disk;
}

function open(disk: SimulatedDisk, clock: VirtualClock, more: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({
    config: CONFIG,
    stateDir: disk.dir,
    tags: [],
    uplinks: [],
    clock,
    log: silentLog,
    worker: disk.open(),
    ...more,
  });
}

test("P8: an epoch begun on a full card is not given again after a power cut, whether there was room again or not", async (t) => {
  for (const roomAgain of [true, false]) {
    const clock = new VirtualClock();
    const disk = newDisk(t, clock);
    const first = await open(disk, clock);
    disk.condition.fault = "full";
    await first.outbox.close();
    await clock.advance(60_000);
    const { state } = await open(disk, clock);
    assert.ok(state.epoch() > first.state.epoch());
    if (roomAgain) disk.condition.fault = "none";
    await clock.advance(TRIED_AGAIN_MS);
    disk.cutPower();
    disk.condition.fault = "none";
    // What is on the card outlives a clock that was set back; without it only the time can tell.
    if (roomAgain) clock.stepWall(-3_600_000);
    assert.ok((await open(disk, clock)).state.epoch() > state.epoch(), `room again: ${roomAgain}`);
  }
});

const UPLINKS = [{ name: "cloud", startAt: "now" }] as const;
const OLD = tagRef("pump/old");
const NEW = tagRef("pump/new");

function sampleAt(clock: VirtualClock, epoch: number): Sample {
  return { tag: OLD, value: 1, status: "Good", sourceTimestampMs: clock.wallMs(), epoch };
}

test("P4: a gap that is told reaches in the order of identities, from what was not stored over every step of the clock", async (t) => {
  const clock = new VirtualClock();
  const disk = newDisk(t, clock);
  const { outbox, state } = await open(disk, clock, { uplinks: UPLINKS, tags: [OLD] });
  outbox.append([sampleAt(clock, state.epoch())]);
  await clock.advance(10_000);
  const unstored = sampleAt(clock, state.epoch());
  outbox.append([unstored]);
  clock.stepWall(-3_600_000);
  const raised = state.raiseEpoch();
  outbox.append([sampleAt(clock, raised)]);
  disk.cutPower();
  clock.stepWall(-3_600_000);
  const next = await open(disk, clock, { uplinks: UPLINKS, tags: [OLD] });
  const [loss] = next.outbox.uplink("cloud", "now").losses();
  assert.equal(loss?.epoch, unstored.epoch);
  const earlierMs = unstored.sourceTimestampMs - loss.fromMs;
  assert.ok(earlierMs >= 0 && earlierMs < 12_000, "not later than it, and not much earlier");
  assert.ok(raised < loss.toEpoch && loss.toEpoch === next.state.epoch());
});

test("P4: what a file held of tags that are configured no more is told as well, until no uplink waits for it", async (t) => {
  const clock = new VirtualClock();
  const disk = newDisk(t, clock);
  const namesOf = ({ outbox }: Store) =>
    outbox
      .uplink("cloud", "now")
      .losses()
      .flatMap(({ tags }) => tags.map(({ tag }) => tag.id));
  const first = await open(disk, clock, { uplinks: UPLINKS, tags: [OLD] });
  first.outbox.append([sampleAt(clock, first.state.epoch())]);
  await clock.advance(90_000);
  await first.outbox.close();
  const second = await open(disk, clock, { uplinks: UPLINKS, tags: [NEW] });
  await second.outbox.close();
  disk.damage("outbox.db", "emptied");
  const third = await open(disk, clock, { uplinks: UPLINKS, tags: [NEW] });
  assert.deepEqual(namesOf(third), [NEW.id, OLD.id]);
  const queue = third.outbox.uplink("cloud", "now");
  for (const { id } of queue.losses()) queue.acknowledgeLoss(id);
  await third.outbox.close();
  await (await open(disk, clock, { uplinks: UPLINKS, tags: [NEW] })).outbox.close();
  disk.damage("outbox.db", "emptied");
  assert.deepEqual(namesOf(await open(disk, clock, { uplinks: UPLINKS, tags: [NEW] })), [NEW.id]);
});

test("P4: a loss that was not told yet is not forgotten with the file that has it", async (t) => {
  const clock = new VirtualClock();
  const disk = newDisk(t, clock);
  const first = await open(disk, clock, { uplinks: UPLINKS, tags: [OLD] });
  first.outbox.append([sampleAt(clock, first.state.epoch())]);
  const takenInMs = clock.wallMs();
  await clock.advance(90_000);
  await first.outbox.close();
  for (let times = 0; times < 2; times++) {
    disk.damage("outbox.db", "emptied");
    const { outbox } = await open(disk, clock, { uplinks: UPLINKS, tags: [OLD] });
    const [loss] = outbox.uplink("cloud", "now").losses();
    assert.ok(loss !== undefined && loss.fromMs <= takenInMs);
    await clock.advance(90_000);
    await outbox.close();
  }
});

test("P4: a life that could open neither file is known to the next one, as soon as the card took anything again, and turns nothing back", async (t) => {
  const clock = new VirtualClock();
  const disk = newDisk(t, clock);
  const first = await open(disk, clock, { uplinks: UPLINKS, tags: [OLD] });
  await first.state.setRetained("cloud", "mqtts://a", ["one"]);
  first.outbox.append([sampleAt(clock, first.state.epoch())]);
  acknowledgeAll(first.outbox.uplink("cloud", "now"));
  await clock.advance(90_000);
  await first.outbox.close();
  disk.condition.fault = "erroring";
  const blind = await open(disk, clock, { uplinks: UPLINKS, tags: [OLD] });
  await clock.advance(TRIED_AGAIN_MS);
  disk.condition.fault = "none";
  const lost = sampleAt(clock, blind.state.epoch());
  blind.outbox.append([lost]);
  await blind.state.setRetained("cloud", "mqtts://a", ["two"]);
  await clock.advance(TRIED_AGAIN_MS);
  disk.cutPower();
  await clock.advance(1_000);
  const { outbox, state } = await open(disk, clock, { uplinks: UPLINKS, tags: [OLD] });
  const [gap] = outbox.uplink("cloud", "now").losses();
  assert.equal(gap?.reason, "unclean stop");
  assert.ok(gap.fromMs <= lost.sourceTimestampMs && lost.sourceTimestampMs <= gap.toMs);
  assert.deepEqual(state.retained("cloud", "mqtts://a"), ["one"]);
  assert.ok(state.epoch() > lost.epoch);
});

test("P3: the loss of one of the two files loses no topic that is published retained", async (t) => {
  for (const file of ["state.db", "outbox.db"] as const) {
    const clock = new VirtualClock();
    const disk = newDisk(t, clock);
    const first = await open(disk, clock);
    await first.state.setRetained("cloud", "mqtts://a", ["one", "two"]);
    await first.outbox.close();
    disk.damage(file, "emptied");
    const { state, outbox } = await open(disk, clock);
    assert.deepEqual(state.retained("cloud", "mqtts://a"), ["one", "two"]);
    await outbox.close();
  }
});

test("P3: nor does the loss of one file after the other, with a start between them", async (t) => {
  for (const [one, other] of [
    ["state.db", "outbox.db"],
    ["outbox.db", "state.db"],
  ] as const) {
    const clock = new VirtualClock();
    const disk = newDisk(t, clock);
    const first = await open(disk, clock);
    await first.state.setRetained("cloud", "mqtts://a", ["one", "two"]);
    await first.outbox.close();
    disk.damage(one, "emptied");
    await (await open(disk, clock)).outbox.close();
    disk.damage(other, "emptied");
    const { state, outbox } = await open(disk, clock);
    assert.deepEqual(state.retained("cloud", "mqtts://a"), ["one", "two"]);
    await outbox.close();
  }
});

test("P3: a session that no file knows is below those of the next start, however soon that comes", async (t) => {
  const clock = new VirtualClock();
  const disk = newDisk(t, clock);
  const first = await open(disk, clock);
  await first.state.nextSession("cloud");
  await first.outbox.close();
  disk.condition.fault = "full";
  await clock.advance(60_400);
  const { state } = await open(disk, clock);
  const session = () => passWhile(clock, "a session number", state.nextSession("cloud"));
  const given = [await session(), await session(), await session()];
  disk.cutPower();
  disk.condition.fault = "none";
  given.push(await (await open(disk, clock)).state.nextSession("cloud"));
  assert.deepEqual(
    given,
    [...new Set(given)].sort((a, b) => a - b),
  );
});
