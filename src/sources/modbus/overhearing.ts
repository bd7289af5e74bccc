/**
 * What goes by on a line on which others talk: requests with what came of them, and bytes of no frame. Pure: bytes with
 * the time at which they came in, events out. Frames are told by length and checksum, as chunks have no meaning.
 */
import { hasValidCrc } from "./crc16.ts";
import { answerBytes, EXCEPTION_BIT, type Expectation, expectationOf, FRAME_MAX_BYTES } from "./expectation.ts";
import { frameBytes } from "./frame-scanner.ts";

const UNIT_MAX = 247;
const BROADCAST = 0;

/** What became of a request. */
export type Fate = "answered" | "refused" | "silent" | "damaged" | "broadcast";

export type Overheard =
  | {
      readonly kind: "exchange";
      readonly atMs: number;
      readonly request: Uint8Array;
      readonly fate: Fate;
      /** Of a damaged reply all that came. */
      readonly reply: Uint8Array | undefined;
      /** From the end of the request, as it was heard. */
      readonly tookMs: number | undefined;
    }
  /** A whole frame that answers nothing that was heard. */
  | { readonly kind: "stray"; readonly atMs: number; readonly frame: Uint8Array }
  | { readonly kind: "noise"; readonly atMs: number; readonly bytes: Uint8Array };

interface Pending {
  readonly expected: Expectation;
  readonly atMs: number;
}

/** What was heard and not yet understood. */
export interface Hearing {
  readonly input: Uint8Array;
  /** Of no frame, since the last frame. */
  readonly noise: readonly number[];
  readonly pending: Pending | undefined;
}

export const NOTHING_PENDING: Hearing = { input: new Uint8Array(0), noise: [], pending: undefined };

type Step = readonly [Hearing, readonly Overheard[]];

export function heardBytes(hearing: Hearing, bytes: Uint8Array, atMs: number): Step {
  return understand({ ...hearing, input: Uint8Array.of(...hearing.input, ...bytes) }, atMs, false);
}

/** The line has been silent for long enough that no frame goes on. */
export function heardSilence(hearing: Hearing, atMs: number): Step {
  const [after, events] = understand(hearing, atMs, true);
  const [quiet, noise] = flushNoise(after, atMs);
  return [quiet, [...events, ...noise]];
}

/** Nobody will answer any more. */
export function gaveUp(hearing: Hearing, atMs: number): Step {
  const [after, events] = heardSilence(hearing, atMs);
  return [{ ...after, pending: undefined }, [...events, ...unanswered(after.pending)]];
}

function understand(begin: Hearing, atMs: number, ended: boolean): Step {
  let hearing = begin;
  const events: Overheard[] = [];
  while (hearing.input.length > 0) {
    const found = recognise(hearing, ended);
    if (found === "incomplete" && !ended) break;
    if (typeof found === "string") {
      const [byte = 0] = hearing.input;
      const noise = [...hearing.noise, byte];
      hearing = { ...hearing, input: hearing.input.subarray(1), noise };
      if (noise.length < FRAME_MAX_BYTES) continue;
      const [quiet, told] = flushNoise(hearing, atMs);
      hearing = quiet;
      events.push(...told);
      continue;
    }
    const [quiet, noise] = flushNoise(hearing, atMs);
    const frame = quiet.input.slice(0, found.length);
    const [next, told] = take({ ...quiet, input: quiet.input.slice(found.length) }, found.kind, frame, atMs);
    hearing = next;
    events.push(...noise, ...told);
  }
  return [hearing, events];
}

type Found = "incomplete" | "noise" | { readonly kind: "reply" | "request" | "stray"; readonly length: number };

/** A reply goes first: some are equal to their request. */
function recognise({ input, pending }: Hearing, ended: boolean): Found {
  const replyBytes = pending === undefined ? undefined : answerBytes(input, pending.expected, ended);
  if (replyBytes !== undefined && isWhole(input, replyBytes)) return { kind: "reply", length: replyBytes };
  const requestBytes = lengthOfRequest(input);
  if (requestBytes !== undefined && isWhole(input, requestBytes)) return { kind: "request", length: requestBytes };
  const strayBytes = frameBytes(input);
  if (strayBytes !== undefined && isWhole(input, strayBytes)) return { kind: "stray", length: strayBytes };
  const longest = Math.max(replyBytes ?? 0, requestBytes ?? 0, strayBytes ?? 0);
  return input.length < longest ? "incomplete" : "noise";
}

function isWhole(input: Uint8Array, length: number): boolean {
  return input.length >= length && hasValidCrc(input.subarray(0, length));
}

function take(hearing: Hearing, kind: "reply" | "request" | "stray", frame: Uint8Array, atMs: number): Step {
  const { pending } = hearing;
  if (kind === "reply" && pending !== undefined) {
    const fate = (frame[1] ?? 0) >= EXCEPTION_BIT ? "refused" : "answered";
    const { request } = pending.expected;
    const told: Overheard = {
      kind: "exchange",
      atMs: pending.atMs,
      request,
      fate,
      reply: frame,
      tookMs: atMs - pending.atMs,
    };
    return [{ ...hearing, pending: undefined }, [told]];
  }
  if (kind !== "request") return [hearing, [{ kind: "stray", atMs, frame }]];
  const before = unanswered(pending);
  if (frame[0] === BROADCAST) {
    const told: Overheard = {
      kind: "exchange",
      atMs,
      request: frame,
      fate: "broadcast",
      reply: undefined,
      tookMs: undefined,
    };
    return [{ ...hearing, pending: undefined }, [...before, told]];
  }
  return [{ ...hearing, pending: { expected: expectationOf(frame), atMs } }, before];
}

function unanswered(pending: Pending | undefined): readonly Overheard[] {
  if (pending === undefined) return [];
  const { expected, atMs } = pending;
  return [{ kind: "exchange", atMs, request: expected.request, fate: "silent", reply: undefined, tookMs: undefined }];
}

/** What came in place of a reply was meant to be one. */
function flushNoise(hearing: Hearing, atMs: number): Step {
  if (hearing.noise.length === 0) return [hearing, []];
  const { pending } = hearing;
  const bytes = Uint8Array.from(hearing.noise);
  if (pending === undefined) return [{ ...hearing, noise: [] }, [{ kind: "noise", atMs, bytes }]];
  const told: Overheard = {
    kind: "exchange",
    atMs: pending.atMs,
    request: pending.expected.request,
    fate: "damaged",
    reply: bytes,
    tookMs: atMs - pending.atMs,
  };
  return [{ ...hearing, noise: [], pending: undefined }, [told]];
}

/** Infinity: too few bytes to tell; undefined: no request begins here. */
function lengthOfRequest(bytes: Uint8Array): number | undefined {
  const [unitId = 0, functionCode] = bytes;
  if (unitId > UNIT_MAX) return undefined;
  const counted = (countAt: number) => (bytes[countAt] === undefined ? FRAME_MAX_BYTES : countAt + 3 + bytes[countAt]);
  switch (functionCode) {
    case undefined:
      return Number.POSITIVE_INFINITY;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
      return 8;
    case 15:
    case 16:
      return counted(6);
    case 17:
      return 4;
    case 22:
      return 10;
    case 23:
      return counted(10);
    case 43:
      return 7;
    default:
      return undefined;
  }
}
