import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import { SimulatedDisk } from "../testing/simulated-disk.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { openStore, type Store } from "./open-store.ts";

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

function open(disk: SimulatedDisk, clock: VirtualClock): Promise<Store> {
  return openStore({
    config: CONFIG,
    stateDir: disk.dir,
    tags: [],
    uplinks: [],
    clock,
    log: silentLog,
    worker: disk.open(),
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
