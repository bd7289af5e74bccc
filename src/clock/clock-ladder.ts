/**
 * How far the host's clock is to be believed: decisions only.
 *
 *     the time service's sign  ntp       good
 *     a real-time clock        rtc       good
 *     it was good before       holdover  good
 *     waited for in vain       host      waited
 *     else                     unsynced  none
 *
 * The first rung that holds counts. Trust never falls: what was good once in a boot drifts, but does not get unknown.
 */

import type { ClockState, ClockTrust } from "../core/known-time.ts";
import type { Level } from "../core/log.ts";

/** A real-time clock that the host has left behind is not where its time comes from. */
export const RTC_AGREES_WITHIN_MS = 60_000;

export interface LadderState {
  readonly rung: ClockState;
  readonly trust: ClockTrust;
  /** Monotonic time of the first look; undefined before it. */
  readonly watchedSinceMs: number | undefined;
}

export type ClockEvent =
  /** What an earlier process of this kernel boot came to, or the configuration says. */
  | { readonly type: "known"; readonly trust: ClockTrust; readonly isHost: boolean }
  | ({ readonly type: "look" } & ClockSigns);

export interface ClockSigns {
  readonly hostMs: number;
  /** The time service says that the clock is synchronised. */
  readonly service: boolean;
  /** Time of the real-time clock that the kernel set its clock by; undefined without one. */
  readonly rtcMs: number | undefined;
  /** It is certainly later than this. */
  readonly notBeforeMs: number;
}

export type ClockEffect =
  /** From now on stamps are UTC. */
  | { readonly type: "settle"; readonly trust: Exclude<ClockTrust, "none"> }
  | { readonly type: "tell"; readonly level: Level; readonly message: string };

export type LadderStep = readonly [LadderState, readonly ClockEffect[]];

export const INITIAL_LADDER: LadderState = { rung: "unsynced", trust: "none", watchedSinceMs: undefined };

/** @param nowMs monotonic */
export function stepLadder(state: LadderState, event: ClockEvent, nowMs: number, waitAtMostMs: number): LadderStep {
  if (event.type === "known") {
    const rung = event.isHost || event.trust === "waited" ? "host" : "holdover";
    return event.trust === "none" ? [state, []] : [{ ...state, rung, trust: event.trust }, []];
  }
  const watchedSinceMs = state.watchedSinceMs ?? nowMs;
  const rung = rungOf(state, event, nowMs - watchedSinceMs >= waitAtMostMs);
  const trust = state.trust === "good" ? "good" : TRUST[rung];
  const next: LadderState = { rung, trust, watchedSinceMs };
  return [next, effectsOf(state, next, waitAtMostMs)];
}

const TRUST: Readonly<Record<ClockState, ClockTrust>> = {
  ntp: "good",
  rtc: "good",
  holdover: "good",
  host: "waited",
  unsynced: "none",
};

function rungOf({ rung, trust }: LadderState, signs: ClockSigns, isWaitOver: boolean): ClockState {
  if (rung === "host" && trust === "good") return "host";
  if (signs.service) return "ntp";
  if (isRtcGood(signs)) return "rtc";
  if (trust === "good") return "holdover";
  return trust === "waited" || isWaitOver ? "host" : "unsynced";
}

/** A dead battery shows a time long past; one that came back from a file on the card is not that of the chip. */
function isRtcGood({ rtcMs, hostMs, notBeforeMs }: ClockSigns): boolean {
  return rtcMs !== undefined && rtcMs > notBeforeMs && Math.abs(hostMs - rtcMs) <= RTC_AGREES_WITHIN_MS;
}

function effectsOf(before: LadderState, after: LadderState, waitAtMostMs: number): readonly ClockEffect[] {
  const effects: ClockEffect[] = [];
  if (after.trust !== "none" && after.trust !== before.trust) effects.push({ type: "settle", trust: after.trust });
  if (after.rung !== before.rung || before.watchedSinceMs === undefined) effects.push(WORDS[after.rung](waitAtMostMs));
  return effects;
}

function tell(level: Level, message: string): ClockEffect {
  return { type: "tell", level, message };
}

const WORDS: Readonly<Record<ClockState, (waitAtMostMs: number) => ClockEffect>> = {
  ntp: () => tell("notice", "the clock is good: the time service says so"),
  rtc: () => tell("notice", "the clock is good: it was set by the real-time clock"),
  holdover: () => tell("warning", "the time service does not vouch for the clock any more; it was good, and goes on"),
  host: (waitAtMostMs) =>
    tell(
      "warning",
      `nobody vouched for the clock within ${waitAtMostMs / 1_000} s: its time is taken, and all values are uncertain; check the time server`,
    ),
  unsynced: (waitAtMostMs) =>
    tell(
      "warning",
      `the clock is not known to be good; values are told as unsynced for ${waitAtMostMs / 1_000} s at most, until the time service has synchronised it`,
    ),
};
