/** JSON as bytes, one text after the other, in memory that is used again: made for every sample, so it makes nothing else. */
import type { Value, ValueType } from "../../core/tag.ts";
import { FLOAT32_DIGITS_MAX, FLOAT32_DIGITS_SURE, FLOAT32_EXACT_MAX, jsonOfValue } from "./json-value.ts";

const INITIAL_BYTES = 4_096;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
/** Powers of ten up to here are whole numbers of at most 53 bits times a power of two: exact. */
const POWERS = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);
/** Digits that are written in one go, in arithmetic of 32 bits. */
const GROUP_DIGITS = 9;
const GROUP = 10 ** GROUP_DIGITS;
/** Any two decimals of so many digits are different doubles. */
const DOUBLE_DIGITS_SURE = 15;
/** Decimal places that a double is tried with: what was scaled by a manual's factor has no more. */
const PLACES_MAX = 6;
/** A float32 times a power of ten up to here has no more than 53 bits: exact, and so are its digits. */
const FLOAT32_PLACES_MAX = 12;
/** What is smaller has more digits behind the point than there are places to try. */
const SIZE_MIN = 1e-4;

export class JsonWriter {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was written after the first so many bytes. */
  back(length: number): void {
    this.#length = length;
  }

  /** What was written, in memory of its own. */
  take(): Uint8Array {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }

  /** The same as a text. */
  takeText(): string {
    const text = this.#bytes.toString("utf8", 0, this.#length);
    this.#length = 0;
    return text;
  }

  text(text: string): void {
    if (text === "") return;
    const byteLength = Buffer.byteLength(text);
    this.#reserve(byteLength);
    this.#length += this.#bytes.write(text, this.#length, "utf8");
  }

  /** A text that is encoded already. */
  encoded(text: Uint8Array): void {
    this.#reserve(text.length);
    this.#bytes.set(text, this.#length);
    this.#length += text.length;
  }

  /** As `jsonOfValue`, which is asked wherever there is no shorter way to the same digits. */
  value(value: Value, type: ValueType): void {
    if (typeof value !== "number" || !this.#number(value, type)) this.text(jsonOfValue(value, type));
  }

  #number(value: number, type: ValueType): boolean {
    if (Object.is(value, -0)) return false;
    const size = Math.abs(value);
    const max = type === "float32" ? FLOAT32_EXACT_MAX : Number.MAX_SAFE_INTEGER;
    if (!(size >= SIZE_MIN && size <= max)) return size === 0 && this.#decimal(false, 0, 0);
    return type === "float32" ? this.#float32(value < 0, Math.fround(size)) : this.#double(value < 0, size);
  }

  #double(isNegative: boolean, size: number): boolean {
    for (let places = 0; places <= PLACES_MAX; places++) {
      const power = POWERS[places] ?? 1;
      const scaled = Math.round(size * power);
      if (scaled / power === size) {
        return (places === 0 || scaled < 10 ** DOUBLE_DIGITS_SURE) && this.#decimal(isNegative, scaled, places);
      }
    }
    return false;
  }

  #float32(isNegative: boolean, size: number): boolean {
    const wholeDigits = Math.floor(Math.log10(size)) + 1;
    for (let digits = FLOAT32_DIGITS_SURE; digits <= FLOAT32_DIGITS_MAX; digits++) {
      const places = digits - wholeDigits;
      if (places < 0) continue;
      if (places > FLOAT32_PLACES_MAX) return false;
      const power = POWERS[places] ?? 1;
      const scaled = Math.round(size * power);
      if (Math.fround(scaled / power) === size) return this.#decimal(isNegative, scaled, places);
    }
    return false;
  }

  /** `scaled` / 10^`places`, without zeros at its end. */
  #decimal(isNegative: boolean, scaled: number, places: number): true {
    this.#reserve(DOUBLE_DIGITS_SURE + GROUP_DIGITS);
    if (isNegative) this.#bytes[this.#length++] = MINUS;
    const power = POWERS[places] ?? 1;
    const whole = Math.floor(scaled / power);
    let fraction = scaled - whole * power;
    this.#whole(whole);
    if (fraction === 0) return true;
    let fractionDigits = places;
    while (fraction % 10 === 0) {
      fraction /= 10;
      fractionDigits -= 1;
    }
    this.#bytes[this.#length++] = POINT;
    if (fractionDigits > GROUP_DIGITS) {
      const high = Math.floor(fraction / GROUP);
      this.#digits(high, fractionDigits - GROUP_DIGITS);
      fraction -= high * GROUP;
      fractionDigits = GROUP_DIGITS;
    }
    this.#digits(fraction, fractionDigits);
    return true;
  }

  #whole(value: number): void {
    if (value < GROUP) {
      this.#digits(value, digitsOf(value));
      return;
    }
    const high = Math.floor(value / GROUP);
    this.#whole(high);
    this.#digits(value - high * GROUP, GROUP_DIGITS);
  }

  /** The last `count` digits of a number of at most nine. */
  #digits(value: number, count: number): void {
    const bytes = this.#bytes;
    let rest = value | 0;
    for (let at = this.#length + count - 1; at >= this.#length; at--) {
      const tenth = (rest / 10) | 0;
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#length += count;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + bytes));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Of a whole number of at most nine. */
function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits += 1;
  return digits;
}
