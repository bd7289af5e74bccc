/**
 * Finds the one frame that answers a request in whatever a line delivers: noise, foreign frames, late ones, the
 * request's own echo, in chunks cut anywhere. Pure; modbus-port.ts keeps the bytes and the time.
 */
import { CRC_BYTES, hasValidCrc } from "./crc16.ts";
import {
  answerBytes,
  beginsAs,
  EXCEPTION_BIT,
  EXCEPTION_FRAME_BYTES,
  type Expectation,
  expectationOf,
  FRAME_MAX_BYTES,
  HEADER_BYTES,
} from "./expectation.ts";

/** Requests of function 1–6, and replies to function 15 and 16. */
const SHORT_FRAME_BYTES = 8;
const MASK_FRAME_BYTES = 10;
const REPORT_REQUEST_BYTES = 4;

/** Where requests of function 15 and 16, and of 23, tell how many bytes they write. */
const WRITE_COUNT_AT = 6;
const READ_WRITE_COUNT_AT = 10;

/** Of a reply: 125 registers, or 2,000 bits. */
const DATA_MAX_BYTES = 250;

const UNIT_MAX = 247;

/** A whole frame with a right checksum that was not asked for. */
export interface StrayFrame {
  readonly unitId: number;
  readonly functionCode: number;
  /** Bytes of data of a reply, 0 of an exception. undefined: no reply that could be taken for another one. */
  readonly byteCount: number | undefined;
  /** Of another master's request to read: bytes of data that its reply will have. A frame may be read as either. */
  readonly awaitedByteCount?: number;
}

/** What was passed over, told once for each byte consumed. */
export interface Skipped {
  readonly echoes: number;
  readonly strays: readonly StrayFrame[];
  /** Began as the expected reply, had its length, failed the checksum. */
  readonly crcErrors: number;
  readonly noiseBytes: number;
}

export interface Scan {
  /** The answer, a reply or an exception, with its checksum; undefined when it is not there (yet). */
  readonly frame: Uint8Array | undefined;
  /** Where the frame begins. */
  readonly start: number;
  /** Bytes that never matter again, the frame included. */
  readonly consumed: number;
  readonly skipped: Skipped;
}

/**
 * Looks for the answer. What might still grow into a frame stops the search, because an answer is never looked for
 * inside another frame; `ended` says that nothing more is coming, so that what is incomplete is noise.
 *
 * @param expected undefined: nothing was asked, everything is stray
 */
export function scanFrames(bytes: Uint8Array, expected: Expectation | undefined, ended: boolean): Scan {
  const strays: StrayFrame[] = [];
  let echoes = 0;
  let crcErrors = 0;
  let noiseBytes = 0;
  let at = 0;
  const result = (frame: Uint8Array | undefined, consumed: number): Scan => ({
    frame,
    start: at,
    consumed,
    skipped: { echoes, strays, crcErrors, noiseBytes },
  });
  while (at < bytes.length) {
    const found = recognise(bytes.subarray(at), expected, echoes, ended);
    switch (found.kind) {
      case "answer":
        return result(bytes.subarray(at, at + found.length), at + found.length);
      case "incomplete":
        if (!ended) return result(undefined, at);
        noiseBytes += 1;
        at += 1;
        break;
      case "echo":
        echoes += 1;
        at += found.length;
        break;
      case "stray":
        strays.push(strayOf(bytes.subarray(at, at + found.length)));
        at += found.length;
        break;
      case "crcError":
        crcErrors += 1;
        noiseBytes += 1;
        at += 1;
        break;
      case "noise":
        noiseBytes += 1;
        at += 1;
        break;
    }
  }
  return result(undefined, at);
}

type Found =
  | { readonly kind: "answer" | "echo" | "stray"; readonly length: number }
  | { readonly kind: "incomplete" | "crcError" | "noise" };

/** What begins at the first byte. The echo goes first: it can look like a reply, and must not be taken for one. */
function recognise(bytes: Uint8Array, expected: Expectation | undefined, echoes: number, ended: boolean): Found {
  if (expected !== undefined) {
    const echo = echoes < expected.echoes ? matchEcho(bytes, expected.request) : undefined;
    if (echo?.kind === "echo" || (echo !== undefined && !ended)) return echo;
    const answer = matchAnswer(bytes, expected, ended);
    if (answer !== undefined) return answer;
  }
  return matchStray(bytes);
}

function matchEcho(bytes: Uint8Array, request: Uint8Array): Found | undefined {
  if (!beginsAs(bytes, request, request.length)) return undefined;
  return bytes.length >= request.length ? { kind: "echo", length: request.length } : { kind: "incomplete" };
}

function matchAnswer(bytes: Uint8Array, expected: Expectation, ended: boolean): Found | undefined {
  const length = answerBytes(bytes, expected, ended);
  if (length === undefined) return undefined;
  if (bytes.length < length) return { kind: "incomplete" };
  if (hasValidCrc(bytes.subarray(0, length))) return { kind: "answer", length };
  // The right length with a wrong checksum may still be the head of a longer frame that was not asked for.
  const stray = matchStray(bytes);
  return stray.kind === "stray" ? stray : { kind: "crcError" };
}

function matchStray(bytes: Uint8Array): Found {
  const unitId = bytes[0] ?? 0;
  if (unitId === 0 || unitId > UNIT_MAX) return { kind: "noise" };
  if (bytes.length < HEADER_BYTES) return { kind: "incomplete" };
  const lengths = lengthsOfFrame(bytes).filter((length) => length <= FRAME_MAX_BYTES);
  for (const length of lengths) {
    if (bytes.length >= length && hasValidCrc(bytes.subarray(0, length))) return { kind: "stray", length };
  }
  return lengths.some((length) => bytes.length < length) ? { kind: "incomplete" } : { kind: "noise" };
}

/**
 * Length of the frame of anybody that begins here: the first that its checksum confirms, else the longest that may still
 * come. undefined: none.
 */
export function frameBytes(bytes: Uint8Array): number | undefined {
  const found = matchStray(bytes);
  if (found.kind === "stray") return found.length;
  return found.kind === "incomplete" ? FRAME_MAX_BYTES : undefined;
}

function strayOf(frame: Uint8Array): StrayFrame {
  const [unitId = 0, functionCode = 0, third = 0] = frame;
  if (functionCode >= EXCEPTION_BIT) return { unitId, functionCode: functionCode & ~EXCEPTION_BIT, byteCount: 0 };
  const isReply = functionCode <= 4 && frame.length === HEADER_BYTES + third + CRC_BYTES;
  const byteCount = isReply ? third : undefined;
  if (functionCode > 4 || frame.length !== SHORT_FRAME_BYTES) return { unitId, functionCode, byteCount };
  const { form } = expectationOf(frame);
  const isRequest = form.kind === "data" && form.byteCount > 0 && form.byteCount <= DATA_MAX_BYTES;
  return { unitId, functionCode, byteCount, ...(isRequest && { awaitedByteCount: form.byteCount }) };
}

/** Lengths that a frame beginning so can have, as a request or as a reply. */
function lengthsOfFrame(bytes: Uint8Array): readonly number[] {
  const [, functionCode = 0, third = 0] = bytes;
  if (functionCode >= EXCEPTION_BIT) return [EXCEPTION_FRAME_BYTES];
  switch (functionCode) {
    case 1:
    case 2:
    case 3:
    case 4: {
      const reply = HEADER_BYTES + third + CRC_BYTES;
      return third === 0 ? [SHORT_FRAME_BYTES] : [SHORT_FRAME_BYTES, reply];
    }
    case 5:
    case 6:
      return [SHORT_FRAME_BYTES];
    case 15:
    case 16:
      return [SHORT_FRAME_BYTES, longRequestBytes(bytes, WRITE_COUNT_AT)];
    case 17:
      return [REPORT_REQUEST_BYTES, HEADER_BYTES + third + CRC_BYTES];
    case 22:
      return [MASK_FRAME_BYTES];
    case 23:
      return [HEADER_BYTES + third + CRC_BYTES, longRequestBytes(bytes, READ_WRITE_COUNT_AT)];
    default:
      return [];
  }
}

/** Of a request that counts its own bytes at `countAt`; the longest there is while that has not come. */
function longRequestBytes(bytes: Uint8Array, countAt: number): number {
  const byteCount = bytes[countAt];
  return byteCount === undefined ? FRAME_MAX_BYTES : countAt + 1 + byteCount + CRC_BYTES;
}
