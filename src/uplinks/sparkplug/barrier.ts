/**
 * What the broker has read for certain, over QoS 0: MQTT runs over an ordered stream without gaps, so whoever answers a
 * question has read every message before it. Questions are answered in the order of asking.
 *
 * Held: what is confirmed was written before a question that was answered; nothing else ever is.
 */
export interface Barrier {
  /** Messages written so far. */
  readonly written: number;
  /** How many were written before each question that is not answered, oldest first. */
  readonly asked: readonly number[];
  /** So many messages were read for certain. */
  readonly confirmed: number;
}

/** As many as there are messages in flight: each can have its own answer. */
export const QUESTIONS_MAX = 20;

export const OPEN_BARRIER: Barrier = { written: 0, asked: [], confirmed: 0 };

export function afterWriting(barrier: Barrier): Barrier {
  return { ...barrier, written: barrier.written + 1 };
}

/** Something was written that no question on its way will confirm. */
export function mustAsk({ written, asked, confirmed }: Barrier): boolean {
  return asked.length < QUESTIONS_MAX && (asked.at(-1) ?? confirmed) < written;
}

export function afterAsking(barrier: Barrier): Barrier {
  return { ...barrier, asked: [...barrier.asked, barrier.written] };
}

export function afterAnswer(barrier: Barrier): Barrier {
  const [confirmed = barrier.confirmed, ...asked] = barrier.asked;
  return { ...barrier, asked, confirmed };
}
