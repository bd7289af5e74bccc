/**
 * When an uplink connects, to which server, and what it does when that fails: decisions only.
 *
 *     idle → storing → connecting → announcing → online
 *               ▲           │           └──┬────────┘
 *            waiting ◄──────┴── closing ◄──┤           any → stopping → stopped
 *               └─────────◄── leaving ◄──┘
 *
 * Held by the table: at most one connection; a session number is stored before CONNECT; no samples before the
 * announcement is acknowledged; the next attempt once the last connection is gone, or was given up after being cut.
 * A timer belongs to its phase: leaving the phase cancels it.
 */
import { reconnectMs } from "../core/backoff.ts";
import type { Level } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { ConnectionEnd } from "../pipeline.ts";

export type Phase =
  | "idle"
  /** Backing off. */
  | "waiting"
  /** The session number is on its way to the card. */
  | "storing"
  | "connecting"
  /** Connected; the current picture is on its way. */
  | "announcing"
  | "online"
  /** We cut the connection; it is not gone yet. */
  | "closing"
  /** Whom this uplink is for is not at this server: the last word is on its way, then another server is tried. */
  | "leaving"
  /** Asked to end; the last word is on its way. */
  | "stopping"
  | "stopped";

export type SessionEvent =
  | { readonly type: "start" }
  | { readonly type: "stop" }
  | { readonly type: "timer" }
  | { readonly type: "stored"; readonly session: number }
  | { readonly type: "notStored"; readonly reason: string }
  | { readonly type: "connected" }
  | { readonly type: "notConnected"; readonly reason: string }
  | { readonly type: "announced" }
  /** Something refused or overdue makes this connection useless. */
  | { readonly type: "failed"; readonly reason: string }
  /** Whom this uplink is for is not at this server. */
  | { readonly type: "hostOffline"; readonly reason: string }
  /** The connection is gone, for whatever cause. */
  | ({ readonly type: "closed" } & ConnectionEnd);

type EventType = SessionEvent["type"];
type EventOf<T extends EventType> = Extract<SessionEvent, { type: T }>;

export type Effect =
  | { readonly type: "storeSession" }
  | { readonly type: "connect"; readonly server: string; readonly session: number }
  | { readonly type: "announce" }
  | { readonly type: "deliver" }
  /** Publish the offline status, then close; `leave` does it at once, what waits keeps. */
  | { readonly type: "sayGoodbye" }
  | { readonly type: "leave" }
  | { readonly type: "close" }
  | { readonly type: "destroy" }
  | { readonly type: "setTimer"; readonly delayMs: number }
  | { readonly type: "tell"; readonly level: Level; readonly message: string }
  | { readonly type: "stopped" };

export interface SessionState {
  readonly phase: Phase;
  /** Index of the server in use or next to try. */
  readonly server: number;
  readonly session: number;
  /** Failures in a row without a connection that held. */
  readonly failures: number;
  /** Times in a row that the broker took the connection away within seconds. */
  readonly brief: number;
  /** Times in one fight that another client took the session over. */
  readonly takeovers: number;
  readonly connectedAtMs: number;
  /** Why there is no connection, in words; empty when nothing is wrong. */
  readonly failure: string;
  /** The failure last told as a warning since there was a connection; the same one again is no news. */
  readonly told: string;
}

export interface SessionContext {
  readonly servers: readonly string[];
  readonly clientId: string;
  readonly reconnect: { readonly spreadMs: number; readonly maxMs: number };
  readonly random: Random;
  /** Monotonic. */
  readonly nowMs: number;
}

export type SessionStep = readonly [SessionState, readonly Effect[]];

/** A connection that lives this long has held: what ends it then is a new story. */
export const HELD_AFTER_MS = 10_000;
/** So many brief connections in a row are no chance: someone takes them away. */
export const BRIEF_IS_A_FIGHT = 3;
/** Two gateways with one identity throw each other off; each must then leave the other in peace for long. */
export const FIGHT_BACKOFF_MIN_MS = 60_000;
export const FIGHT_BACKOFF_MAX_MS = 900_000;
/** The other one stays away for as long as we do: only a session that outlives both waits ends the fight. */
export const FIGHT_OVER_AFTER_MS = 2 * FIGHT_BACKOFF_MAX_MS;
/** The offline status gets this long; in an outage there is nobody to hear it. */
export const STOP_LIMIT_MS = 3_000;
/** A cut connection that does not end by then is given up. */
export const CLOSING_LIMIT_MS = 5_000;

export const INITIAL_SESSION: SessionState = {
  phase: "idle",
  server: 0,
  session: 0,
  failures: 0,
  brief: 0,
  takeovers: 0,
  connectedAtMs: 0,
  failure: "",
  told: "",
};

export function stepSession(state: SessionState, event: SessionEvent, context: SessionContext): SessionStep {
  // The type of a cell follows from its column, which TypeScript cannot see through the lookup.
  const transition = TABLE[state.phase][event.type] as AnyTransition;
  return transition(state, event, context);
}

type Transition<T extends EventType> = (state: SessionState, event: EventOf<T>, context: SessionContext) => SessionStep;

type AnyTransition = (state: SessionState, event: SessionEvent, context: SessionContext) => SessionStep;

const stay: AnyTransition = (state) => [state, []];

const store: AnyTransition = (state) => [{ ...state, phase: "storing" }, [{ type: "storeSession" }]];

const connect: Transition<"stored"> = (state, { session }, { servers }) => [
  { ...state, phase: "connecting", session },
  [{ type: "connect", server: servers[state.server] ?? "", session }],
];

const announce: Transition<"connected"> = (state, _event, { nowMs }) => [
  { ...state, phase: "announcing", connectedAtMs: nowMs },
  [{ type: "announce" }],
];

const deliver: Transition<"announced"> = (state, _event, { servers }) => [
  { ...state, phase: "online", failure: "", told: "" },
  [{ type: "deliver" }, tell("notice", `connected to ${servers[state.server]}, session ${state.session}`)],
];

const failToStore: Transition<"notStored"> = (state, { reason }, context) =>
  retry(state, `the session number cannot be stored: ${reason}`, state.failures + 1, context);

const failToConnect: Transition<"notConnected"> = (state, { reason }, context) =>
  retry(nextServer(state, context), reason, state.failures + 1, context);

const cut: Transition<"failed"> = (state, { reason }) => [
  { ...state, phase: "closing", failure: reason },
  [{ type: "destroy" }, { type: "setTimer", delayMs: CLOSING_LIMIT_MS }],
];

const leave: Transition<"hostOffline"> = (state, { reason }) => [
  { ...state, phase: "leaving", failure: reason },
  [{ type: "leave" }, { type: "setTimer", delayMs: STOP_LIMIT_MS }],
];

const afterLeaving: AnyTransition = (state, _event, context) => {
  const failures = hasHeld(state, context) ? 1 : state.failures + 1;
  return retry(nextServer(state, context), state.failure, failures, context);
};

const leaveHard: AnyTransition = (state, event, context) => {
  const [next, effects] = afterLeaving(state, event, context);
  return [next, [{ type: "destroy" }, ...effects]];
};

/** The broker, or the way to it, ended the connection. */
const loseConnection: Transition<"closed"> = (state, { reason, takenOver }, context) => {
  const held = hasHeld(state, context);
  const brief = held ? 0 : state.brief + 1;
  if (takenOver) {
    const fightOver = context.nowMs - state.connectedAtMs >= FIGHT_OVER_AFTER_MS;
    const takeovers = fightOver ? 1 : state.takeovers + 1;
    const failure = `another gateway uses the client id "${context.clientId}"`;
    return retreat({ ...state, brief, takeovers }, failure, takeovers, context);
  }
  if (brief >= BRIEF_IS_A_FIGHT) {
    const failure = `another gateway probably uses the client id "${context.clientId}": closed ${brief} times within seconds, last because ${reason}`;
    return retreat({ ...state, brief }, failure, brief, context);
  }
  return held
    ? retry({ ...state, brief }, reason, 1, context)
    : retry(nextServer({ ...state, brief }, context), reason, state.failures + 1, context);
};

/** The connection that we cut is gone; the reason for the cut stands, unless the broker was first with a better one. */
const afterCut: Transition<"closed"> = (state, event, context) =>
  event.takenOver ? loseConnection(state, event, context) : retryAfterCut(state, context);

/** Its end does not come: it is as good as gone. */
const giveUpCut: Transition<"timer"> = (state, _event, context) => retryAfterCut(state, context);

const stopNow: AnyTransition = (state) => [{ ...state, phase: "stopped" }, [{ type: "stopped" }]];

/** Nothing to say any more, or nobody to say it to, but a connection that may still come or has to go. */
const awaitEnd: Transition<"stop"> = (state) => [
  { ...state, phase: "stopping" },
  [{ type: "setTimer", delayMs: STOP_LIMIT_MS }],
];

const sayGoodbye: Transition<"stop"> = (state) => [
  { ...state, phase: "stopping" },
  [{ type: "sayGoodbye" }, { type: "setTimer", delayMs: STOP_LIMIT_MS }],
];

const closeLate: Transition<"connected"> = (state) => [state, [{ type: "close" }]];

const destroy: AnyTransition = (state) => [state, [{ type: "destroy" }]];

const stopHard: Transition<"timer"> = (state) => [
  { ...state, phase: "stopped" },
  [{ type: "destroy" }, { type: "stopped" }],
];

const TABLE: { readonly [P in Phase]: { readonly [T in EventType]: Transition<T> } } = {
  idle: {
    start: store,
    stop: stopNow,
    timer: stay,
    stored: stay,
    notStored: stay,
    connected: stay,
    notConnected: stay,
    announced: stay,
    failed: stay,
    hostOffline: stay,
    closed: stay,
  },
  waiting: {
    start: stay,
    stop: stopNow,
    timer: store,
    stored: stay,
    notStored: stay,
    connected: stay,
    notConnected: stay,
    announced: stay,
    failed: stay,
    hostOffline: stay,
    closed: stay,
  },
  storing: {
    start: stay,
    stop: stopNow,
    timer: stay,
    stored: connect,
    notStored: failToStore,
    connected: stay,
    notConnected: stay,
    announced: stay,
    failed: stay,
    hostOffline: stay,
    closed: stay,
  },
  connecting: {
    start: stay,
    stop: awaitEnd,
    timer: stay,
    stored: stay,
    notStored: stay,
    connected: announce,
    notConnected: failToConnect,
    announced: stay,
    failed: stay,
    hostOffline: stay,
    closed: stay,
  },
  announcing: {
    start: stay,
    stop: sayGoodbye,
    timer: stay,
    stored: stay,
    notStored: stay,
    connected: stay,
    notConnected: stay,
    announced: deliver,
    failed: cut,
    hostOffline: leave,
    closed: loseConnection,
  },
  online: {
    start: stay,
    stop: sayGoodbye,
    timer: stay,
    stored: stay,
    notStored: stay,
    connected: stay,
    notConnected: stay,
    announced: stay,
    failed: cut,
    hostOffline: leave,
    closed: loseConnection,
  },
  closing: {
    start: stay,
    stop: awaitEnd,
    timer: giveUpCut,
    stored: stay,
    notStored: stay,
    connected: stay,
    notConnected: stay,
    announced: stay,
    failed: stay,
    hostOffline: stay,
    closed: afterCut,
  },
  leaving: {
    start: stay,
    stop: awaitEnd,
    timer: leaveHard,
    stored: stay,
    notStored: stay,
    connected: stay,
    notConnected: stay,
    announced: stay,
    failed: destroy,
    hostOffline: stay,
    closed: afterLeaving,
  },
  stopping: {
    start: stay,
    stop: stay,
    timer: stopHard,
    stored: stay,
    notStored: stay,
    connected: closeLate,
    notConnected: stopNow,
    announced: stay,
    failed: destroy,
    hostOffline: stay,
    closed: stopNow,
  },
  stopped: {
    start: stay,
    stop: stay,
    timer: stay,
    stored: stay,
    notStored: stay,
    connected: destroy,
    notConnected: stay,
    announced: stay,
    failed: stay,
    hostOffline: stay,
    closed: stay,
  },
};

function retryAfterCut(state: SessionState, context: SessionContext): SessionStep {
  return hasHeld(state, context)
    ? retry(state, state.failure, 1, context)
    : retry(nextServer(state, context), state.failure, state.failures + 1, context);
}

function retry(state: SessionState, failure: string, failures: number, context: SessionContext): SessionStep {
  const { reconnect, servers, random } = context;
  // A pass over all servers counts as one attempt: each is a chance of its own.
  const attempt = Math.ceil(failures / Math.max(1, servers.length));
  const delayMs = reconnectMs(attempt, reconnect.spreadMs, reconnect.maxMs, random);
  return wait(state, failure, failures, delayMs);
}

/** Someone else has our identity: the longer it goes on, the longer we stay away. */
function retreat(state: SessionState, failure: string, times: number, { random }: SessionContext): SessionStep {
  const ceilingMs = Math.min(FIGHT_BACKOFF_MAX_MS, FIGHT_BACKOFF_MIN_MS * 2 ** Math.min(times, 10));
  return wait(state, failure, state.failures + 1, Math.round(ceilingMs * (0.5 + random.next() / 2)));
}

function wait(state: SessionState, failure: string, failures: number, delayMs: number): SessionStep {
  const level = failure === state.told ? "debug" : "warning";
  const again = `next attempt in ${Math.ceil(delayMs / 1000)} s`;
  return [
    { ...state, phase: "waiting", failure, failures, told: failure },
    [{ type: "setTimer", delayMs }, tell(level, `not connected: ${failure}; ${again}`)],
  ];
}

function nextServer(state: SessionState, { servers }: SessionContext): SessionState {
  return { ...state, server: (state.server + 1) % Math.max(1, servers.length) };
}

function hasHeld(state: SessionState, { nowMs }: SessionContext): boolean {
  return nowMs - state.connectedAtMs >= HELD_AFTER_MS;
}

function tell(level: Level, message: string): Effect {
  return { type: "tell", level, message };
}
