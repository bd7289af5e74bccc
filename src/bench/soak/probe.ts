/**
 * Loaded into the gateway's process before its own code, which knows nothing of it: writes down, in place of what it
 * wrote before, what only the process itself can see. Its one timer is counted along.
 */
import { renameSync, writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";
import { hostClock } from "../../core/clock.ts";

/** As seen from within. */
export interface InnerLook {
  readonly heapBytes: number;
  /** Outside of the heap, array buffers among it. */
  readonly externalBytes: number;
  readonly timers: number;
  /** All that keeps the event loop alive. */
  readonly resources: number;
  /** Late by so much, of all its turns since the last look. */
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
}

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

const path = process.env.SALLYPORT_SOAK_PROBE ?? "";
const everyMs = Number(process.env.SALLYPORT_SOAK_PROBE_MS);
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();

function look(): InnerLook {
  const { heapUsed, external } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const late = (ns: number) => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
  const seen = {
    heapBytes: heapUsed,
    externalBytes: external,
    timers: resources.filter((name) => name === "Timeout").length,
    resources: resources.length,
    loopDelayP99Ms: late(delays.percentile(99)),
    loopDelayMaxMs: late(delays.max),
  };
  delays.reset();
  return seen;
}

function lookOn(): void {
  hostClock.after(everyMs, () => {
    writeFileSync(`${path}.tmp`, JSON.stringify(look()));
    renameSync(`${path}.tmp`, path);
    lookOn();
  });
}

// Threads are given the same preloaded files.
if (isMainThread) lookOn();
