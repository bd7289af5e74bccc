/**
 * Values to registers, as a device holds them. Written apart from the gateway's decoder, so that a mistake there
 * meets no twin here.
 */
import type { RegisterTag, RegisterType } from "../config/config.ts";
import { unreachable } from "../core/errors.ts";

/** What a register holds before scale and offset. */
export type RawValue = number | bigint | string;

/** The registers of one value, in the order in which they go over the wire. Bits are the caller's: a bool is 0 or 1. */
export function registerWords(
  { type, byteOrder, lengthBytes = 0 }: Pick<RegisterTag["register"], "type" | "byteOrder" | "lengthBytes">,
  raw: RawValue,
): number[] {
  const bytes = type === "string" ? textBytes(String(raw), lengthBytes) : numberBytes(type, raw);
  const words = Array.from(
    { length: bytes.length / 2 },
    (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0),
  );
  const swapped = byteOrder === "BADC" || byteOrder === "DCBA" ? words.map(swap) : words;
  return byteOrder === "CDAB" || byteOrder === "DCBA" ? swapped.reverse() : swapped;
}

/** Whole numbers that a type can hold; undefined where it holds any number, or none. */
export function rawLimits(type: RegisterType): readonly [min: number, max: number] | undefined {
  const [, kind = "", width = ""] = /^(int|uint|bcd)(\d+)$/.exec(type) ?? [];
  const bits = Number(width);
  if (kind === "int") return [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  if (kind === "uint") return [0, 2 ** bits - 1];
  return kind === "bcd" ? [0, 10 ** (bits / 4) - 1] : undefined;
}

function numberBytes(type: Exclude<RegisterType, "string">, raw: RawValue): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytesOf(type)));
  switch (type) {
    case "bool":
      view.setUint16(0, Number(raw));
      break;
    case "int16":
    case "uint16":
      view.setUint16(0, Number(raw) & 0xffff);
      break;
    case "int32":
    case "uint32":
      view.setUint32(0, Number(raw) >>> 0);
      break;
    case "int64":
    case "uint64":
      view.setBigUint64(0, BigInt.asUintN(64, BigInt(raw)));
      break;
    case "float32":
      view.setFloat32(0, Number(raw));
      break;
    case "float64":
      view.setFloat64(0, Number(raw));
      break;
    case "bcd16":
      view.setUint16(0, Number(`0x${raw}`));
      break;
    case "bcd32":
      view.setUint32(0, Number(`0x${raw}`));
      break;
    default:
      return unreachable(type);
  }
  return new Uint8Array(view.buffer);
}

function bytesOf(type: RegisterType): number {
  if (type.endsWith("64")) return 8;
  return type.endsWith("32") ? 4 : 2;
}

/** UTF-8, cut to its registers and filled with zeros. */
function textBytes(text: string, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  new TextEncoder().encodeInto(text, bytes);
  return bytes;
}

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}
