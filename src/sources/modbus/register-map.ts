/** Where tags live in a device's four tables, and how much of them a request asks for. */
import type { RegisterRange, RegisterTable, RegisterTag, RegisterType } from "../../config/config.ts";
import { assert } from "../../core/errors.ts";

/** Limits of one read (Modbus Application Protocol V1.1b3, 6.1–6.4). */
export const REGISTERS_MAX = 125;
export const BITS_MAX = 2_000;
export const BITS_PER_REGISTER = 16;
export const ADDRESS_MAX = 65_535;

export type ReadFunctionCode = 1 | 2 | 3 | 4;

const FUNCTION_CODES: Readonly<Record<RegisterTable, ReadFunctionCode>> = {
  coil: 1,
  discreteInput: 2,
  holdingRegister: 3,
  inputRegister: 4,
};

const REGISTERS_OF_TYPE: Readonly<Record<Exclude<RegisterType, "string">, number>> = {
  bool: 1,
  int16: 1,
  uint16: 1,
  bcd16: 1,
  int32: 2,
  uint32: 2,
  float32: 2,
  bcd32: 2,
  int64: 4,
  uint64: 4,
  float64: 4,
};

export function functionCodeOf(table: RegisterTable): ReadFunctionCode {
  return FUNCTION_CODES[table];
}

export function isBitTable(table: RegisterTable): boolean {
  return table === "coil" || table === "discreteInput";
}

/** Bytes of data in the reply to a read. */
export function replyByteCount(table: RegisterTable, quantity: number): number {
  return isBitTable(table) ? Math.ceil(quantity / 8) : quantity * 2;
}

/** Registers or bits in one step of padding: as many as change the byte count of the reply. */
export function paddingStep(table: RegisterTable): number {
  return isBitTable(table) ? 8 : 1;
}

/** Registers, or bits, that hold the tag's value. */
export function quantityOf(register: RegisterTag["register"]): number {
  if (isBitTable(register.table)) return 1;
  return register.type === "string" ? Math.ceil((register.lengthBytes ?? 2) / 2) : REGISTERS_OF_TYPE[register.type];
}

/**
 * All that must be read in one request to know the tag: its registers and that of its scale.
 */
export function rangeOf(tag: RegisterTag): RegisterRange {
  const { table, address } = tag.register;
  const last = address + quantityOf(tag.register) - 1;
  const scale = tag.scaleFrom ?? { table, address };
  assert(scale.table === table, `${tag.id} and its scale lie in different tables`);
  return { table, from: Math.min(address, scale.address), to: Math.max(last, scale.address) };
}

/** The bytes of consecutive registers, from the data of a reply that begins at `replyAddress`. */
export function registerBytes(data: Uint8Array, replyAddress: number, address: number, quantity: number): Uint8Array {
  const from = (address - replyAddress) * 2;
  return data.subarray(from, from + quantity * 2);
}

/** One coil or discrete input, from the data of a reply that begins at `replyAddress`. */
export function bitOf(data: Uint8Array, replyAddress: number, address: number): boolean {
  const index = address - replyAddress;
  return (((data[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}
