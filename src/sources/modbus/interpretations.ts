/**
 * What registers may mean: every type in every byte order, and which of them look like something a device measures. Pure.
 */
import type { ByteOrder, RegisterType } from "../../config/config.ts";
import type { Value } from "../../core/tag.ts";
import { decodeRegisters } from "./register-codec.ts";
import { registerBytes } from "./register-map.ts";

/** Readings in another byte order are mostly beyond these. */
const LIKELY_MIN = 0.001;
const LIKELY_MAX = 10_000_000;

export type NumberType = Exclude<RegisterType, "bool" | "string">;

export interface Interpretation {
  /** 0-based, as on the wire. */
  readonly address: number;
  readonly type: NumberType;
  readonly byteOrder: ByteOrder;
  /** null: the bytes are no such number. */
  readonly value: Exclude<Value, string | boolean>;
  readonly likely: boolean;
}

/** By the registers that a value takes. */
export const TYPES_BY_WIDTH: ReadonlyMap<number, readonly NumberType[]> = new Map([
  [1, ["uint16", "int16", "bcd16"]],
  [2, ["float32", "int32", "uint32", "bcd32"]],
  [4, ["float64", "int64", "uint64"]],
]);

/** The order of the standard first, then by how often it is met. */
const ORDERS: readonly ByteOrder[] = ["ABCD", "CDAB", "BADC", "DCBA"];

/** One register has no words to be reversed. */
export function ordersOf(width: number): readonly ByteOrder[] {
  return width === 1 ? ["ABCD", "BADC"] : ORDERS;
}

/** Values of each width, side by side from the first register on; `data` are the registers from `address`. */
export function interpret(address: number, data: Uint8Array): readonly Interpretation[] {
  const registers = data.length / 2;
  return [...TYPES_BY_WIDTH].flatMap(([width, types]) =>
    Array.from({ length: Math.floor(registers / width) }, (_, i) => address + i * width).flatMap((at) => {
      const bytes = registerBytes(data, address, at, width);
      return types.flatMap((type) => inAllOrders(at, type, ordersOf(width), bytes));
    }),
  );
}

function inAllOrders(
  address: number,
  type: NumberType,
  orders: readonly ByteOrder[],
  bytes: Uint8Array,
): readonly Interpretation[] {
  const read = orders.map((byteOrder) => ({ byteOrder, value: numberOf(address, type, byteOrder, bytes) }));
  // Of whole numbers only one order gives a small one; floats tell by their exponent.
  const sizes = read.map(({ value }) => (value === null ? Number.POSITIVE_INFINITY : Math.abs(Number(value))));
  const least = Math.min(...sizes);
  return read.map(({ byteOrder, value }, i) => {
    const size = sizes[i] ?? 0;
    const fits = type.startsWith("float") ? size >= LIKELY_MIN : type.endsWith("16") || size === least;
    return { address, type, byteOrder, value, likely: size > 0 && size <= LIKELY_MAX && fits };
  });
}

function numberOf(
  address: number,
  type: NumberType,
  byteOrder: ByteOrder,
  bytes: Uint8Array,
): Exclude<Value, string | boolean> {
  const { value } = decodeRegisters({ register: { table: "holdingRegister", address, type, byteOrder } }, bytes);
  return typeof value === "number" || typeof value === "bigint" ? value : null;
}
