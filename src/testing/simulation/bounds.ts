/** P7: what has a limit stays below it. */
import { OUTBOX_LIMITS } from "../../store/outbox-limits.ts";
import type { FarEnd } from "./far-end.ts";
import type { Life } from "./life.ts";
import type { SitePlan } from "./plan.ts";
import { brokerOf } from "./site.ts";
import type { Story } from "./story.ts";

/** Unacknowledged messages of one connection. */
const IN_FLIGHT_MAX = 20;
/** What comes between two looks at the limit of samples in memory. */
const MEMORY_OVER_SAMPLES = 1_000;
/** What a file may be above its limit, as small as no configuration may make it: its write-ahead log, and a large commit. */
const FILE_OVER_BYTES = 400_000;
/** Facts of a small site, and a write-ahead log. */
const STATE_BYTES_MAX = 600_000;
/** Timers of a part, generously; what leaks goes beyond it within minutes. */
const TIMERS_PER_PART = 12;
const TIMERS_OF_THE_REST = 20;

/** A link on which nothing passes is found out within this: history gets some time more than live values. */
const NOTICED_WITHIN_MS = 60_000;

/** A link that is frozen is not called connected for long. */
export function checkFrozen(life: Life, farEnd: FarEnd, story: Story): void {
  for (const { name, state, server } of life.gateway?.uplinks() ?? []) {
    const frozenMs = farEnd.brokers[brokerOf(server)]?.frozenForMs() ?? 0;
    if (state !== "connected" || frozenMs <= NOTICED_WITHIN_MS) continue;
    story.breach("P7 bounded", `${name} is connected, though nothing has come through for ${frozenMs} ms`);
  }
}

/** @param stateBytes of state.db with its log */
export function checkBounds(life: Life, site: SitePlan, stateBytes: number, story: Story): void {
  const parts = site.lines.length + site.uplinks.length + site.inputs.length;
  const timersMax = TIMERS_OF_THE_REST + TIMERS_PER_PART * parts;
  const { memorySamples = 0, fileBytes = 0 } = life.gateway?.outbox() ?? {};
  const { tailSamples } = { ...OUTBOX_LIMITS, ...site.outbox.limits };
  const found = [
    ["timers", life.pendingTimers(), timersMax],
    ["messages in flight", life.inFlight(), IN_FLIGHT_MAX],
    ["samples in memory", memorySamples, tailSamples + MEMORY_OVER_SAMPLES],
    ["bytes of state.db", stateBytes, STATE_BYTES_MAX],
    ["bytes of the outbox", fileBytes, site.outbox.maxSizeBytes + FILE_OVER_BYTES],
  ] as const;
  for (const [what, count, max] of found) {
    if (count > max) story.breach("P7 bounded", `${count} ${what}, the limit is ${max}`);
  }
}
