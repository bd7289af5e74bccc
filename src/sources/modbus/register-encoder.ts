/** A value as a person writes it, to registers. Pure; the opposite of register-codec. */
import type { ByteOrder } from "../../config/config.ts";
import { unreachable } from "../../core/errors.ts";
import type { NumberType } from "./interpretations.ts";
import { inStandardOrder } from "./register-codec.ts";

const WHOLE = /^-?(?:\d+|0[xX][0-9a-fA-F]+)$/;

/** Registers in the order of the wire, or why the text is no such value. */
export type Encoded = { readonly words: readonly number[] } | { readonly wrong: string };

export function encodeRegisters(text: string, type: NumberType, byteOrder: ByteOrder): Encoded {
  const standard = bytesOf(text, type);
  if (typeof standard === "string") return { wrong: standard };
  // Each order undoes itself.
  const bytes = inStandardOrder(standard, byteOrder);
  const words = Array.from(
    { length: bytes.length / 2 },
    (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0),
  );
  return { words };
}

function bytesOf(text: string, type: NumberType): Uint8Array | string {
  switch (type) {
    case "int16":
    case "int32":
    case "int64":
      return wholeBytes(text, Number(type.slice(3)), true);
    case "uint16":
    case "uint32":
    case "uint64":
      return wholeBytes(text, Number(type.slice(4)), false);
    case "bcd16":
      return digitBytes(text, 4);
    case "bcd32":
      return digitBytes(text, 8);
    case "float32":
    case "float64":
      return floatBytes(text, type);
    default:
      return unreachable(type);
  }
}

function wholeBytes(text: string, bits: number, signed: boolean): Uint8Array | string {
  if (!WHOLE.test(text)) return `${text} is no whole number`;
  const size = BigInt(text.replace("-", ""));
  const value = text.startsWith("-") ? -size : size;
  const most = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  const least = signed ? -most - 1n : 0n;
  if (value < least || value > most) return `${text} is beyond ${least} to ${most}`;
  const bytes = new Uint8Array(bits / 8);
  let rest = BigInt.asUintN(bits, value);
  for (let i = bytes.length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

function digitBytes(text: string, digits: number): Uint8Array | string {
  if (!/^\d+$/.test(text) || text.length > digits) return `${text} is not 1 to ${digits} decimal digits`;
  return Uint8Array.from(Buffer.from(text.padStart(digits, "0"), "hex"));
}

function floatBytes(text: string, type: "float32" | "float64"): Uint8Array | string {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const held = type === "float32" ? Math.fround(value) : value;
  if (!Number.isFinite(held)) return `${text} is no number that ${type} can hold`;
  const bytes = new Uint8Array(type === "float32" ? 4 : 8);
  const view = new DataView(bytes.buffer);
  if (type === "float32") view.setFloat32(0, held);
  else view.setFloat64(0, held);
  return bytes;
}
