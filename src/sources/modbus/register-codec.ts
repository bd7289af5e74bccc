/** Registers to values. Pure: the bytes of one tag in, value and status out. */
import type { ByteOrder, RegisterTag, RegisterType } from "../../config/config.ts";
import { unreachable } from "../../core/errors.ts";
import type { Status } from "../../core/quality.ts";
import type { Value } from "../../core/tag.ts";

/** Largest power of ten of a scale register (SunSpec: −10 … 10). */
const EXPONENT_MAX = 10;

/** SunSpec's mark of a scale register that is not implemented. */
const EXPONENT_NOT_AVAILABLE = -0x8000;

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const LATIN1 = new TextDecoder("latin1");

/** What makes a value of bytes. */
type Encoding = Pick<RegisterTag, "register" | "scale" | "offset" | "notAvailable" | "notAvailableTo">;

export interface Decoded {
  readonly value: Value;
  readonly status: Status;
}

const NOT_AVAILABLE: Decoded = { value: null, status: "BadSensorFailure" };
const NOT_A_NUMBER: Decoded = { value: null, status: "BadOutOfRange" };

/**
 * @param bytes the tag's registers, as on the wire
 * @param scaleBytes the register of `scaleFrom`; absent without one
 */
export function decodeRegisters(tag: Encoding, bytes: Uint8Array, scaleBytes?: Uint8Array): Decoded {
  const { type, byteOrder, bit } = tag.register;
  const ordered = inStandardOrder(bytes, byteOrder);
  if (type === "string") return good(textOf(ordered));
  if (isNotAvailable(tag, ordered)) return NOT_AVAILABLE;
  if (bit !== undefined) return good(((viewOf(ordered).getUint16(0) >> bit) & 1) === 1);
  if (type === "bool") return good(viewOf(ordered).getUint16(0) !== 0);
  const raw = rawNumber(type, ordered);
  if (raw === undefined) return NOT_A_NUMBER;
  if (typeof raw === "number" && !Number.isFinite(raw)) return NOT_A_NUMBER;
  return scaled(tag, raw, scaleBytes === undefined ? undefined : inStandardOrder(scaleBytes, byteOrder));
}

export function decodeBit(bit: boolean): Decoded {
  return good(bit);
}

/** Brings any byte order to ABCD: bytes swapped in each word, words reversed, or both. */
export function inStandardOrder(bytes: Uint8Array, order: ByteOrder): Uint8Array {
  const swapped = order === "BADC" || order === "DCBA";
  const reversed = order === "CDAB" || order === "DCBA";
  if (!swapped && !reversed) return bytes;
  const words = bytes.length / 2;
  const ordered = new Uint8Array(bytes.length);
  for (let word = 0; word < words; word++) {
    const from = (reversed ? words - 1 - word : word) * 2;
    ordered[word * 2] = bytes[swapped ? from + 1 : from] ?? 0;
    ordered[word * 2 + 1] = bytes[swapped ? from : from + 1] ?? 0;
  }
  return ordered;
}

/** undefined: the digits are no BCD. */
function rawNumber(type: Exclude<RegisterType, "string" | "bool">, bytes: Uint8Array): number | bigint | undefined {
  const view = viewOf(bytes);
  switch (type) {
    case "int16":
      return view.getInt16(0);
    case "uint16":
      return view.getUint16(0);
    case "int32":
      return view.getInt32(0);
    case "uint32":
      return view.getUint32(0);
    case "int64":
      return view.getBigInt64(0);
    case "uint64":
      return view.getBigUint64(0);
    case "float32":
      return view.getFloat32(0);
    case "float64":
      return view.getFloat64(0);
    case "bcd16":
    case "bcd32":
      return digitsOf(bytes);
    default:
      return unreachable(type);
  }
}

function digitsOf(bytes: Uint8Array): number | undefined {
  let value = 0;
  for (const byte of bytes) {
    const tens = byte >> 4;
    const ones = byte & 0x0f;
    if (tens > 9 || ones > 9) return undefined;
    value = value * 100 + tens * 10 + ones;
  }
  return value;
}

/** Devices mark with a bit pattern, people write it signed or unsigned: whole numbers are compared modulo the width. */
function isNotAvailable(tag: Encoding, bytes: Uint8Array): boolean {
  const mark = tag.notAvailable;
  if (mark === undefined) return false;
  const { type } = tag.register;
  if (tag.notAvailableTo !== undefined && type !== "bool" && type !== "string")
    return isWithin(rawNumber(type, bytes), mark, tag.notAvailableTo);
  const view = viewOf(bytes);
  if (type === "float32") return Object.is(view.getFloat32(0), Math.fround(Number(mark)));
  if (type === "float64") return Object.is(view.getFloat64(0), Number(mark));
  if ((type === "bcd16" || type === "bcd32") && digitsOf(bytes) !== undefined) return digitsOf(bytes) === Number(mark);
  if (typeof mark === "number" && !Number.isInteger(mark)) return false;
  const bits = bytes.length * 8;
  let pattern = 0n;
  for (const byte of bytes) pattern = (pattern << 8n) | BigInt(byte);
  return BigInt.asUintN(bits, BigInt(mark)) === pattern;
}

function isWithin(raw: number | bigint | undefined, from: number | bigint, to: number | bigint): boolean {
  return raw !== undefined && raw >= from && raw <= to;
}

function scaled(tag: Encoding, raw: number | bigint, scaleBytes: Uint8Array | undefined): Decoded {
  const { scale, offset } = tag;
  if (scale === undefined && offset === undefined && scaleBytes === undefined) return good(raw);
  let value = Number(raw);
  if (scaleBytes !== undefined) {
    const exponent = viewOf(scaleBytes).getInt16(0);
    if (exponent === EXPONENT_NOT_AVAILABLE) return NOT_AVAILABLE;
    if (Math.abs(exponent) > EXPONENT_MAX) return NOT_A_NUMBER;
    value = exponent < 0 ? value / 10 ** -exponent : value * 10 ** exponent;
  }
  value = times(value, scale ?? 1) + (offset ?? 0);
  return Number.isFinite(value) ? good(value) : NOT_A_NUMBER;
}

/** 3 × 0.1 is 0.30000000000000004, 3 ÷ 10 is 0.3: a decimal scale divides. */
function times(value: number, scale: number): number {
  const divisor = Math.round(1 / scale);
  return divisor * scale === 1 ? value / divisor : value * scale;
}

/** Up to the first NUL, without padding; UTF-8, or Latin-1 where it is none. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = end < 0 ? bytes : bytes.subarray(0, end);
  try {
    return UTF8.decode(text).trimEnd();
  } catch {
    return LATIN1.decode(text).trimEnd();
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function good(value: Value): Decoded {
  return { value, status: "Good" };
}
