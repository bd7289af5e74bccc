/** The process of prove-healthy.ts: a store with its thread, 1,000 samples a second, acknowledged as they come. */
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { openStore } from "../store/open-store.ts";
import { CRASH_TAGS, LIVE_UPLINK, sampleOf } from "./crash/crash-load.ts";

const STEP_MS = 20;
const SAMPLES_PER_STEP = CRASH_TAGS.length;

const [stateDir = ""] = process.argv.slice(2);
const { outbox, state } = await openStore({
  config: {
    path: "outbox.db",
    maxSizeBytes: 2_000_000_000,
    maxAgeMs: 90 * 86_400_000,
    commitIntervalMs: 1_000,
    outageCommitIntervalMs: 1_000,
  },
  stateDir,
  uplinks: [{ name: LIVE_UPLINK, startAt: "now" }],
  tags: CRASH_TAGS,
  clock: hostClock,
  log: silentLog,
  worker: "thread",
});
const live = outbox.uplink(LIVE_UPLINK, "now");
let isStopping = false;
let nextMs = hostClock.monotonicMs();

/** As many steps as time has passed: a timer that comes late must not make it fewer samples. */
function step(): void {
  if (isStopping) return;
  for (; nextMs <= hostClock.monotonicMs(); nextMs += STEP_MS) {
    const first = outbox.report().newest + 1;
    const wallMs = Math.round(nextMs);
    outbox.append(Array.from({ length: SAMPLES_PER_STEP }, (_, i) => sampleOf(first + i, wallMs, state.epoch())));
  }
  live.acknowledge({ from: 0, to: live.newest() });
  hostClock.after(STEP_MS, step);
}

process.stdin.resume().once("end", () => {
  isStopping = true;
  process.stdout.write(`${outbox.report().takenIn}\n`);
  void outbox.close();
});
process.stdout.write("begun\n");
step();
