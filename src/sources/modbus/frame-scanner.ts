/**
 * Finds the one frame that answers a request in whatever a line delivers: noise, foreign frames, late ones, the
 * request's own echo, in chunks cut anywhere. Pure; modbus-port.ts keeps the bytes and the time.
 */
import { CRC_BYTES, hasValidCrc } from "./crc16.ts";

/** An RTU frame is never longer (Modbus over serial line V1.02, 2.5.1). */
export const FRAME_MAX_BYTES = 256;

const HEADER_BYTES = 3;
const EXCEPTION_FRAME_BYTES = 5;
const REQUEST_BYTES = 8;
const EXCEPTION_BIT = 0x80;
const UNIT_MAX = 247;

/** What answers a read request of function 1–4. */
export interface Expectation {
  /** The request with its checksum: on two wires with the receiver on, it comes back. */
  readonly request: Uint8Array;
  readonly unitId: number;
  readonly functionCode: number;
  /** Bytes of data in a good reply. */
  readonly byteCount: number;
}

/** A whole frame with a right checksum that was not asked for. */
export interface StrayFrame {
  readonly unitId: number;
  readonly functionCode: number;
  /** Bytes of data of a reply, 0 of an exception. undefined: no reply that could be taken for another one. */
  readonly byteCount: number | undefined;
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

/** The expectation that goes with a read request. */
export function expectationOf(request: Uint8Array): Expectation {
  const [unitId = 0, functionCode = 0] = request;
  const quantity = ((request[4] ?? 0) << 8) | (request[5] ?? 0);
  return { request, unitId, functionCode, byteCount: functionCode <= 2 ? Math.ceil(quantity / 8) : quantity * 2 };
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
    const found = recognise(bytes.subarray(at), expected, ended);
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
function recognise(bytes: Uint8Array, expected: Expectation | undefined, ended: boolean): Found {
  if (expected !== undefined) {
    const echo = matchEcho(bytes, expected.request);
    if (echo?.kind === "echo" || (echo !== undefined && !ended)) return echo;
    const answer = matchAnswer(bytes, expected);
    if (answer !== undefined) return answer;
  }
  return matchStray(bytes);
}

function matchEcho(bytes: Uint8Array, request: Uint8Array): Found | undefined {
  const length = Math.min(bytes.length, request.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== request[i]) return undefined;
  return length === request.length ? { kind: "echo", length } : { kind: "incomplete" };
}

function matchAnswer(bytes: Uint8Array, expected: Expectation): Found | undefined {
  if (bytes[0] !== expected.unitId) return undefined;
  if (bytes.length === 1) return { kind: "incomplete" };
  const exception = bytes[1] === (expected.functionCode | EXCEPTION_BIT);
  if (!exception && bytes[1] !== expected.functionCode) return undefined;
  if (bytes.length === 2) return { kind: "incomplete" };
  if (!exception && bytes[2] !== expected.byteCount) return undefined;
  const length = exception ? EXCEPTION_FRAME_BYTES : HEADER_BYTES + expected.byteCount + CRC_BYTES;
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
  const lengths = lengthsOfFrame(bytes[1] ?? 0, bytes[2] ?? 0);
  for (const length of lengths) {
    if (bytes.length >= length && hasValidCrc(bytes.subarray(0, length))) return { kind: "stray", length };
  }
  return lengths.some((length) => bytes.length < length) ? { kind: "incomplete" } : { kind: "noise" };
}

function strayOf(frame: Uint8Array): StrayFrame {
  const [unitId = 0, functionCode = 0, third = 0] = frame;
  if (functionCode >= EXCEPTION_BIT) return { unitId, functionCode: functionCode & ~EXCEPTION_BIT, byteCount: 0 };
  const isReply = functionCode <= 4 && frame.length === HEADER_BYTES + third + CRC_BYTES;
  return { unitId, functionCode, byteCount: isReply ? third : undefined };
}

/** Lengths that a frame with this function code can have, as a request or as a reply. */
function lengthsOfFrame(functionCode: number, third: number): readonly number[] {
  if (functionCode >= EXCEPTION_BIT) return [EXCEPTION_FRAME_BYTES];
  switch (functionCode) {
    case 1:
    case 2:
    case 3:
    case 4: {
      const reply = HEADER_BYTES + third + CRC_BYTES;
      return third === 0 || reply > FRAME_MAX_BYTES ? [REQUEST_BYTES] : [REQUEST_BYTES, reply];
    }
    case 5:
    case 6:
    case 15:
    case 16:
      return [REQUEST_BYTES];
    default:
      return [];
  }
}
