/**
 * One life of crash.ts: a store with its thread under load, until somebody kills the process. It tells all it does, a
 * line each, the moment it has done it: `taken FIRST COUNT WALL`, `begun`, `stored NUMBER`, `acknowledged FROM TO`.
 */
import { writeSync } from "node:fs";
import { hostClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { seededRandom } from "../../core/random.ts";
import { openStore } from "../../store/open-store.ts";
import { type Storage, threadStorage } from "../../store/storage-client.ts";
import { CRASH_CONFIG, CRASH_TAGS, CRASH_UPLINKS, LIVE_UPLINK, sampleOf } from "./crash-load.ts";

const STEP_MS = 20;
const SAMPLES_PER_STEP = 20;
const READ_SAMPLES = 500;
/** Of a step: that the broker of the live uplink goes, or comes back. */
const TURN_SHARE = 0.05;

const [stateDir = "", seed = "1"] = process.argv.slice(2);
const tell = (line: string) => writeSync(1, `${line}\n`);

function telling(storage: Storage): Storage {
  const { blocks } = storage;
  return {
    ...storage,
    blocks: {
      ...blocks,
      async commit(change) {
        // Before it crosses to the thread, which moves its buffers.
        const last = Math.max(0, ...change.blocks.map((block) => block.last));
        if (last > 0) tell("begun");
        const usage = await blocks.commit(change);
        if (last > 0) tell(`stored ${last}`);
        return usage;
      },
    },
  };
}

const random = seededRandom(Number(seed));
const { outbox, state } = await openStore({
  config: CRASH_CONFIG,
  stateDir,
  uplinks: CRASH_UPLINKS,
  tags: CRASH_TAGS,
  clock: hostClock,
  log: silentLog,
  worker: telling(threadStorage()),
});
const live = outbox.uplink(LIVE_UPLINK, "now");
let isOnline = true;

async function drain(): Promise<void> {
  const newest = live.newest();
  const { covers } = await live.read(0, newest, READ_SAMPLES);
  if (!isOnline || covers.to < covers.from) return;
  tell(`acknowledged ${covers.from} ${covers.to}`);
  live.acknowledge(covers);
}

function step(): void {
  hostClock.after(STEP_MS, step);
  const first = outbox.report().newest + 1;
  const wallMs = hostClock.wallMs();
  const epoch = state.epoch();
  outbox.append(Array.from({ length: SAMPLES_PER_STEP }, (_, i) => sampleOf(first + i, wallMs, epoch)));
  tell(`taken ${first} ${SAMPLES_PER_STEP} ${wallMs} ${epoch}`);
  if (random.next() < TURN_SHARE) isOnline = !isOnline;
  void drain();
}

step();
