/** A backlog as a long outage leaves it: realistic samples in a file of their own, made in virtual time. */

import { silentLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import { openStore, type Store, type StoreOptions } from "../store/open-store.ts";
import { PlantTraces } from "../testing/traces.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";

/** The uplink that waits for it all. */
export const UPLINK = "cloud";

const SEED = 1;
const COMMIT_INTERVAL_MS = 1_000;
/** Appended between two commits: less than memory holds. */
const COMMIT_SAMPLES = 10_000;
/** Between two replies of the plant: about 1,000 samples/s. */
const REPLY_MS = 17;

const traces = () => new PlantTraces(seededRandom(SEED));

/** Opens the outbox of a folder as the gateway does, save what a bench wants otherwise. */
export function openBacklog(stateDir: string, more: Pick<StoreOptions, "clock" | "worker">): Promise<Store> {
  return openStore({
    config: {
      path: "outbox.db",
      maxSizeBytes: 2e9,
      maxAgeMs: 90 * 86_400_000,
      reserveBytes: 0,
      commitIntervalMs: COMMIT_INTERVAL_MS,
      outageCommitIntervalMs: COMMIT_INTERVAL_MS,
    },
    stateDir,
    uplinks: [{ name: UPLINK, startAt: "now" }],
    tags: traces().tags(),
    log: silentLog,
    ...more,
  });
}

/** @returns how many samples wait: at least `count`, less than a reply more */
export async function makeBacklog(stateDir: string, count: number): Promise<number> {
  const clock = new VirtualClock();
  const plant = traces();
  const { outbox, state } = await openBacklog(stateDir, { clock, worker: "in-process" });
  const startMs = clock.wallMs();
  let taken = 0;
  for (let turn = 0; taken < count; turn++) {
    const samples = plant.read(turn, startMs + turn * REPLY_MS, state.epoch());
    outbox.append(samples);
    const commits = Math.floor((taken + samples.length) / COMMIT_SAMPLES) - Math.floor(taken / COMMIT_SAMPLES);
    taken += samples.length;
    if (commits > 0) await clock.advance(COMMIT_INTERVAL_MS);
  }
  await outbox.close();
  return taken;
}
