/** What every peer gets: the same lines, devices, intervals and troubles. */
import { TURNAROUND_US } from "../paced-line.ts";

export const PEERS = ["sallyport", "node-red", "collectd", "script"] as const;
export type PeerKey = (typeof PEERS)[number];

export const STAGES = ["steady", "full", "dead", "late", "broker-stop", "frozen", "kill"] as const;
export type StageKey = (typeof STAGES)[number];

export const LINES = 2;
export const DEVICES = 10;
/** Each device has two runs of registers with a gap that nobody reads through. */
export const BLOCKS = [0, 100] as const;
export const BLOCK_REGISTERS = 10;
const HELD_REGISTERS = 120;
export const BAUD_RATE = 19_200;
/** 8N1: collectd knows no parity. */
const BITS_PER_CHARACTER = 10;
/** Of all of them; collectd's cannot be set, and is libmodbus' own. */
export const RESPONSE_TIMEOUT_MS = 500;

export const TRAFFIC = {
  baudRate: BAUD_RATE,
  bitsPerCharacter: BITS_PER_CHARACTER,
  devices: DEVICES,
  registers: BLOCK_REGISTERS,
  held: HELD_REGISTERS,
} as const;

export const VALUES_PER_SCAN = LINES * DEVICES * BLOCKS.length * BLOCK_REGISTERS;

const CHARACTER_MS = (BITS_PER_CHARACTER * 1_000) / BAUD_RATE;
const OVERHEAD_CHARACTERS = 8 + 5 + 2 * 3.5;
/** Of one line, to read a register in blocks as they lie: all characters, the turnaround, two t3.5. */
export const WIRE_MS_PER_REGISTER =
  ((OVERHEAD_CHARACTERS + 2 * BLOCK_REGISTERS) * CHARACTER_MS + TURNAROUND_US / 1_000) / BLOCK_REGISTERS;

export const SCAN_MS = 1_000;
/** Asks for 97 % of what a line can carry. */
export const FULL_SCAN_MS = 450;

export const DEAD_UNIT = 5;
/** Every so many requests it takes longer than anybody waits. */
export const SLOW = { unit: 3, every: 5, byMs: 600 } as const;

/** How long it all takes. */
export interface Form {
  readonly warmUpMs: number;
  readonly steadyMs: number;
  readonly fullMs: number;
  /** Until each has found out that it is dead. */
  readonly dyingMs: number;
  readonly deadMs: number;
  readonly lateMs: number;
  readonly outageMs: number;
  /** Before and after an outage. */
  readonly aroundMs: number;
  /** After an outage nothing more is waited for when a peer that is connected has sent nothing for so long. */
  readonly quietMs: number;
  /** And at most so long after it. */
  readonly settleMs: number;
}

export const LONG: Form = {
  warmUpMs: 10_000,
  steadyMs: 45_000,
  fullMs: 30_000,
  dyingMs: 10_000,
  deadMs: 50_000,
  lateMs: 60_000,
  outageMs: 30_000,
  aroundMs: 10_000,
  quietMs: 15_000,
  settleMs: 120_000,
};

export const SHORT: Form = {
  warmUpMs: 3_000,
  steadyMs: 6_000,
  fullMs: 6_000,
  dyingMs: 6_000,
  deadMs: 12_000,
  lateMs: 12_000,
  outageMs: 6_000,
  aroundMs: 4_000,
  quietMs: 5_000,
  settleMs: 60_000,
};
