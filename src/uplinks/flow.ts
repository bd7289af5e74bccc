/**
 * What an uplink sends next: decisions only. Live values go first. Whatever is at or below the cut, and whatever
 * could not be sent in time, is history and goes beside them by number, oldest first, as fast as live values bear.
 */
import type { LiveBatch, NumberedSample, Range, UnsyncedCopy } from "../pipeline.ts";
import {
  type Ack,
  HISTORY_MESSAGE_MIN_BYTES,
  HISTORY_WINDOW_MAX,
  historyMessageBytes,
  INITIAL_PACE,
  type Pace,
  paceAfterAck,
  roundTripMs,
  SMALL_MESSAGE_BYTES,
} from "./pace.ts";

/**
 * Messages of all kinds unacknowledged at once; brokers take 20 by default. Over QoS 0, which they do not count, those
 * that are acknowledged together count as one.
 */
export const MESSAGES_IN_FLIGHT_MAX = 20;
/** What is acknowledged together counts as so many at most: events go a second time, on a topic of their own. */
export const FLIGHT_MESSAGES_MAX = 2;
/** What goes out message by message leaves room for what goes out together: live values would wait for the last of it. */
export const SINGLES_IN_FLIGHT_MAX = MESSAGES_IN_FLIGHT_MAX - FLIGHT_MESSAGES_MAX;
/** Live messages among them; the rest is left to history and upkeep. */
export const LIVE_WINDOW_MAX = 16;
/** A live message that is on its way for longer than its round trip and this shows that more would only queue… */
export const LIVE_QUEUE_MAX_MS = 1_000;
/** …save for so little that it makes no queue. */
export const LIVE_QUEUE_MIN_BYTES = 4_096;
/** Larger live messages would themselves hold up the values behind them. */
export const LIVE_MESSAGE_MAX_BYTES = 16_384;
/** A value sent later than this after being taken in is no longer live… */
export const LIVE_LAG_MIN_MS = 5_000;
/** …or than so many times what the last snapshot took, on a link where even that takes long. */
const LIVE_LAG_SNAPSHOTS = 2;
/** However busy the link is with live values, a message of history goes out this often. */
export const HISTORY_AT_LEAST_EVERY_MS = 1_000;
/**
 * History that finds the link empty measures it after so long: where no status comes each minute, nothing else that is
 * small has it to itself, and a link of unknown length is filled with one message at a time.
 */
export const MEASURE_EVERY_MS = 70_000;
/** Small enough with whatever stands around the samples. */
export const MEASURING_MESSAGE_BYTES = SMALL_MESSAGE_BYTES / 2;

export type Kind = "live" | "history" | "upkeep";

/** What goes out together. */
export interface Load {
  readonly bytes: number;
  /** As brokers count them. */
  readonly messages: number;
}

export interface Flow {
  /** Numbers up to here are told by the snapshot and owed as history. */
  readonly cut: number;
  /** A new snapshot is on its way; live values wait for it. */
  readonly cutting: boolean;
  /** Next number to go out as live. */
  readonly liveNext: number;
  /** Next number to go out as history. */
  readonly historyNext: number;
  readonly liveLagMaxMs: number;
  readonly messages: Readonly<Record<Kind, number>>;
  /** When the live messages in flight were sent, oldest first. */
  readonly liveSentMs: readonly number[];
  readonly bytes: Readonly<Record<Kind, number>>;
  readonly lastHistoryMs: number;
  readonly measureFromMs: number;
  /** Bytes that the configured rate of history allows now; below 0 it was overdrawn. */
  readonly creditBytes: number;
  readonly creditAtMs: number;
  readonly pace: Pace;
}

export interface LiveView {
  readonly nowMs: number;
  /** The newest number that may be sent. */
  readonly newest: number;
  /** Messages of all kinds that are not acknowledged, as the sender counts them. */
  readonly inFlight: number;
}

export interface FlowView extends LiveView {
  /** Bytes handed to the socket and not yet taken by the kernel. */
  readonly socketBytes: number;
  /** Something that goes before history waits to be sent. */
  readonly upkeepDue: boolean;
  /** Of the configuration; Infinity for unlimited. */
  readonly historyRateBytesPerS: number;
}

export type HistoryGate =
  | { readonly open: true; readonly maxBytes: number }
  /** Closed until something changes, at the latest until then. */
  | { readonly open: false; readonly untilMs: number };

/** Before the first snapshot: nothing is live yet. */
export function startFlow(nowMs: number): Flow {
  return {
    cut: 0,
    cutting: true,
    liveNext: 1,
    historyNext: 1,
    liveLagMaxMs: LIVE_LAG_MIN_MS,
    messages: { live: 0, history: 0, upkeep: 0 },
    liveSentMs: [],
    bytes: { live: 0, history: 0, upkeep: 0 },
    lastHistoryMs: nowMs,
    measureFromMs: nowMs,
    creditBytes: HISTORY_MESSAGE_MIN_BYTES,
    creditAtMs: nowMs,
    pace: INITIAL_PACE,
  };
}

/** Live values lag: what waits will be told by a new snapshot. */
export function beginCut(flow: Flow): Flow {
  return { ...flow, cutting: true };
}

/** The snapshot is acknowledged, and with it every live value sent before it: what was not sent is history. */
export function endCut(flow: Flow, cut: number, snapshotMs: number): Flow {
  const liveLagMaxMs = Math.max(LIVE_LAG_MIN_MS, LIVE_LAG_SNAPSHOTS * snapshotMs);
  return { ...flow, cutting: false, cut, liveNext: cut + 1, liveLagMaxMs };
}

/** Numbers up to here went out as live, or nothing is left of them. */
export function liveSentTo(flow: Flow, number: number): Flow {
  return { ...flow, liveNext: number + 1 };
}

/** Numbers up to here went out as history, or nothing is left of them. */
export function historySentTo(flow: Flow, number: number): Flow {
  return { ...flow, historyNext: number + 1 };
}

export function afterSending(flow: Flow, kind: Kind, { bytes, messages }: Load, nowMs: number): Flow {
  const measures = isIdle(flow) && (kind === "history" || bytes <= SMALL_MESSAGE_BYTES);
  const sent = {
    ...flow,
    ...(measures && { measureFromMs: nowMs + MEASURE_EVERY_MS }),
    messages: { ...flow.messages, [kind]: flow.messages[kind] + messages },
    bytes: { ...flow.bytes, [kind]: flow.bytes[kind] + bytes },
  };
  if (kind === "live") return { ...sent, liveSentMs: [...flow.liveSentMs, nowMs] };
  if (kind === "history") return { ...sent, lastHistoryMs: nowMs, creditBytes: flow.creditBytes - bytes };
  return sent;
}

export function afterAck(flow: Flow, kind: Kind, ack: Ack, messages: number): Flow {
  return {
    ...flow,
    messages: { ...flow.messages, [kind]: flow.messages[kind] - messages },
    bytes: { ...flow.bytes, [kind]: flow.bytes[kind] - ack.bytes },
    // Brokers acknowledge in order (MQTT 5.0, section 4.6).
    liveSentMs: kind === "live" ? flow.liveSentMs.slice(1) : flow.liveSentMs,
    pace: paceAfterAck(flow.pace, ack),
  };
}

/** Numbers to be read and sent as live now. */
export function liveRange(flow: Flow, view: LiveView): Range | undefined {
  if (view.newest < flow.liveNext || !liveMayGo(flow, view)) return undefined;
  return { from: flow.liveNext, to: view.newest };
}

/** A sample that comes from the file lags: it left memory long ago. */
export function lags(flow: Flow, sample: NumberedSample | UnsyncedCopy, nowMs: number): boolean {
  return sample.takenInMs === undefined || nowMs - sample.takenInMs > flow.liveLagMaxMs;
}

/** Numbers to be read as history, whether they may be sent yet or not. What is not dated has no history. */
export function historyRange(flow: Flow, dated: number): Range | undefined {
  const to = Math.min(flow.cut, dated);
  return flow.historyNext > to ? undefined : { from: flow.historyNext, to };
}

/** Brings the credit of the configured rate up to now: at most a second's worth is saved. */
export function accrue(flow: Flow, rateBytesPerS: number, nowMs: number): Flow {
  const savedMaxBytes = Math.max(rateBytesPerS, HISTORY_MESSAGE_MIN_BYTES);
  const earned = rateBytesPerS === Number.POSITIVE_INFINITY ? 0 : ((nowMs - flow.creditAtMs) / 1000) * rateBytesPerS;
  return { ...flow, creditAtMs: nowMs, creditBytes: Math.min(savedMaxBytes, flow.creditBytes + earned) };
}

/** Whether a message of history may go out now, and how large. Expects the credit to be accrued. */
export function historyGate(flow: Flow, view: FlowView): HistoryGate {
  const { nowMs, historyRateBytesPerS } = view;
  const limited = historyRateBytesPerS !== Number.POSITIVE_INFINITY;
  if (limited && flow.creditBytes < 0) {
    return { open: false, untilMs: nowMs + Math.ceil((-flow.creditBytes / historyRateBytesPerS) * 1000) };
  }
  if (!hasRoom(flow.messages.history, HISTORY_WINDOW_MAX, view)) return CLOSED;
  const messageBytes = historyMessageBytes(flow.pace);
  const liveBlocked = flow.cutting || (view.newest >= flow.liveNext && !liveMayGo(flow, view));
  // Where one small message fills the link, the next one waits until live values behind the last have gone: else what
  // comes now would wait for those, too.
  const liveUnderWay = flow.messages.live > 0 && flow.pace.budgetBytes <= HISTORY_MESSAGE_MIN_BYTES;
  const linkFree = view.socketBytes === 0 && !liveBlocked && !liveUnderWay && !view.upkeepDue;
  const fits = flow.bytes.history === 0 || flow.bytes.history + messageBytes <= flow.pace.budgetBytes;
  const measures = isIdle(flow) && nowMs >= flow.measureFromMs;
  if (linkFree && fits) return { open: true, maxBytes: measures ? MEASURING_MESSAGE_BYTES : messageBytes };
  if (flow.messages.history > 0) return CLOSED;
  const starvesAtMs = flow.lastHistoryMs + HISTORY_AT_LEAST_EVERY_MS;
  if (nowMs >= starvesAtMs) return { open: true, maxBytes: HISTORY_MESSAGE_MIN_BYTES };
  return { open: false, untilMs: starvesAtMs };
}

/** A read before a jump at the end of a batch waits for the jump: it belongs into the same message. */
export function withoutLooseEnd<B extends LiveBatch>(batch: B): B {
  const { covers, samples } = batch;
  const last = samples.at(-1);
  if (samples.length < 2 || last?.readBefore !== true) return batch;
  return { ...batch, covers: { from: covers.from, to: last.number - 1 }, samples: samples.slice(0, -1) };
}

/** From the first on: a message says of all its values whether their time is known. */
export function ofOneKind<S extends NumberedSample | UnsyncedCopy>(samples: readonly S[]): readonly S[] {
  const other = samples.findIndex(({ unsynced }) => unsynced !== samples[0]?.unsynced);
  return other < 0 ? samples : samples.slice(0, other);
}

const CLOSED: HistoryGate = { open: false, untilMs: Number.POSITIVE_INFINITY };

function liveMayGo(flow: Flow, view: LiveView): boolean {
  const { messages, bytes, liveSentMs, pace } = flow;
  if (flow.cutting || !hasRoom(messages.live, LIVE_WINDOW_MAX, view)) return false;
  const [oldestMs] = liveSentMs;
  if (oldestMs === undefined || bytes.live < LIVE_QUEUE_MIN_BYTES) return true;
  return view.nowMs - oldestMs <= roundTripMs(pace) + LIVE_QUEUE_MAX_MS;
}

/** Of so many messages, among all that are in flight. */
function hasRoom(messages: number, windowMax: number, { inFlight }: LiveView): boolean {
  const left = Math.min(windowMax - messages, MESSAGES_IN_FLIGHT_MAX - inFlight);
  return left >= FLIGHT_MESSAGES_MAX;
}

function isIdle({ messages }: Flow): boolean {
  return messages.live + messages.history + messages.upkeep === 0;
}
