/**
 * Bytes written and read one after the other: LEB128 variable-length integers, zigzag for signed ones, IEEE 754
 * little-endian floats. Reading checks every bound and throws DamagedBytes, whatever the bytes are.
 */
import { assert } from "../core/errors.ts";

/** The bytes are not what a writer of ours wrote. */
export class DamagedBytes extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DamagedBytes";
  }
}

const INITIAL_BYTES = 4_096;
/** 2^53 − 1 takes eight groups of seven bits. */
const MAX_VARINT_BYTES = 8;
/** The difference of two 64-bit integers, with its sign, takes 66 bits. */
const MAX_BIG_BITS = 66;
const MAX_BIG_VARINT_BYTES = 10;

export class ByteWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** A whole number from 0 to 2^53 − 1. */
  varint(value: number): void {
    this.#reserve(MAX_VARINT_BYTES);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** A whole number between −2^52 and 2^52. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** An integer of at most 66 bits with its sign. */
  bigZigzag(value: bigint): void {
    assert(BigInt.asIntN(MAX_BIG_BITS, value) === value, `${value} as a 64-bit integer`);
    this.#reserve(MAX_BIG_VARINT_BYTES);
    let rest = value < 0n ? -2n * value - 1n : 2n * value;
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  float32(value: number): void {
    this.#reserve(4);
    this.#view.setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** Length, then the bytes. */
  blob(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.bytes());
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  remaining(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return this.#safe(value);
      scale *= 0x80;
    }
    throw new DamagedBytes("a number is longer than 53 bits");
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bigZigzag(): bigint {
    let value = 0n;
    for (let i = 0n; i < MAX_BIG_VARINT_BYTES; i++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << (7n * i);
      if (byte < 0x80) return value % 2n === 0n ? value / 2n : -(value + 1n) / 2n;
    }
    throw new DamagedBytes("an integer is longer than 64 bits");
  }

  float32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  blob(): Uint8Array {
    const length = this.varint();
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  #take(count: number): number {
    if (count > this.remaining()) throw new DamagedBytes("the bytes end too early");
    const from = this.#at;
    this.#at += count;
    return from;
  }

  #safe(value: number): number {
    if (!Number.isSafeInteger(value)) throw new DamagedBytes("a number is longer than 53 bits");
    return value;
  }
}
