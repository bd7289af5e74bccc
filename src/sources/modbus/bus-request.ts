/** What can be asked of a device, and what comes of it: every function of the bus as data. */
import type { RegisterTable } from "../../config/config.ts";
import { assert } from "../../core/errors.ts";
import type { Silence } from "./modbus-port.ts";
import type { PollRead } from "./poll-plan.ts";
import { ADDRESS_MAX, BITS_MAX, functionCodeOf, isBitTable, REGISTERS_MAX } from "./register-map.ts";

/** Limits of one write (Modbus Application Protocol V1.1b3, 6.11, 6.12 and 6.17). */
export const BITS_WRITE_MAX = 1_968;
export const REGISTERS_WRITE_MAX = 123;
export const REGISTERS_READ_WRITE_MAX = 121;

const WORD_MAX = 0xffff;
const BYTE_MAX = 0xff;
const UNIT_MAX = 247;

/** Function 1–4. */
export interface ReadRequest {
  readonly kind: "read";
  readonly unitId: number;
  readonly table: RegisterTable;
  readonly address: number;
  readonly quantity: number;
}

interface At {
  readonly unitId: number;
  /** 0-based, as on the wire. */
  readonly address: number;
}

export type BusRequest =
  | ReadRequest
  /** Function 5. */
  | ({ readonly kind: "writeCoil"; readonly value: boolean } & At)
  /** Function 6. */
  | ({ readonly kind: "writeRegister"; readonly value: number } & At)
  /** Function 15. */
  | ({ readonly kind: "writeCoils"; readonly values: readonly boolean[] } & At)
  /** Function 16. */
  | ({ readonly kind: "writeRegisters"; readonly values: readonly number[] } & At)
  /** Function 22: the register becomes (register AND andMask) OR (orMask AND NOT andMask). */
  | ({ readonly kind: "maskRegister"; readonly andMask: number; readonly orMask: number } & At)
  /** Function 23: the device writes first, then reads. */
  | ({
      readonly kind: "writeThenRead";
      readonly values: readonly number[];
      readonly readAddress: number;
      readonly quantity: number;
    } & At)
  /** Function 17. */
  | { readonly kind: "serverId"; readonly unitId: number }
  /** Function 43/14. `code` 1: basic, 2: regular, 3: extended, all from objectId on; 4: that object only. */
  | {
      readonly kind: "identification";
      readonly unitId: number;
      readonly code: 1 | 2 | 3 | 4;
      readonly objectId: number;
    };

export interface Identification {
  /** Text by object id: 0 vendor, 1 product code, 2 revision, 3 URL, 4 product, 5 model, 6 application. */
  readonly objects: ReadonlyMap<number, string>;
  /** There is more from this object on. */
  readonly next: number | undefined;
}

/** `atMs`: monotonic time of the reply, or of giving it up. */
export type BusOutcome =
  /** Of a read or writeThenRead the registers or packed bits, of serverId what the device says of itself. */
  | { readonly kind: "data"; readonly data: Uint8Array; readonly atMs: number }
  | { readonly kind: "written"; readonly atMs: number }
  | { readonly kind: "identified"; readonly identification: Identification; readonly atMs: number }
  | {
      readonly kind: "exception";
      readonly exceptionCode: number;
      /** False: it may be the late answer to an earlier request. */
      readonly certain: boolean;
      readonly atMs: number;
    }
  /** Perhaps an earlier reply for a second time; never where the request waited until it was clear. */
  | { readonly kind: "copy"; readonly atMs: number }
  /** A write may have been carried out all the same. */
  | { readonly kind: "silence"; readonly cause: Silence; readonly atMs: number }
  | BusClosed;

/** The port is gone, or was closed. */
export interface BusClosed {
  readonly kind: "closed";
  readonly reason: string;
  readonly atMs: number;
}

export type RegisterWrite = Extract<BusRequest, { readonly kind: "writeRegister" }>;

export const FUNCTION_CODES = {
  writeCoil: 5,
  writeRegister: 6,
  writeCoils: 15,
  writeRegisters: 16,
  serverId: 17,
  maskRegister: 22,
  writeThenRead: 23,
  identification: 43,
} as const satisfies Record<Exclude<BusRequest["kind"], "read">, number>;

export function requestFunctionCode(request: BusRequest): number {
  return request.kind === "read" ? functionCodeOf(request.table) : FUNCTION_CODES[request.kind];
}

/** What goes right before a read; undefined: nothing. */
export function pageWrite({ device, writeFirst }: PollRead): RegisterWrite | undefined {
  return writeFirst && { kind: "writeRegister", unitId: device.unitId, ...writeFirst };
}

/** Whether the register's reply is equal to the request, so that an echo has to be told from it. */
export function isMirrored({ kind }: BusRequest): boolean {
  return kind === "writeCoil" || kind === "writeRegister" || kind === "maskRegister";
}

/** A request out of its limits is our bug: whoever takes one from a user checks it before. */
export function assertRequest(request: BusRequest): void {
  assert(isWithin(request.unitId, 1, UNIT_MAX), "a unit id from 1 to 247");
  switch (request.kind) {
    case "read":
      assertRange(request.address, request.quantity, isBitTable(request.table) ? BITS_MAX : REGISTERS_MAX);
      break;
    case "writeCoil":
      assertRange(request.address, 1, 1);
      break;
    case "writeRegister":
      assertRange(request.address, 1, 1);
      assertWords([request.value]);
      break;
    case "maskRegister":
      assertRange(request.address, 1, 1);
      assertWords([request.andMask, request.orMask]);
      break;
    case "writeCoils":
      assertRange(request.address, request.values.length, BITS_WRITE_MAX);
      break;
    case "writeRegisters":
      assertRange(request.address, request.values.length, REGISTERS_WRITE_MAX);
      assertWords(request.values);
      break;
    case "writeThenRead":
      assertRange(request.address, request.values.length, REGISTERS_READ_WRITE_MAX);
      assertRange(request.readAddress, request.quantity, REGISTERS_MAX);
      assertWords(request.values);
      break;
    case "serverId":
      break;
    case "identification":
      assert(isWithin(request.objectId, 0, BYTE_MAX), "an object id of one byte");
      break;
  }
}

function assertRange(address: number, quantity: number, max: number): void {
  assert(isWithin(quantity, 1, max), `a quantity from 1 to ${max}`);
  assert(isWithin(address, 0, ADDRESS_MAX + 1 - quantity), "addresses from 0 to 65535");
}

function assertWords(words: readonly number[]): void {
  for (const word of words) assert(isWithin(word, 0, WORD_MAX), "a register holds 0 to 65535");
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
