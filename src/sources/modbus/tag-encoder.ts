/** Values to what their registers must hold: the opposite of reading a tag. Pure. */
import type { RegisterTag } from "../../config/config.ts";
import type { Value } from "../../core/tag.ts";
import { decodeRegisters, inStandardOrder } from "./register-codec.ts";
import { encodeRegisters } from "./register-encoder.ts";
import { quantityOf } from "./register-map.ts";

/** A coil, or registers in the order of the wire. */
export type Encoded =
  | { readonly kind: "coil"; readonly on: boolean }
  | { readonly kind: "registers"; readonly words: readonly number[] };

/** Why the tag cannot have this value. */
export interface Unfit {
  readonly kind: "unfit";
  readonly reason: string;
}

/** Rounding of a scale there and back, as a share; what differs by more lies between two steps of the register. */
const ROUNDING = 1e-9;
const FLOAT32_ROUNDING = 1e-6;

export function encodeTag(tag: RegisterTag, value: Value): Encoded | Unfit {
  const { register } = tag;
  if (register.table === "coil")
    return typeof value === "boolean" ? { kind: "coil", on: value } : unfit("it is a coil");
  if (register.table !== "holdingRegister") return unfit("Modbus cannot write there");
  if (register.bit !== undefined || tag.scaleFrom !== undefined)
    return unfit("it is read together with something else");
  const encoded = register.type === "string" ? textWords(register, value) : numberWords(tag, value);
  if (encoded.kind !== "registers") return encoded;
  const held = decodeRegisters(tag, bytesOf(encoded.words));
  if (held.status !== "Good") return unfit(`${value} is the device's own mark for no value`);
  return isSame(held.value, value, register.type === "float32" ? FLOAT32_ROUNDING : ROUNDING)
    ? encoded
    : unfit(`the device would hold ${held.value}, not ${value}`);
}

export function bytesOf(words: readonly number[]): Uint8Array {
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

function numberWords({ register, scale, offset }: RegisterTag, value: Value): Encoded | Unfit {
  const { type, byteOrder } = register;
  if (type === "string" || value === null) return unfit("it has no number");
  if (type === "bool") return registers([value === true ? 1 : 0]);
  const isScaled = scale !== undefined || offset !== undefined;
  const raw = isScaled ? (Number(value) - (offset ?? 0)) / (scale ?? 1) : value;
  const isFloat = type === "float32" || type === "float64";
  const text = typeof raw === "number" && !isFloat ? wholeText(raw) : String(raw);
  const encoded = encodeRegisters(text, type, byteOrder);
  return "wrong" in encoded ? unfit(encoded.wrong) : registers(encoded.words);
}

/** Filled up with NUL. */
function textWords(register: RegisterTag["register"], value: Value): Encoded | Unfit {
  const quantity = quantityOf(register);
  const text = Buffer.from(String(value));
  if (text.length > quantity * 2) return unfit(`${text.length} bytes of text are more than ${quantity * 2}`);
  const bytes = new Uint8Array(quantity * 2);
  bytes.set(text);
  // Each order undoes itself.
  const ordered = inStandardOrder(bytes, register.byteOrder);
  return registers(
    Array.from({ length: quantity }, (_, i) => ((ordered[i * 2] ?? 0) << 8) | (ordered[i * 2 + 1] ?? 0)),
  );
}

function wholeText(raw: number): string {
  return Number.isFinite(raw) ? String(BigInt(Math.round(raw))) : String(raw);
}

function isSame(held: Value, value: Value, rounding: number): boolean {
  if (typeof held !== "number" || typeof value !== "number") return held === value;
  return Math.abs(held - value) <= rounding * Math.max(Math.abs(held), Math.abs(value));
}

function registers(words: readonly number[]): Encoded {
  return { kind: "registers", words };
}

function unfit(reason: string): Unfit {
  return { kind: "unfit", reason };
}
