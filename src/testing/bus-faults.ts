/**
 * What can go wrong with one reply, as a table: the name of the fault, what comes over the wire, what the gateway must
 * make of it. Each fault stands at every place of the frame where it matters. Whatever it is, the read after it is right.
 */
import { seededRandom } from "../core/random.ts";
import { rtuFrame } from "./modbus-wire.ts";

/** Bytes that come at a time after the end of the request. */
export interface Arrival {
  readonly afterMs: number;
  readonly bytes: Uint8Array;
}

/** `closed`: told as gone. */
export type Expected = "data" | "silence" | "closed" | `exception ${number}`;

export type VanishStage =
  | "before the write"
  | "during the write"
  | "before the reply"
  | "after the reply"
  /** With so many bytes of the reply. */
  | number;

/** The right frames of one exchange. */
export interface Frames {
  readonly request: Uint8Array;
  readonly reply: Uint8Array;
}

export interface Timing {
  /** After responseTimeout and before the end of maxLate. */
  readonly lateMs: number;
}

export interface BusFault {
  readonly name: string;
  readonly expected: Expected;
  /** What answers the request; absent: the right reply. */
  readonly arrivals?: (frames: Frames, timing: Timing) => readonly Arrival[];
  /** What comes before the right reply to the next request, right after that was sent. */
  readonly beforeNext?: (frames: Frames) => Uint8Array;
  readonly vanish?: VanishStage;
}

/** The form of the replies: two registers, or 24 coils, whose reply is as long as its request. */
export interface FaultedRead {
  readonly table: "holdingRegister" | "coil";
  readonly quantity: number;
  readonly replyBytes: number;
}

export const FAULTED_READS: readonly FaultedRead[] = [
  { table: "holdingRegister", quantity: 2, replyBytes: 9 },
  { table: "coil", quantity: 24, replyBytes: 8 },
];

const OTHER_UNIT = 2;
const BURST_BITS_MAX = 16;
const NOISE_BYTES_MAX = 12;
const BYTE_GAP_MS = 1;

/** The latency timer of FTDI's adapters, as they come. */
const ADAPTER_HOLDS_MS = 16;
const UNIT_MAX = 247;

/** Every fault of the matrix for replies of this form. */
export function busFaults(read: FaultedRead): readonly BusFault[] {
  return [
    ...lateFaults(read),
    ...doubledFaults(),
    ...foreignFaults(),
    ...lengthFaults(read),
    ...bitFaults(read),
    ...echoFaults(read),
    ...noiseFaults(read),
    ...exceptionFaults(),
    ...vanishFaults(read),
  ];
}

/** No reply in time. */
export function lateFaults({ replyBytes }: FaultedRead): readonly BusFault[] {
  const silent = (): readonly Arrival[] => [];
  return [
    { name: "no answer", expected: "silence", arrivals: silent },
    {
      name: "late, on an idle line",
      expected: "silence",
      arrivals: ({ reply }, { lateMs }) => [{ afterMs: lateMs, bytes: reply }],
    },
    { name: "late, during the next request", expected: "silence", arrivals: silent, beforeNext: ({ reply }) => reply },
    ...upTo(replyBytes - 1).map(
      (at): BusFault => ({
        name: `late, split across the next request after byte ${at}`,
        expected: "silence",
        arrivals: ({ reply }, { lateMs }) => [{ afterMs: lateMs, bytes: reply.subarray(0, at) }],
        beforeNext: ({ reply }) => reply.subarray(at),
      }),
    ),
  ];
}

/** The right reply, and the same once more. */
export function doubledFaults(): readonly BusFault[] {
  return [
    { name: "twice at once", expected: "data", arrivals: ({ reply }) => now(reply, reply) },
    {
      name: "twice, the second on an idle line",
      expected: "data",
      arrivals: ({ reply }, { lateMs }) => [...now(reply), { afterMs: lateMs, bytes: reply }],
    },
    {
      name: "twice, the second during the next request",
      expected: "data",
      arrivals: ({ reply }) => now(reply),
      beforeNext: ({ reply }) => reply,
    },
  ];
}

/** Whole frames that answer something else. */
function foreignFaults(): readonly BusFault[] {
  const altered = (name: string, alter: (body: Uint8Array) => readonly number[]): BusFault => ({
    name,
    expected: "silence",
    arrivals: ({ reply }) => now(framed(alter(reply.subarray(0, -2)))),
  });
  const units = upTo(UNIT_MAX).filter((unit) => unit !== 1 && (unit < 20 || unit % 31 === 0));
  return [
    ...units.map((unit) => altered(`wrong unit ${unit}`, ([, ...rest]) => [unit, ...rest])),
    ...upTo(127).map((code) =>
      altered(`wrong function ${code}`, ([unit = 0, right, ...rest]) => [unit, code === right ? 100 : code, ...rest]),
    ),
    ...[0, 1, 2, 3, 4, 5, 6, 8, 16, 250].map((count) =>
      altered(`wrong byte count ${count}, whole`, ([unit = 0, code = 0, right = 0]) => {
        const byteCount = count === right ? count + 2 : count;
        return [unit, code, byteCount, ...new Array<number>(byteCount).fill(7)];
      }),
    ),
    ...upTo(255).map((step) =>
      altered(`byte count changed by ${step}, the length not`, ([unit = 0, code = 0, right = 0, ...rest]) => [
        unit,
        code,
        (right + step) & 0xff,
        ...rest,
      ]),
    ),
  ];
}

function lengthFaults({ replyBytes }: FaultedRead): readonly BusFault[] {
  return [
    ...upTo(replyBytes).map(
      (cut): BusFault => ({
        name: `truncated to ${replyBytes - cut}`,
        expected: "silence",
        arrivals: ({ reply }) => now(reply.subarray(0, replyBytes - cut)),
      }),
    ),
    ...upTo(4).map(
      (more): BusFault => ({
        name: `extended by ${more} before a right checksum`,
        expected: "silence",
        arrivals: ({ reply }) => now(framed([...reply.subarray(0, -2), ...new Array<number>(more).fill(0x55)])),
      }),
    ),
    ...upTo(4).map(
      (more): BusFault => ({
        name: `extended by ${more} behind the checksum`,
        expected: "data",
        arrivals: ({ reply }) => now(reply, new Uint8Array(more).fill(0x55)),
      }),
    ),
  ];
}

/** What CRC-16 always detects: one bit, and bursts of up to sixteen. */
function bitFaults({ replyBytes }: FaultedRead): readonly BusFault[] {
  const random = seededRandom(replyBytes);
  const faults: BusFault[] = [];
  for (let first = 0; first < replyBytes * 8; first++) {
    for (let length = 1; length <= Math.min(BURST_BITS_MAX, replyBytes * 8 - first); length++) {
      const inner = Array.from({ length: Math.max(0, length - 2) }, (_, i) => first + 1 + i);
      const bits = [first, ...inner.filter(() => random.next() < 0.5), ...(length > 1 ? [first + length - 1] : [])];
      faults.push({
        name: length === 1 ? `bit ${first} flipped` : `burst of ${length} bits from bit ${first}`,
        expected: "silence",
        arrivals: ({ reply }) => now(flipped(reply, bits)),
      });
    }
  }
  return faults;
}

function echoFaults({ replyBytes }: FaultedRead): readonly BusFault[] {
  return [
    { name: "echo, then the reply", expected: "data", arrivals: ({ request, reply }) => now(request, reply) },
    { name: "echo, then nothing", expected: "silence", arrivals: ({ request }) => now(request) },
    {
      name: "echo byte by byte, then the reply",
      expected: "data",
      arrivals: ({ request, reply }) => byteByByte(Uint8Array.of(...request, ...reply)),
    },
    ...upTo(replyBytes - 1).map(
      (at): BusFault => ({
        name: `echo, then the reply truncated to ${at}`,
        expected: "silence",
        arrivals: ({ request, reply }) => now(request, reply.subarray(0, at)),
      }),
    ),
    {
      name: "echo with a wrong bit, then the reply",
      expected: "data",
      arrivals: ({ request, reply }) => now(flipped(request, [37]), reply),
    },
  ];
}

function noiseFaults({ replyBytes }: FaultedRead): readonly BusFault[] {
  // No unit id is among these bytes, so none of them can begin a frame.
  const noise = (length: number) => Uint8Array.from({ length }, (_, i) => (i % 2 === 0 ? 0xff : 0));
  return [
    ...upTo(NOISE_BYTES_MAX).map(
      (length): BusFault => ({
        name: `${length} bytes of noise before`,
        expected: "data",
        arrivals: ({ reply }) => now(noise(length), reply),
      }),
    ),
    {
      name: "what looks like the head of a long frame before",
      expected: "data",
      arrivals: ({ reply }) => now(Uint8Array.of(OTHER_UNIT, 3, 200), reply),
    },
    ...upTo(replyBytes - 1).map(
      (at): BusFault => ({
        name: `noise after byte ${at}`,
        expected: "silence",
        arrivals: ({ reply }) => now(reply.subarray(0, at), noise(3), reply.subarray(at)),
      }),
    ),
    ...upTo(NOISE_BYTES_MAX).map(
      (length): BusFault => ({
        name: `${length} bytes of noise behind`,
        expected: "data",
        arrivals: ({ reply }) => now(reply, noise(length)),
      }),
    ),
    { name: "only noise", expected: "silence", arrivals: () => now(noise(40)) },
    { name: "noise before the next reply", expected: "data", beforeNext: () => noise(9) },
    { name: "byte by byte", expected: "data", arrivals: ({ reply }) => byteByByte(reply) },
    {
      name: "in two pieces, as far apart as an adapter may hold bytes back",
      expected: "data",
      arrivals: ({ reply }) => [...now(reply.subarray(0, 4)), { afterMs: ADAPTER_HOLDS_MS, bytes: reply.subarray(4) }],
    },
    {
      name: "another device's exchange before",
      expected: "data",
      arrivals: ({ request, reply }) => now(foreign(request), foreign(reply), reply),
    },
  ];
}

function exceptionFaults(): readonly BusFault[] {
  const exception = ({ request }: Frames, code: number) => framed([request[0] ?? 0, (request[1] ?? 0) | 0x80, code]);
  return [
    ...upTo(11).map(
      (code): BusFault => ({
        name: `exception ${code}`,
        expected: `exception ${code}`,
        arrivals: (frames) => now(exception(frames, code)),
      }),
    ),
    ...upTo(40).map(
      (bit): BusFault => ({
        name: `exception with bit ${bit - 1} flipped`,
        expected: "silence",
        arrivals: (frames) => now(flipped(exception(frames, 2), [bit - 1])),
      }),
    ),
    ...upTo(4).map(
      (length): BusFault => ({
        name: `exception truncated to ${length}`,
        expected: "silence",
        arrivals: (frames) => now(exception(frames, 2).subarray(0, length)),
      }),
    ),
    {
      name: "exception to another function",
      expected: "silence",
      arrivals: ({ request }) => now(framed([request[0] ?? 0, 0x86, 2])),
    },
  ];
}

function vanishFaults({ replyBytes }: FaultedRead): readonly BusFault[] {
  const stages: readonly VanishStage[] = [
    "before the write",
    "during the write",
    "before the reply",
    ...upTo(replyBytes - 1),
    "after the reply",
  ];
  return stages.map((vanish) => ({
    name: `the port vanishes ${typeof vanish === "number" ? `after byte ${vanish} of the reply` : vanish}`,
    expected: vanish === "after the reply" ? "data" : "closed",
    vanish,
  }));
}

function now(...parts: readonly Uint8Array[]): readonly Arrival[] {
  return [{ afterMs: 0, bytes: Uint8Array.from(parts.flatMap((part) => [...part])) }];
}

function byteByByte(bytes: Uint8Array): readonly Arrival[] {
  return [...bytes].map((byte, i) => ({ afterMs: i * BYTE_GAP_MS, bytes: Uint8Array.of(byte) }));
}

function framed([unitId = 0, ...pdu]: readonly number[]): Uint8Array {
  return rtuFrame(unitId, Uint8Array.from(pdu));
}

function foreign(frame: Uint8Array): Uint8Array {
  return rtuFrame(OTHER_UNIT, frame.subarray(1, -2));
}

/** Bits in the order in which they are on the wire. */
function flipped(frame: Uint8Array, bits: readonly number[]): Uint8Array {
  const spoiled = frame.slice();
  for (const bit of bits) spoiled[bit >> 3] = (spoiled[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return spoiled;
}

function upTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}
