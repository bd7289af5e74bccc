/**
 * A block: samples of one priority, column by column, compressed. It is all that the file holds of a sample.
 *
 *     version │ time base │ CRC-32 of the columns, 4 bytes LE │ samples, varint │ column bytes, varint │ deflateRaw
 *     columns: numbers │ tag keys │ epochs │ timestamps │ statuses │ kinds │ values of each kind
 *
 * Version 1 is a block in UTC. Version 2 is one of a kernel boot that did not know the time: its timestamps count from
 * that boot, and before the columns stand the boot's id and by how much it was shown, as long as nobody knew better.
 *
 * Tag keys refer to the dictionary of the same file, and each value carries its own kind, so that a changed
 * configuration never orphans or misreads a block. Bytes from a worn card end in a DamagedBytes, never in a crash.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { assert, messageOf } from "../core/errors.ts";
import { STATUS_NAMES, type Status } from "../core/quality.ts";
import type { TagRef, Value } from "../core/tag.ts";
import { isUndated, type StoredSample, type StoredUndated } from "./stored-sample.ts";
import { ByteReader, ByteWriter, DamagedBytes } from "./varint.ts";

const VERSION_UTC = 1;
const VERSION_UNDATED = 2;
const TIME_BASE_UTC = 0;
const TIME_BASE_BOOT = 1;
const HEADER_BYTES = 6;
const CRC_AT = 2;

/** More than the outbox ever puts in one; a header that claims more is damaged. */
export const MAX_BLOCK_SAMPLES = 65_536;
/** The same for the bytes of all columns: it bounds what a damaged block can make us allocate. */
const MAX_COLUMN_BYTES = 16 * 1_048_576;

/** Integers below this are stored as the difference to the tag's last one, which then fits 53 bits with its sign. */
const MAX_DELTA_INTEGER = 2 ** 51;
const DEFLATE_LEVEL = 1;

const KIND = { null: 0, false: 1, true: 2, integer: 3, float32: 4, float64: 5, bigint: 6, utf8: 7, utf16: 8 } as const;
const KIND_MASK = 0x0f;
const READ_BEFORE = 0x80;

const STATUS_INDEX: ReadonlyMap<Status, number> = new Map(STATUS_NAMES.map((name, index) => [name, index]));

/** @param samples of one priority and one time base, ascending by number; at least one. 64-bit integers within 64 bits. */
export function encodeBlock(samples: readonly StoredSample[], keyOf: (tag: TagRef) => number): Uint8Array {
  assert(samples.length > 0 && samples.length <= MAX_BLOCK_SAMPLES, `a block of ${samples.length} samples`);
  const keys = samples.map((sample) => keyOf(sample.tag));
  const columns = new ByteWriter();
  const base = baseOf(samples[0]);
  if (base !== undefined) writeBase(columns, base);
  writeDeltas(columns, samples, (sample) => sample.number);
  for (const key of keys) columns.varint(key);
  writeDeltas(columns, samples, (sample) => sample.epoch);
  writeDeltas(columns, samples, (sample) => (isUndated(sample) ? sample.bootMs : sample.sourceTimestampMs));
  for (const sample of samples) columns.byte(STATUS_INDEX.get(sample.status) ?? 0);
  const kinds = samples.map((sample) => kindOf(sample.value));
  kinds.forEach((kind, i) => {
    columns.byte(kind | (samples[i]?.readBefore === true ? READ_BEFORE : 0));
  });
  writeValues(columns, samples, keys, kinds);
  return seal(columns.bytes(), samples.length, base === undefined);
}

/** @throws DamagedBytes */
export function decodeBlock(bytes: Uint8Array, tagOf: (key: number) => TagRef | undefined): StoredSample[] {
  const { columns, count, isUtc } = unseal(bytes);
  const base = isUtc ? undefined : readBase(columns);
  const numbers = readDeltas(columns, count);
  const keys = repeat(count, () => columns.varint());
  const epochs = readDeltas(columns, count);
  const timestamps = readDeltas(columns, count);
  const statuses = repeat(count, () => statusAt(columns.byte()));
  const marks = repeat(count, () => columns.byte());
  const values = readValues(columns, keys, marks);
  if (columns.remaining() !== 0) throw new DamagedBytes("bytes are left over");
  return numbers.map((number, i): StoredSample => {
    const key = keys[i] ?? 0;
    const tag = tagOf(key);
    if (tag === undefined) throw new DamagedBytes(`tag ${key} is not in the dictionary`);
    if (i > 0 && number <= (numbers[i - 1] ?? 0)) throw new DamagedBytes("the numbers do not ascend");
    const at = timestamps[i] ?? 0;
    return {
      tag,
      value: values[i] ?? null,
      status: statuses[i] ?? "BadUnexpectedError",
      ...(base === undefined ? { sourceTimestampMs: at } : { bootMs: at, ...base }),
      epoch: epochs[i] ?? 0,
      number,
      ...(((marks[i] ?? 0) & READ_BEFORE) !== 0 && { readBefore: true as const }),
    };
  });
}

type TimeBase = Pick<StoredUndated, "boot" | "knownOffsetMs">;

function baseOf(sample: StoredSample | undefined): TimeBase | undefined {
  return sample !== undefined && isUndated(sample) ? sample : undefined;
}

function writeBase(columns: ByteWriter, { boot, knownOffsetMs }: TimeBase): void {
  columns.blob(Buffer.from(boot));
  columns.zigzag(knownOffsetMs);
}

function readBase(columns: ByteReader): TimeBase {
  return { boot: Buffer.from(columns.blob()).toString(), knownOffsetMs: columns.zigzag() };
}

function seal(columns: Uint8Array, count: number, isUtc: boolean): Uint8Array {
  assert(columns.length <= MAX_COLUMN_BYTES, `a block of ${columns.length} bytes`);
  const sizes = new ByteWriter();
  sizes.varint(count);
  sizes.varint(columns.length);
  const packed = deflateRawSync(columns, { level: DEFLATE_LEVEL });
  const block = new Uint8Array(HEADER_BYTES + sizes.bytes().length + packed.length);
  block[0] = isUtc ? VERSION_UTC : VERSION_UNDATED;
  block[1] = isUtc ? TIME_BASE_UTC : TIME_BASE_BOOT;
  new DataView(block.buffer).setUint32(CRC_AT, crc32(columns), true);
  block.set(sizes.bytes(), HEADER_BYTES);
  block.set(packed, HEADER_BYTES + sizes.bytes().length);
  return block;
}

function unseal(bytes: Uint8Array): { columns: ByteReader; count: number; isUtc: boolean } {
  if (bytes.length < HEADER_BYTES) throw new DamagedBytes("the block has no header");
  const isUtc = bytes[0] === VERSION_UTC;
  if (!isUtc && bytes[0] !== VERSION_UNDATED) throw new DamagedBytes(`block version ${bytes[0]} is not known`);
  // Each stands for the other, so that one flipped bit never makes a block of the other kind.
  if (bytes[1] !== (isUtc ? TIME_BASE_UTC : TIME_BASE_BOOT)) {
    throw new DamagedBytes(`time base ${bytes[1]} is not that of version ${bytes[0]}`);
  }
  const header = new ByteReader(bytes.subarray(HEADER_BYTES));
  const count = header.varint();
  const length = header.varint();
  if (count === 0 || count > MAX_BLOCK_SAMPLES) throw new DamagedBytes(`a block of ${count} samples`);
  if (length === 0 || length > MAX_COLUMN_BYTES) throw new DamagedBytes(`a block of ${length} bytes`);
  const columns = inflate(bytes.subarray(bytes.length - header.remaining()), length);
  const sum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(CRC_AT, true);
  if (columns.length !== length || crc32(columns) !== sum) throw new DamagedBytes("the checksum is wrong");
  return { columns: new ByteReader(columns), count, isUtc };
}

function inflate(packed: Uint8Array, maxOutputLength: number): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength });
  } catch (error) {
    throw new DamagedBytes(messageOf(error));
  }
}

/** Each number as the difference to the one before; the first to 0. */
function writeDeltas<T>(columns: ByteWriter, items: readonly T[], numberOf: (item: T) => number): void {
  let before = 0;
  for (const item of items) {
    const number = numberOf(item);
    columns.zigzag(number - before);
    before = number;
  }
}

function readDeltas(columns: ByteReader, count: number): number[] {
  let number = 0;
  return repeat(count, () => {
    number += columns.zigzag();
    return number;
  });
}

function repeat<T>(count: number, read: () => T): T[] {
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read());
  return items;
}

function statusAt(index: number): Status {
  const status = STATUS_NAMES[index];
  if (status === undefined) throw new DamagedBytes(`status ${index} is not known`);
  return status;
}

function kindOf(value: Value): number {
  switch (typeof value) {
    case "boolean":
      return value ? KIND.true : KIND.false;
    case "bigint":
      return KIND.bigint;
    case "string":
      return Buffer.from(value).toString() === value ? KIND.utf8 : KIND.utf16;
    case "number":
      if (Number.isInteger(value) && Math.abs(value) < MAX_DELTA_INTEGER && !Object.is(value, -0)) return KIND.integer;
      return Object.is(Math.fround(value), value) ? KIND.float32 : KIND.float64;
    default:
      return KIND.null;
  }
}

/** Kind by kind, in the order of KIND: like bytes stand together and compress. */
function writeValues(
  columns: ByteWriter,
  samples: readonly StoredSample[],
  keys: readonly number[],
  kinds: readonly number[],
): void {
  const integers = new Map<number, number>();
  const bigints = new Map<number, bigint>();
  for (let kind: number = KIND.integer; kind <= KIND.utf16; kind++) {
    samples.forEach(({ value }, i) => {
      if (kinds[i] !== kind) return;
      const key = keys[i] ?? 0;
      if (typeof value === "bigint") {
        columns.bigZigzag(value - (bigints.get(key) ?? 0n));
        bigints.set(key, value);
      } else if (typeof value === "string") {
        columns.blob(Buffer.from(value, kind === KIND.utf8 ? "utf8" : "utf16le"));
      } else if (typeof value === "number") {
        if (kind === KIND.float32) columns.float32(value);
        else if (kind === KIND.float64) columns.float64(value);
        else {
          columns.zigzag(value - (integers.get(key) ?? 0));
          integers.set(key, value);
        }
      }
    });
  }
}

function readValues(columns: ByteReader, keys: readonly number[], marks: readonly number[]): Value[] {
  const integers = new Map<number, number>();
  const bigints = new Map<number, bigint>();
  const readers: Record<number, (key: number) => Value> = {
    [KIND.null]: () => null,
    [KIND.false]: () => false,
    [KIND.true]: () => true,
    [KIND.integer]: (key) => {
      const value = (integers.get(key) ?? 0) + columns.zigzag();
      integers.set(key, value);
      return value;
    },
    [KIND.float32]: () => columns.float32(),
    [KIND.float64]: () => columns.float64(),
    [KIND.bigint]: (key) => {
      const value = (bigints.get(key) ?? 0n) + columns.bigZigzag();
      bigints.set(key, value);
      return value;
    },
    [KIND.utf8]: () => Buffer.from(columns.blob()).toString("utf8"),
    [KIND.utf16]: () => Buffer.from(columns.blob()).toString("utf16le"),
  };
  const values: Value[] = marks.map(() => null);
  if (marks.some((mark) => (mark & KIND_MASK) > KIND.utf16)) throw new DamagedBytes("a kind of value is not known");
  for (let kind: number = KIND.null; kind <= KIND.utf16; kind++) {
    const read = readers[kind];
    marks.forEach((mark, i) => {
      if ((mark & KIND_MASK) === kind && read !== undefined) values[i] = read(keys[i] ?? 0);
    });
  }
  return values;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = (c & 1) === 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** CRC-32 of ISO 3309, as in zip. The one of node:zlib is younger than the oldest Node we run on. */
function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (CRC_TABLE[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
