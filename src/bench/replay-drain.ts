/**
 * Drains a backlog in a process of its own, so that its memory is nobody else's: the store alone, or through the real
 * uplink. Prints what it took as JSON.
 */
import { argv, cpuUsage, memoryUsage, stdout } from "node:process";
import { type Clock, hostClock, type Timer } from "../core/clock.ts";
import type { UplinkQueue } from "../pipeline.ts";
import type { Certificates } from "../testing/certificates.ts";
import { drained } from "./drained.ts";
import { openBacklog, UPLINK } from "./replay-backlog.ts";
import { openReplayUplink } from "./replay-uplink.ts";

export interface DrainPlan {
  readonly stateDir: string;
  /** Absent: the store alone. */
  readonly broker?: { readonly url: string; readonly certificates: Certificates };
}

export interface DrainResult {
  readonly samples: number;
  readonly seconds: number;
  /** Of all threads of the process. */
  readonly cpuS: number;
  /** From the opened store to the most that was seen. */
  readonly grownBytes: number;
}

/** As many as the uplink asks for. */
const READ_SAMPLES = 1_000;
const LOOK_MS = 20;

const plan: DrainPlan = JSON.parse(argv[2] ?? "");
const { outbox, state } = await openBacklog(plan.stateDir, { clock: hostClock, worker: "thread" });
const queue = outbox.uplink(UPLINK, "now");
const samples = queue.depth();
const memory = watchMemory(hostClock);
const startMs = hostClock.monotonicMs();
const cpuBefore = cpuUsage();
if (plan.broker === undefined) await drainStore(queue);
else await drainUplink(plan.broker);
const seconds = (hostClock.monotonicMs() - startMs) / 1_000;
const { user, system } = cpuUsage(cpuBefore);
const grownBytes = memory.end();
await outbox.close();
const result: DrainResult = { samples, seconds, cpuS: (user + system) / 1e6, grownBytes };
stdout.write(JSON.stringify(result));

async function drainStore(from: UplinkQueue): Promise<void> {
  const newest = from.newest();
  for (let next = 0; next <= newest; ) {
    const { covers } = await from.read(next, newest, READ_SAMPLES);
    from.acknowledge(covers);
    next = covers.to + 1;
  }
}

async function drainUplink({ url, certificates }: NonNullable<DrainPlan["broker"]>): Promise<void> {
  const { uplink } = openReplayUplink({ outbox, state, certificates, server: url });
  uplink.start();
  await drained(queue, hostClock, LOOK_MS, () => uplink.report().state);
  await uplink.stop();
}

/** Looks every few milliseconds, as far as the event loop lets it. `end` tells by how much the process grew at most. */
function watchMemory(clock: Clock): { end(): number } {
  const before = memoryUsage.rss();
  let most = before;
  let timer: Timer;
  const look = () => {
    most = Math.max(most, memoryUsage.rss());
    timer = clock.after(LOOK_MS, look);
  };
  look();
  return {
    end() {
      timer.cancel();
      return Math.max(most, memoryUsage.rss()) - before;
    },
  };
}
