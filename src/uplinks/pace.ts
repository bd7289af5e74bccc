/**
 * How many bytes of history may be on their way, so that a live value sent now is not held up by them.
 *
 * A small message alone on the link shows its round trip. What any message takes longer is the queue in front of it:
 * from the bytes in that queue follows how many the link carries in the time that live values may be made to wait.
 * The budget grows by a step while the link bears it and at most halves with each acknowledgement that came late.
 */

/** History adds at most about this to the way of a live value: 250 ms, less the error of measuring. */
const DELAY_TARGET_MS = 150;
export const HISTORY_MESSAGE_MIN_BYTES = 4_096;
export const HISTORY_MESSAGE_MAX_BYTES = 65_536;
/** Messages of history unacknowledged at once; the rest of the window is left to live values. */
export const HISTORY_WINDOW_MAX = 16;
const BUDGET_MAX_BYTES = HISTORY_MESSAGE_MAX_BYTES * HISTORY_WINDOW_MAX;
/** The budget goes out in so many messages, so that acknowledgements keep coming. */
const MESSAGES_A_BUDGET = 4;
/** By which the budget grows each time a whole budget was acknowledged in time, or by a message where that is more. */
const GROWTH = 1 / 8;
/** A message is small when its own bytes do not show in its round trip. */
export const SMALL_MESSAGE_BYTES = 1_024;
/** The round trip is the least of so many of the last measurements: one late one is chance, two are the way. */
const ROUND_TRIPS_KEPT = 2;

export interface Pace {
  readonly budgetBytes: number;
  /** Of the last small messages that had the link to themselves. */
  readonly roundTripsMs: readonly number[];
}

/** An acknowledgement, as the sender measured it. */
export interface Ack {
  readonly ackMs: number;
  readonly bytes: number;
  /** Unacknowledged when it was sent, its own bytes included. */
  readonly queuedBytes: number;
  /** How many of them were history. */
  readonly historyBytes: number;
}

export const INITIAL_PACE: Pace = { budgetBytes: HISTORY_MESSAGE_MIN_BYTES, roundTripsMs: [] };

export function historyMessageBytes({ budgetBytes }: Pace): number {
  return clamp(budgetBytes / MESSAGES_A_BUDGET, HISTORY_MESSAGE_MIN_BYTES, HISTORY_MESSAGE_MAX_BYTES);
}

export function paceAfterAck(pace: Pace, ack: Ack): Pace {
  if (ack.bytes === ack.queuedBytes && ack.bytes <= SMALL_MESSAGE_BYTES) {
    return { ...pace, roundTripsMs: [...pace.roundTripsMs, ack.ackMs].slice(-ROUND_TRIPS_KEPT) };
  }
  if (ack.historyBytes === 0 || pace.roundTripsMs.length === 0) return pace;
  const { budgetBytes } = pace;
  const queueMs = Math.max(1, ack.ackMs - roundTripMs(pace));
  const bearableBytes = (ack.queuedBytes * DELAY_TARGET_MS) / queueMs;
  if (bearableBytes < budgetBytes) {
    return { ...pace, budgetBytes: Math.max(HISTORY_MESSAGE_MIN_BYTES, bearableBytes, budgetBytes / 2) };
  }
  // A budget that was not used says nothing about a larger one.
  if (ack.historyBytes + historyMessageBytes(pace) <= budgetBytes) return pace;
  const stepBytes = Math.max(HISTORY_MESSAGE_MIN_BYTES, budgetBytes * GROWTH) * Math.min(1, ack.bytes / budgetBytes);
  const grownBytes = budgetBytes + stepBytes;
  return { ...pace, budgetBytes: Math.min(grownBytes, bearableBytes, BUDGET_MAX_BYTES) };
}

/** 0 as long as it was not measured. */
export function roundTripMs({ roundTripsMs }: Pace): number {
  return roundTripsMs.length === 0 ? 0 : Math.min(...roundTripsMs);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, Math.floor(value)));
}
