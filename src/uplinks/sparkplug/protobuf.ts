/**
 * Protocol Buffers on the wire, as far as Sparkplug needs them: varints, fixed-width numbers, length-delimited fields.
 * Reading checks every bound and throws MalformedPayload, whatever the bytes are.
 */
import { AssertionFailure } from "../../core/errors.ts";
import { ByteWriter } from "../byte-writer.ts";

/** The bytes are no message of this kind. */
export class MalformedPayload extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MalformedPayload";
  }
}

/** A uint64: a number as far as that is exact, else a bigint. */
export type Uint64 = number | bigint;

export const WIRE = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

/** A 64-bit varint takes ten groups of seven bits. */
const VARINT_MAX_BYTES = 10;
const GROUP_BITS = 7;
const GROUP_MAX = 0x7f;
/** In a group: another one follows. */
const MORE = 0x80;
/** A number that is larger than 32 bits hold is written as its lowest four groups, and what is left: less than 2^25. */
const LOW_GROUPS = 4;
const LOW = 2 ** (GROUP_BITS * LOW_GROUPS);
const INT32_MAX = 0x7fff_ffff;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;
const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

export class ProtobufWriter extends ByteWriter {
  uint(field: number, value: Uint64): void {
    this.reserve(2 * VARINT_MAX_BYTES);
    this.#key(field, WIRE.varint);
    if (typeof value === "number") this.#varint(value);
    else this.#longVarint(value);
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0);
  }

  float(field: number, value: number): void {
    this.reserve(VARINT_MAX_BYTES + 4);
    this.#key(field, WIRE.fixed32);
    this.at = this.memory.writeFloatLE(value, this.at);
  }

  double(field: number, value: number): void {
    this.reserve(VARINT_MAX_BYTES + 8);
    this.#key(field, WIRE.fixed64);
    this.at = this.memory.writeDoubleLE(value, this.at);
  }

  string(field: number, value: string): void {
    const byteLength = Buffer.byteLength(value);
    this.reserve(2 * VARINT_MAX_BYTES + byteLength);
    this.#key(field, WIRE.delimited);
    this.#varint(byteLength);
    this.at += this.memory.write(value, this.at, "utf8");
  }

  /** Bytes, or an encoded message. */
  bytes(field: number, value: Uint8Array): void {
    this.reserve(2 * VARINT_MAX_BYTES);
    this.#key(field, WIRE.delimited);
    this.#varint(value.length);
    this.encoded(value);
  }

  /** Begins a message as a field of this one; `end` it with what this returns. */
  begin(field: number): number {
    this.reserve(VARINT_MAX_BYTES + 1);
    this.#key(field, WIRE.delimited);
    return ++this.at;
  }

  /** Its length goes in front of it, in one byte as a rule: where it takes more, the message moves up. */
  end(begin: number): void {
    const length = this.at - begin;
    if (length <= GROUP_MAX) {
      this.memory[begin - 1] = length;
      return;
    }
    let lengthBytes = 1;
    for (let rest = length; rest > GROUP_MAX; rest >>= GROUP_BITS) lengthBytes += 1;
    this.reserve(lengthBytes);
    this.memory.copyWithin(begin + lengthBytes - 1, begin, this.at);
    this.at = begin - 1;
    this.#varint(length);
    this.at += length;
  }

  #key(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  #longVarint(value: bigint): void {
    if (value < 0n || value > UINT64_MAX) throw new AssertionFailure(`${value} as a uint64`);
    let rest = value;
    while (rest > SAFE_MAX) {
      this.memory[this.at++] = Number(rest & 0x7fn) | MORE;
      rest >>= 7n;
    }
    this.#varint(Number(rest));
  }

  /** In whole numbers of 32 bits, several times as fast as others: what is larger is cut into two. */
  #varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new AssertionFailure(`${value} as a uint64`);
    let rest = value;
    if (value > INT32_MAX) {
      rest = Math.floor(value / LOW);
      let low = value - rest * LOW;
      for (let group = 0; group < LOW_GROUPS; group++) {
        this.memory[this.at++] = (low & GROUP_MAX) | MORE;
        low >>= GROUP_BITS;
      }
    }
    while (rest > GROUP_MAX) {
      this.memory[this.at++] = (rest & GROUP_MAX) | MORE;
      rest >>= GROUP_BITS;
    }
    this.memory[this.at++] = rest;
  }
}

/** Reads field by field: `next`, then the reader of its kind, or `skip`. */
export class ProtobufReader {
  readonly #bytes: Buffer;
  #at = 0;
  #wireType = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Number of the next field; undefined at the end. */
  next(): number | undefined {
    if (this.#at === this.#bytes.length) return undefined;
    const key = Number(this.#varint());
    const field = Math.floor(key / 8);
    if (field === 0 || field > 0x1fff_ffff) throw new MalformedPayload(`a field has the number ${field}`);
    this.#wireType = key % 8;
    return field;
  }

  uint(): bigint {
    this.#expect(WIRE.varint);
    return this.#varint();
  }

  /** Of a field of 32 bits: a longer varint is cut, as the encoding says. */
  uint32(): number {
    return Number(BigInt.asUintN(32, this.uint()));
  }

  bool(): boolean {
    return this.uint() !== 0n;
  }

  float(): number {
    this.#expect(WIRE.fixed32);
    return this.#bytes.readFloatLE(this.#advance(4));
  }

  double(): number {
    this.#expect(WIRE.fixed64);
    return this.#bytes.readDoubleLE(this.#advance(8));
  }

  string(): string {
    try {
      return UTF8.decode(this.bytes());
    } catch (error) {
      if (error instanceof MalformedPayload) throw error;
      throw new MalformedPayload("a text is not UTF-8");
    }
  }

  bytes(): Uint8Array {
    this.#expect(WIRE.delimited);
    return this.#delimited();
  }

  /** Passes over a field, known or not. */
  skip(): void {
    if (this.#wireType === WIRE.varint) this.#varint();
    else if (this.#wireType === WIRE.fixed64) this.#advance(8);
    else if (this.#wireType === WIRE.delimited) this.#delimited();
    else if (this.#wireType === WIRE.fixed32) this.#advance(4);
    else throw new MalformedPayload(`a field has the wire type ${this.#wireType}`);
  }

  #delimited(): Uint8Array {
    const length = this.#varint();
    if (length > this.#bytes.length) throw new MalformedPayload("a field is longer than its message");
    const from = this.#advance(Number(length));
    return this.#bytes.subarray(from, this.#at);
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) throw new MalformedPayload("a field is of another kind than it must be");
  }

  #varint(): bigint {
    let low = 0;
    for (let group = 0; group < VARINT_MAX_BYTES; group++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new MalformedPayload("it ends in the middle of a number");
      // Seven groups are 49 bits: exact as a number.
      if (group === 7) return this.#longVarint(BigInt(low), byte);
      low += (byte & 0x7f) * 2 ** (7 * group);
      if (byte < 0x80) return BigInt(low);
    }
    throw new MalformedPayload("a number is longer than 64 bits");
  }

  #longVarint(low: bigint, eighth: number): bigint {
    let value = low;
    let byte: number | undefined = eighth;
    for (let group = 7; group < VARINT_MAX_BYTES; group++) {
      value |= BigInt(byte & 0x7f) << BigInt(7 * group);
      if (byte < 0x80) return BigInt.asUintN(64, value);
      byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new MalformedPayload("it ends in the middle of a number");
    }
    throw new MalformedPayload("a number is longer than 64 bits");
  }

  #advance(bytes: number): number {
    const from = this.#at;
    if (from + bytes > this.#bytes.length) throw new MalformedPayload("a field is longer than its message");
    this.#at += bytes;
    return from;
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A number where that is exact. */
export function uint64Of(value: bigint): Uint64 {
  return value <= SAFE_MAX ? Number(value) : value;
}
