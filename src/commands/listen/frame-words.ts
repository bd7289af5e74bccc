/** A frame in words: who is asked for what, and what came back. */
import type { RegisterTable } from "../../config/config.ts";
import { registerNumber, wireAddress } from "../../config/register-number.ts";
import type { Fate, Overheard } from "../../sources/modbus/overhearing.ts";

export type Heard = Extract<Overheard, { readonly kind: "exchange" }>;

const TABLES: Readonly<Record<number, RegisterTable>> = {
  1: "coil",
  2: "discreteInput",
  3: "holdingRegister",
  4: "inputRegister",
  5: "coil",
  6: "holdingRegister",
  15: "coil",
  16: "holdingRegister",
  22: "holdingRegister",
  23: "holdingRegister",
};

/** Of function 5, 6 and 22 there is no quantity. */
const SINGLE = [5, 6, 22];
const READS = [1, 2, 3, 4];
const NAMES: Readonly<Record<number, string>> = { 17: "asks who it is (17)", 43: "asks who it is (43)" };
const HEX_BYTES_MAX = 8;

export interface Asked {
  readonly unitId: number;
  readonly functionCode: number;
  /** Absent where the function names none. */
  readonly table?: RegisterTable;
  readonly address?: number;
  readonly quantity?: number;
}

export function askedOf(request: Uint8Array): Asked {
  const [unitId = 0, functionCode = 0] = request;
  const table = TABLES[functionCode];
  if (table === undefined) return { unitId, functionCode };
  const address = wordAt(request, 2);
  const quantity = SINGLE.includes(functionCode) ? 1 : wordAt(request, 4);
  return { unitId, functionCode, table, address, quantity };
}

/** `reads 40101, 2 registers (holdingRegister:100)` */
export function askedText({ functionCode, table, address, quantity = 0 }: Asked): string {
  if (table === undefined || address === undefined) return NAMES[functionCode] ?? `function ${functionCode}`;
  const verb = READS.includes(functionCode) ? "reads" : functionCode === 23 ? "writes, reads" : "writes";
  const at = { table, address };
  return `${verb} ${quantity} from ${registerNumber(at)} (${wireAddress(at)})`;
}

const FATES: Readonly<Record<Fate, string>> = {
  answered: "ok",
  refused: "refused",
  silent: "NO ANSWER",
  damaged: "DAMAGED",
  broadcast: "to all",
};

export function fateText({ fate, reply, tookMs }: Heard): string {
  const took = tookMs === undefined ? "" : ` in ${Math.round(tookMs)}ms`;
  if (fate === "refused") return `refused (${reply?.[2] ?? 0})`;
  if (fate === "damaged") return `${FATES.damaged}: ${hexText(reply ?? new Uint8Array(0), HEX_BYTES_MAX)}`;
  return `${FATES[fate]}${fate === "answered" ? took : ""}`;
}

/** `01 03 00 64`, with an ellipsis where it is longer. */
export function hexText(bytes: Uint8Array, maxBytes = Number.POSITIVE_INFINITY): string {
  const shown = [...bytes.subarray(0, maxBytes)].map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"));
  return `${shown.join(" ")}${bytes.length > maxBytes ? " …" : ""}`;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
