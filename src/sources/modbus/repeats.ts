/**
 * Tells a second copy of an earlier reply from the answer, where a read had to expect a length again within maxLate. A
 * copy is equal to what was heard, byte for byte; so what differs is none. What is equal is believed only where it says
 * what the same read said last, and that had not just changed: then at worst the value that was told last is told again.
 * Pure.
 */

interface Heard {
  readonly byteCount: number;
  readonly crc: number;
  readonly untilMs: number;
}

interface Newest {
  readonly data: Uint8Array;
  /** It was equal to the one before it. */
  readonly steady: boolean;
}

/** Replies to reads of one unit and function. */
export interface Repeats {
  /** Within maxLate, the oldest first. */
  readonly heard: readonly Heard[];
  /** By the place of the read, the longest unread first. */
  readonly newest: ReadonlyMap<string, Newest>;
}

export interface HeardReply {
  /** Where it reads: its address, and what was written before. */
  readonly place: string;
  readonly data: Uint8Array;
  /** The frame's checksum stands for its bytes: two frames with the same one by chance cost one read. */
  readonly crc: number;
  /** What was told last is believed again, even where it has just changed. */
  readonly trusted: boolean;
}

/** Beyond it the oldest are forgotten; a line cannot carry as many in the default maxLate. */
const HEARD_MAX = 1_000;

/** Beyond it the longest unread is forgotten; what may be a copy is not believed there. */
const PLACES_MAX = 1_000;

export const NOTHING_HEARD: Repeats = { heard: [], newest: new Map() };

/** Whether this may be a copy of an earlier reply. Then the answer itself is still to come. */
export function isDoubtful(repeats: Repeats, { place, data, crc, trusted }: HeardReply, nowMs: number): boolean {
  const isCopy = repeats.heard.some((h) => h.crc === crc && h.byteCount === data.length && h.untilMs > nowMs);
  if (!isCopy) return false;
  const newest = repeats.newest.get(place);
  return newest === undefined || !(newest.steady || trusted) || !isSame(newest.data, data);
}

/** It was taken for the answer; a copy of it may come until that time. */
export function heard(repeats: Repeats, { place, data, crc }: HeardReply, untilMs: number, nowMs: number): Repeats {
  const kept = repeats.heard.filter((h) => h.untilMs > nowMs && !(h.crc === crc && h.byteCount === data.length));
  const before = repeats.newest.get(place);
  const newest = new Map(repeats.newest);
  newest.delete(place);
  newest.set(place, { data, steady: before !== undefined && isSame(before.data, data) });
  const [longestUnread = place] = newest.keys();
  if (newest.size > PLACES_MAX) newest.delete(longestUnread);
  return { heard: [...kept.slice(1 - HEARD_MAX), { byteCount: data.length, crc, untilMs }], newest };
}

/** As far as both go: one of them may be longer by padding. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}
