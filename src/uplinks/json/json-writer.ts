/** JSON as bytes, one text after the other, in memory that is used again: made for every sample, so it makes nothing else. */
import type { Value, ValueType } from "../../core/tag.ts";
import { ByteWriter } from "../byte-writer.ts";
import { FLOAT32_DIGITS_MAX, FLOAT32_DIGITS_SURE, FLOAT32_EXACT_MAX, jsonOfValue } from "./json-value.ts";

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
/** Powers of ten up to here are whole numbers of at most 53 bits times a power of two: exact. */
const POWERS = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);
/** Digits that are written in one go, in arithmetic of 32 bits. */
const GROUP_DIGITS = 9;
const GROUP = 10 ** GROUP_DIGITS;
/** No number that is written here has more bytes: a sign, a point, and the digits of the largest. */
const NUMBER_MAX_BYTES = 32;
/** Decimal places that a double is tried with: what was scaled by a manual's factor has no more. */
const PLACES = 6;
/** Below this a number with so many places has at most 15 digits: any two decimals of so many are different doubles. */
const PLACES_SIZE_MAX = 1e9;
/** What is smaller as a float32 has more than twelve places, which times its power of ten is not exact any more. */
const FLOAT32_MIN = 1e-4;

export class JsonWriter extends ByteWriter {
  /** As a text what `take` gives as bytes. */
  takeText(): string {
    const text = this.memory.toString("utf8", 0, this.at);
    this.at = 0;
    return text;
  }

  text(text: string): void {
    if (text === "") return;
    this.reserve(Buffer.byteLength(text));
    this.at += this.memory.write(text, this.at, "utf8");
  }

  /** As `jsonOfValue`, which is asked wherever there is no shorter way to the same digits. */
  value(value: Value, type: ValueType): void {
    const isWritten = typeof value === "number" && (type === "float32" ? this.#float32(value) : this.#double(value));
    if (!isWritten) this.text(jsonOfValue(value, type));
  }

  /** Whole, or a decimal of six places: what has fewer ends in zeros, so no shorter one needs to be tried. */
  #double(value: number): boolean {
    const size = Math.abs(value);
    const whole = Math.floor(size);
    if (whole === size)
      return size <= Number.MAX_SAFE_INTEGER && !Object.is(value, -0) && this.#decimal(value, whole, 0, 0);
    const power = POWERS[PLACES] ?? 1;
    const scaled = Math.round(size * power);
    return (
      size < PLACES_SIZE_MAX && scaled / power === size && this.#decimal(value, whole, scaled - whole * power, PLACES)
    );
  }

  #float32(value: number): boolean {
    const size = Math.fround(Math.abs(value));
    const whole = Math.floor(size);
    if (size > FLOAT32_EXACT_MAX || size < FLOAT32_MIN)
      return size === 0 && !Object.is(value, -0) && this.#decimal(value, 0, 0, 0);
    const first = FLOAT32_DIGITS_SURE - wholeDigitsOf(size);
    for (let places = Math.max(0, first); places <= first + FLOAT32_DIGITS_MAX - FLOAT32_DIGITS_SURE; places++) {
      // A float32 times a power of ten up to the twelfth has no more than 53 bits: exact, and so are its digits.
      const power = POWERS[places] ?? 1;
      const scaled = Math.round(size * power);
      if (Math.fround(scaled / power) === size) return this.#decimal(value, whole, scaled - whole * power, places);
    }
    return false;
  }

  /** The number's sign, and `whole` + `fraction` / 10^`places` without zeros at its end; the fraction has 31 bits at most. */
  #decimal(value: number, whole: number, fraction: number, places: number): true {
    this.reserve(NUMBER_MAX_BYTES);
    if (value < 0) this.memory[this.at++] = MINUS;
    this.#whole(whole);
    let rest = fraction | 0;
    if (rest === 0) return true;
    let digits = places;
    while (rest % 10 === 0) {
      rest = (rest / 10) | 0;
      digits -= 1;
    }
    this.memory[this.at++] = POINT;
    this.#digits(rest, digits);
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

  /** The last `count` digits of a number of 31 bits. */
  #digits(value: number, count: number): void {
    const bytes = this.memory;
    let rest = value | 0;
    for (let at = this.at + count - 1; at >= this.at; at--) {
      const tenth = (rest / 10) | 0;
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.at += count;
  }
}

/** Of a whole number of at most nine. */
function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits += 1;
  return digits;
}

/** Digits before the point; below 1, less than none for each zero behind it. */
function wholeDigitsOf(size: number): number {
  if (size >= 1) return digitsOf(size);
  return size >= 0.1 ? 0 : size >= 0.01 ? -1 : size >= 0.001 ? -2 : -3;
}
