/**
 * What came back after one request, told apart by its bytes. Pure.
 * A reply's head is known before it comes (unit, function, byte count), so a frame that lost it can be proven by its CRC.
 */
import { CRC_BYTES, hasValidCrc } from "../../sources/modbus/crc16.ts";

/** A read of registers or bits, as it goes over the wire. */
export interface Asked {
  readonly frame: Uint8Array;
  /** Of the whole reply. */
  readonly replyBytes: number;
}

/**
 * good, refused (an exception), late: a whole reply. silent: nothing. breaks: single bytes of zeros, as a line makes
 * that idles the wrong way round. headless: whole but for its first bytes. ringed: whole, with a stray byte or two at its
 * edge. twice: two whole replies. collided: more bytes than any reply has. damaged: as long as a reply, or shorter, with
 * wrong bits. foreign: another unit's frame. garbage: none of these.
 */
export const SEEN = [
  "good",
  "refused",
  "late",
  "silent",
  "breaks",
  "headless",
  "ringed",
  "twice",
  "collided",
  "damaged",
  "foreign",
  "garbage",
] as const;

export type Seen = (typeof SEEN)[number];

export interface Classified {
  readonly seen: Seen;
  /** Our own request came back first: the adapter hears itself. */
  readonly echo: boolean;
}

const EXCEPTION_BYTES = 5;
const EXCEPTION_BIT = 0x80;
/** Unit, function, byte count. */
const HEAD_BYTES = 3;
const BREAKS_MAX = 4;
/** More than this beside a frame is no edge of it. */
const EDGE_BYTES_MAX = 3;
const FRAME_BYTES_MIN = 4;

/** @param late the first byte came after the time that a reply has */
export function classify(asked: Asked, heard: Uint8Array, late: boolean): Classified {
  const echo = startsWith(heard, asked.frame) && asked.frame.length !== asked.replyBytes;
  const bytes = echo ? heard.subarray(asked.frame.length) : heard;
  return { echo, seen: seenIn(asked, bytes, late) };
}

function seenIn(asked: Asked, bytes: Uint8Array, late: boolean): Seen {
  if (bytes.length === 0) return "silent";
  if (bytes.length <= BREAKS_MAX && bytes.every((byte) => byte === 0)) return "breaks";
  const frames = ownFrames(asked, bytes);
  const [first] = frames;
  if (first !== undefined) {
    if (frames.length > 1) return "twice";
    const beside = bytes.length - first.length;
    if (beside > EDGE_BYTES_MAX) return "collided";
    if (beside > 0) return "ringed";
    if (first[1] !== asked.frame[1]) return "refused";
    return late ? "late" : "good";
  }
  if (isHeadless(asked, bytes)) return "headless";
  if (bytes.length >= FRAME_BYTES_MIN && hasValidCrc(bytes)) return "foreign";
  if (bytes.length > asked.replyBytes + EDGE_BYTES_MAX) return "collided";
  const isOfUnit = bytes[0] === asked.frame[0] || bytes[1] === asked.frame[1];
  return isOfUnit ? "damaged" : "garbage";
}

/** Whole replies of the unit that was asked, one after the other. */
function ownFrames({ frame, replyBytes }: Asked, bytes: Uint8Array): Uint8Array[] {
  const [unit = 0, functionCode = 0] = frame;
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== unit) continue;
    const length = bytes[at + 1] === functionCode ? replyBytes : EXCEPTION_BYTES;
    if (length === EXCEPTION_BYTES && bytes[at + 1] !== (functionCode | EXCEPTION_BIT)) continue;
    const candidate = bytes.subarray(at, at + length);
    if (candidate.length < length || !hasValidCrc(candidate)) continue;
    found.push(candidate);
    at += length - 1;
  }
  return found;
}

/** The reply is right once its first bytes are put back, lost or garbled as they were. */
function isHeadless({ frame, replyBytes }: Asked, bytes: Uint8Array): boolean {
  const head = Uint8Array.of(frame[0] ?? 0, frame[1] ?? 0, replyBytes - HEAD_BYTES - CRC_BYTES);
  for (let lost = 1; lost <= HEAD_BYTES; lost++) {
    const tail = bytes.subarray(Math.max(0, bytes.length - (replyBytes - lost)));
    if (tail.length === replyBytes - lost && hasValidCrc(Uint8Array.of(...head.subarray(0, lost), ...tail)))
      return true;
  }
  return false;
}

function startsWith(bytes: Uint8Array, beginning: Uint8Array): boolean {
  return bytes.length >= beginning.length && beginning.every((byte, i) => bytes[i] === byte);
}
