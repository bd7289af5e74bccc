/**
 * When births may go out, when data may follow, and what is done about what the far end says: decisions only.
 *
 *     subscribing → awaitingHost → telling → probing → present        any → gone
 *
 * Held: nothing is told while the primary host is not online; data follow only when our own births came back; however
 * many Rebirths come, births go out no more often than the gap; whatever a host may miss is owed with the next births,
 * in this session or a later one.
 */
import { MISSES_ALL, MISSES_NOTHING, WINDOW_MS } from "../rolling-window.ts";
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
  /** They could not be begun: others are on their way. What is missed is missed still. */
  | { readonly type: "busy"; readonly missesFromMs: number }
  | { readonly type: "timer" };

export type AttendanceEffect =
  /** Births; what was acknowledged since then, and is missed, goes out again behind them, as history. */
  | { readonly type: "tell" | "retell"; readonly missesFromMs: number }
  | { readonly type: "deliver" }
  /** The host is not here. */
  | { readonly type: "moveOn"; readonly reason: string }
  /** It says that it is here, by a time before its last one. */
  | { readonly type: "doubt" }
  | { readonly type: "fail"; readonly reason: string }
  | { readonly type: "setTimer"; readonly delayMs: number };

/** What former sessions leave behind. */
export interface FormerAttendance {
  /** When the host connected to this server, by its own word; undefined: it was never heard there. */
  readonly hostMs: number | undefined;
  /** Monotonic: what was acknowledged since then, a host may miss. `MISSES_ALL`, `MISSES_NOTHING`. */
  readonly missesFromMs: number;
}

export interface AttendanceState extends FormerAttendance {
  readonly phase: AttendancePhase;
  readonly host: HostSeen;
  /** It said that it is here by a time before its last one. */
  readonly isDoubted: boolean;
  /** Topics of births that have not come back. */
  readonly echoesDue: readonly string[];
  readonly rebirthWanted: boolean;
  readonly retelling: boolean;
  readonly rebirthFromMs: number;
  /** A Rebirth within this time is a host's way to begin: it misses nothing from before. */
  readonly greetingFromMs: number;
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
/**
 * A host whose word is older than its last one must not be taken for online (Sparkplug 3.0, phid-wait-timestamp). Where
 * no newer one comes for so long its clock was set back: a new session takes its first word, which is what the broker keeps.
 */
export const HOST_DOUBTED_MS = 60_000;
const BUSY_AGAIN_MS = 1_000;

export const NOT_ROUTED = "the broker does not route our data: our own births do not come back";

export const FIRST_ATTENDANCE: FormerAttendance = { hostMs: undefined, missesFromMs: MISSES_NOTHING };

/** @param probes topics whose births must come back */
export function startAttendance(probes: readonly string[], former: FormerAttendance): AttendanceState {
  return {
    ...former,
    phase: "subscribing",
    host: HOST_UNSEEN,
    isDoubted: false,
    echoesDue: probes,
    rebirthWanted: false,
    retelling: false,
    rebirthFromMs: Number.NEGATIVE_INFINITY,
    greetingFromMs: Number.POSITIVE_INFINITY,
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
      return hearRebirth(state, context);
    case "retold":
      return rebirth({ ...state, retelling: false }, context);
    case "busy":
      return [
        {
          ...missing(state, event.missesFromMs),
          retelling: false,
          rebirthWanted: true,
          rebirthFromMs: context.nowMs + BUSY_AGAIN_MS,
        },
        again(),
      ];
    case "timer":
      return lookAgain(state, context);
  }
}

function again(): readonly AttendanceEffect[] {
  return [{ type: "setTimer", delayMs: BUSY_AGAIN_MS }];
}

/** What was acknowledged since then is owed with the next births. */
function missing(state: AttendanceState, fromMs: number): AttendanceState {
  return { ...state, missesFromMs: Math.min(state.missesFromMs, fromMs) };
}

function awaitHost(state: AttendanceState, context: AttendanceContext): AttendanceStep {
  const { primaryHost, nowMs } = context;
  if (primaryHost !== undefined && !state.host.online) {
    return [{ ...state, phase: "awaitingHost" }, patience(state.isDoubted, context)];
  }
  const { missesFromMs } = state;
  const next = { ...state, phase: "telling", greetingFromMs: nowMs, missesFromMs: MISSES_NOTHING } as const;
  return [next, [{ type: "tell", missesFromMs }]];
}

function patience(isDoubted: boolean, { hasOtherServers }: AttendanceContext): readonly AttendanceEffect[] {
  if (hasOtherServers) return [{ type: "setTimer", delayMs: HOST_SILENT_AFTER_MS }];
  return isDoubted ? [{ type: "setTimer", delayMs: HOST_DOUBTED_MS }] : [];
}

function hearState(state: AttendanceState, heard: HostState, context: AttendanceContext): AttendanceStep {
  const host = hostAfter(state.host, heard);
  if (host === state.host) return heard.online ? doubt(state, context) : [state, []];
  const next = { ...remembering(state, heard), host, isDoubted: false };
  // What is retained may arrive before the broker's word on the subscription.
  if (state.phase === "subscribing") return [next, []];
  if (state.phase === "awaitingHost") {
    if (host.online) return awaitHost(next, context);
    return context.hasOtherServers ? moveOn(next, context) : [next, []];
  }
  if (!host.online) return moveOn(next, context);
  if (next.hostMs === state.hostMs) return [next, []];
  // A host that connected anew may know nothing of us: what it missed has to come behind births.
  const { nowMs } = context;
  const greeting = state.phase === "present" && { greetingFromMs: nowMs, greetingUntilMs: nowMs + GREETING_MS };
  return rebirth({ ...next, ...greeting, rebirthWanted: true }, context);
}

/** A host that goes, or has connected anew, had gone before its broker noticed: nobody knows what it missed. */
function remembering(state: AttendanceState, { online, timestamp }: HostState): AttendanceState {
  const hostMs = online ? timestamp : undefined;
  const wasGone = state.hostMs !== undefined && state.hostMs !== hostMs;
  return { ...(wasGone ? missing(state, MISSES_ALL) : state), hostMs };
}

function doubt(state: AttendanceState, context: AttendanceContext): AttendanceStep {
  if (state.isDoubted) return [state, []];
  const isLate = state.phase === "awaitingHost" && !context.hasOtherServers;
  return [{ ...state, isDoubted: true }, [{ type: "doubt" }, ...(isLate ? patience(true, context) : [])]];
}

function moveOn(state: AttendanceState, { primaryHost, server }: AttendanceContext): AttendanceStep {
  const isNot = state.isDoubted ? "was not known for online" : "is not online";
  const reason = `the primary host ${primaryHost} ${isNot} at ${server}`;
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

function hearRebirth(state: AttendanceState, context: AttendanceContext): AttendanceStep {
  const { nowMs } = context;
  const fromMs = nowMs < state.greetingUntilMs ? state.greetingFromMs : nowMs - WINDOW_MS;
  return rebirth({ ...missing(state, fromMs), rebirthWanted: true }, context);
}

function rebirth(state: AttendanceState, { nowMs }: Pick<AttendanceContext, "nowMs">): AttendanceStep {
  if (state.phase !== "present" || !state.rebirthWanted || state.retelling) return [state, []];
  if (nowMs < state.rebirthFromMs) return [state, [{ type: "setTimer", delayMs: state.rebirthFromMs - nowMs }]];
  const retell = { type: "retell", missesFromMs: state.missesFromMs } as const;
  const begun = { rebirthWanted: false, retelling: true, missesFromMs: MISSES_NOTHING };
  return [{ ...state, ...begun, rebirthFromMs: nowMs + REBIRTH_GAP_MS }, [retell]];
}

function lookAgain(state: AttendanceState, context: AttendanceContext): AttendanceStep {
  if (state.phase === "awaitingHost" && (context.hasOtherServers || state.isDoubted)) return moveOn(state, context);
  if (state.phase === "probing") return [{ ...state, phase: "gone" }, [{ type: "fail", reason: NOT_ROUTED }]];
  return rebirth(state, context);
}
