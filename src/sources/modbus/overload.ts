/** Whether a line keeps up with what is asked of it: told once when it does not, and once when it does again. */
import type { LineConfig } from "../../config/config.ts";
import type { Log } from "../../core/log.ts";
import { measuredLatency, shortfallOf } from "./budget.ts";
import { askedPerMs, type Schedule } from "./schedule.ts";

/** Long enough for a device to die and be found lost in it without a word about the line. */
const WINDOW_MS = 60_000;

/** Share of the reads of a window that were not made: above, the line is overloaded; below the other, it is not. */
const OVERLOADED_SHARE = 0.1;
const RELIEVED_SHARE = 0.01;

export interface Overload {
  readonly windowFromMs: number;
  readonly missedBefore: number;
  readonly isTold: boolean;
}

export type OverloadNews =
  | { readonly kind: "overloaded"; readonly missedShare: number }
  | { readonly kind: "relieved" };

export function startOverload(nowMs: number): Overload {
  return { windowFromMs: nowMs, missedBefore: 0, isTold: false };
}

/**
 * Pure.
 *
 * @param missed periods without a read since the start
 * @param askedPerMs reads that are asked for
 */
export function watchOverload(
  state: Overload,
  missed: number,
  askedPerMs: number,
  nowMs: number,
): readonly [Overload, OverloadNews | undefined] {
  const elapsedMs = nowMs - state.windowFromMs;
  if (elapsedMs < WINDOW_MS) return [state, undefined];
  const next = { ...state, windowFromMs: nowMs, missedBefore: missed };
  const missedShare = Math.min(1, (missed - state.missedBefore) / (askedPerMs * elapsedMs));
  if (!state.isTold && missedShare > OVERLOADED_SHARE) {
    return [
      { ...next, isTold: true },
      { kind: "overloaded", missedShare },
    ];
  }
  if (state.isTold && missedShare < RELIEVED_SHARE) return [{ ...next, isTold: false }, { kind: "relieved" }];
  return [next, undefined];
}

interface MeasuredDevices {
  responseTimeMs(device: string): number;
}

/** Watches one line and tells its log. */
export class OverloadWatch {
  readonly #line: LineConfig;
  readonly #log: Log;
  #state: Overload;

  constructor(line: LineConfig, log: Log, nowMs: number) {
    this.#line = line;
    this.#log = log;
    this.#state = startOverload(nowMs);
  }

  /** What is known before the first read. */
  foretell(): void {
    const shortfall = shortfallOf(this.#line);
    if (shortfall === undefined) return;
    const { needs, remedy } = shortfall;
    this.#log.warning(`${needs}: everything is read less often than asked, in proportion; ${remedy}`);
  }

  /** @param devices tell what they were measured to take, so that slow ones show */
  look(schedule: Schedule, devices: MeasuredDevices, nowMs: number): void {
    const [state, news] = watchOverload(this.#state, schedule.missedPeriods, askedPerMs(schedule), nowMs);
    this.#state = state;
    if (news?.kind === "relieved") this.#log.notice("keeps up again with what is asked");
    if (news?.kind === "overloaded") this.#log.warning(this.#words(news.missedShare, devices));
  }

  #words(missedShare: number, devices: MeasuredDevices): string {
    const percent = Math.round(missedShare * 100);
    const told = `cannot keep up: of the reads of the last minute ${percent} % were not made in time`;
    const shortfall = shortfallOf(
      this.#line,
      measuredLatency(this.#line, (device) => devices.responseTimeMs(device)),
    );
    return shortfall === undefined
      ? `${told}; the wire could carry them: look for timeouts, lateFrames and exceptions of its devices`
      : `${told}; with the response times that were measured it ${shortfall.needs}; ${shortfall.remedy}`;
  }
}
