import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../core/log.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { TimeSigns } from "./time-signs.ts";
import { createTimekeeper, type Timekeeper } from "./timekeeper.ts";

const UPTIME_MS = 100 * 86_400_000;
const DAY_MS = 86_400_000;

/** On a board that has been up for long, whose program or configuration is younger than that. */
async function board(waitAtMostMs: number): Promise<{ clock: VirtualClock; time: Timekeeper; notBeforeMs: number }> {
  const clock = new VirtualClock();
  await clock.advance(UPTIME_MS);
  const notBeforeMs = clock.wallMs() - 60_000;
  const signs: TimeSigns = {
    bootId: () => "this boot",
    isSynchronised: () => false,
    rtcMs: () => undefined,
    notBeforeMs: () => notBeforeMs,
  };
  const log = createLog({ write: () => undefined, level: "info", format: "text" });
  const config = { source: "auto", waitAtMostMs } as const;
  return { clock, notBeforeMs, time: createTimekeeper({ config, clock, signs, bootName: () => "none", log }) };
}

test("P9: a configuration that was written since the kernel started does not put the best-known time into the future", async () => {
  const { clock, time, notBeforeMs } = await board(600_000);
  await time.begin(async () => undefined);
  assert.equal(time.wallMs(), notBeforeMs);
  await clock.advance(5_000);
  assert.equal(time.wallMs(), notBeforeMs + 5_000);
});

test("P9: nor what is stamped by the host's time, because nobody vouched for it", async () => {
  const { clock, time } = await board(0);
  await time.begin(async () => undefined);
  assert.deepEqual([time.state(), time.wallMs()], ["host", clock.wallMs()]);
});

test("P9: a kernel that started after the time last seen has shown so much more since", async () => {
  const { clock, time } = await board(600_000);
  const seenMs = clock.wallMs() - UPTIME_MS + DAY_MS;
  const seen = { ms: seenMs, boot: "an earlier boot", monotonicMs: 0 };
  time.remember({ seen, knownOffsetMs: undefined, fixed: undefined });
  assert.equal(time.wallMs(), seenMs + UPTIME_MS);
});
