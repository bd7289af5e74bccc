/**
 * When births may go out, when data may follow, and what is done about what the far end says: decisions only.
 *
 *     subscribing → awaitingHost → telling → probing → present        any → gone
 *
 * Held: nothing is told while the primary host is not online; data follow only when our own births came back; however
 * many Rebirths come, births go out no more often than the gap.
 */
import { HOST_UNSEEN, type HostSeen, type HostState, hostAfter } from "./host-state.ts";

export type AttendancePhase = "subscribing" | "awaitingHost" | "telling" | "probing" | "present" | "gone";

export type AttendanceEvent =
  /** The broker has granted the subscriptions. */
  | { readonly type: "subscribed" }
  | { readonly type: "state"; readonly state: HostState }
  /** All births of the session are acknowledged. */
  | { readonly type: "told" }
  | { readonly type: "echo"; readonly topic: string }
  | { readonly type: "rebirth" }
  /** The births that were asked for are out. */
  | { readonly type: "retold" }
  /** They could not be begun: others are on their way. */
  | { readonly type: "busy" }
  | { readonly type: "timer" };

export type AttendanceEffect =
  | { readonly type: "tell" }
  | { readonly type: "deliver" }
  /** Births anew; with `repeat`, what was acknowledged lately goes out again as history: the host misses something. */
  | { readonly type: "retell"; readonly repeat: boolean }
  /** The host is not here. */
  | { readonly type: "moveOn"; readonly reason: string }
  | { readonly type: "fail"; readonly reason: string }
  | { readonly type: "setTimer"; readonly delayMs: number };

export interface AttendanceState {
  readonly phase: AttendancePhase;
  readonly host: HostSeen;
  /** Topics of births that have not come back. */
  readonly echoesDue: readonly string[];
  readonly rebirthWanted: boolean;
  readonly retelling: boolean;
  readonly rebirthFromMs: number;
  /** Until then a Rebirth is a host's way to begin, later it is its way to say that something is missing. */
  readonly greetingUntilMs: number;
}

export interface AttendanceContext {
  /** Monotonic. */
  readonly nowMs: number;
  readonly server: string;
  /** Undefined: there is none to wait for. */
  readonly primaryHost: string | undefined;
  /** There are others to go to. */
  readonly hasOtherServers: boolean;
}

export type AttendanceStep = readonly [AttendanceState, readonly AttendanceEffect[]];

/** A server on which the host says nothing for so long is left, where there are others. */
export const HOST_SILENT_AFTER_MS = 30_000;
/** Our own births come back as fast as they were acknowledged, or not at all. */
export const ECHO_LIMIT_MS = 5_000;
/** Births that are asked for go out no more often. */
export const REBIRTH_GAP_MS = 5_000;
export const GREETING_MS = 10_000;
const BUSY_AGAIN_MS = 1_000;

export const NOT_ROUTED = "the broker does not route our data: our own births do not come back";

/** @param probes topics whose births must come back */
export function startAttendance(probes: readonly string[]): AttendanceState {
  return {
    phase: "subscribing",
    host: HOST_UNSEEN,
    echoesDue: probes,
    rebirthWanted: false,
    retelling: false,
    rebirthFromMs: Number.NEGATIVE_INFINITY,
    greetingUntilMs: Number.POSITIVE_INFINITY,
  };
}

export function stepAttendance(
  state: AttendanceState,
  event: AttendanceEvent,
  context: AttendanceContext,
): AttendanceStep {
  if (state.phase === "gone") return [state, []];
  switch (event.type) {
    case "subscribed":
      return state.phase === "subscribing" ? awaitHost(state, context) : [state, []];
    case "state":
      return hearState(state, event.state, context);
    case "told":
      return state.phase === "telling" ? probe({ ...state, phase: "probing" }, context) : [state, []];
    case "echo":
      return hearEcho(state, event.topic, context);
    case "rebirth":
      return rebirth({ ...state, rebirthWanted: true }, context);
    case "retold":
      return rebirth({ ...state, retelling: false }, context);
    case "busy":
      return [
        { ...state, retelling: false, rebirthWanted: true, rebirthFromMs: context.nowMs + BUSY_AGAIN_MS },
        again(),
      ];
    case "timer":
      return lookAgain(state, context);
  }
}

function again(): readonly AttendanceEffect[] {
  return [{ type: "setTimer", delayMs: BUSY_AGAIN_MS }];
}

function awaitHost(state: AttendanceState, { primaryHost, hasOtherServers }: AttendanceContext): AttendanceStep {
  if (primaryHost === undefined || state.host.online) return [{ ...state, phase: "telling" }, [{ type: "tell" }]];
  const timer = { type: "setTimer", delayMs: HOST_SILENT_AFTER_MS } as const;
  return [{ ...state, phase: "awaitingHost" }, hasOtherServers ? [timer] : []];
}

function hearState(state: AttendanceState, heard: HostState, context: AttendanceContext): AttendanceStep {
  const host = hostAfter(state.host, heard);
  if (host === state.host) return [state, []];
  const greetingUntilMs =
    host.online && state.phase === "present" ? context.nowMs + GREETING_MS : state.greetingUntilMs;
  const next = { ...state, host, greetingUntilMs };
  // What is retained may arrive before the broker's word on the subscription.
  if (state.phase === "subscribing") return [next, []];
  if (state.phase === "awaitingHost") {
    if (host.online) return awaitHost(next, context);
    return context.hasOtherServers ? moveOn(next, context) : [next, []];
  }
  if (!host.online) return moveOn(next, context);
  // A host that connected anew may know nothing of us: what it missed has to come behind births.
  const isBack = heard.timestamp > (state.host.lastOnlineMs ?? Number.POSITIVE_INFINITY);
  return isBack ? rebirth({ ...next, rebirthWanted: true }, context) : [next, []];
}

function moveOn(state: AttendanceState, { primaryHost, server }: AttendanceContext): AttendanceStep {
  const reason = `the primary host ${primaryHost} is not online at ${server}`;
  return [{ ...state, phase: "gone" }, [{ type: "moveOn", reason }]];
}

function probe(state: AttendanceState, { nowMs }: AttendanceContext): AttendanceStep {
  if (state.echoesDue.length > 0) return [state, [{ type: "setTimer", delayMs: ECHO_LIMIT_MS }]];
  const present = { ...state, phase: "present", greetingUntilMs: nowMs + GREETING_MS } as const;
  // Births have just gone out: who asked for them meanwhile may have missed the first ones.
  const [next, effects] = rebirth({ ...present, rebirthFromMs: nowMs }, { nowMs });
  return [next, [{ type: "deliver" }, ...effects]];
}

function hearEcho(state: AttendanceState, topic: string, context: AttendanceContext): AttendanceStep {
  const next = { ...state, echoesDue: state.echoesDue.filter((due) => due !== topic) };
  return state.phase === "probing" && next.echoesDue.length === 0 ? probe(next, context) : [next, []];
}

function rebirth(state: AttendanceState, { nowMs }: Pick<AttendanceContext, "nowMs">): AttendanceStep {
  if (state.phase !== "present" || !state.rebirthWanted || state.retelling) return [state, []];
  if (nowMs < state.rebirthFromMs) return [state, [{ type: "setTimer", delayMs: state.rebirthFromMs - nowMs }]];
  const retell = { type: "retell", repeat: nowMs >= state.greetingUntilMs } as const;
  return [{ ...state, rebirthWanted: false, retelling: true, rebirthFromMs: nowMs + REBIRTH_GAP_MS }, [retell]];
}

function lookAgain(state: AttendanceState, context: AttendanceContext): AttendanceStep {
  if (state.phase === "awaitingHost" && context.hasOtherServers) return moveOn(state, context);
  if (state.phase === "probing") return [{ ...state, phase: "gone" }, [{ type: "fail", reason: NOT_ROUTED }]];
  return rebirth(state, context);
}
