/**
 * A block: samples of one priority, column by column, compressed. It is all that the file holds of a sample.
 *
 *     version │ time base │ CRC-32 of the columns, 4 bytes LE │ samples, varint │ column bytes, varint │ deflateRaw
 *     columns: numbers │ tag keys │ epochs │ timestamps │ statuses │ values (value-columns.ts)
 *
 * The time base is UTC, or a kernel boot that did not know the time: timestamps then count from that boot, and before
 * the columns stand the boot's id and by how much it was shown, as long as nobody knew better.
 *
 * Tag keys refer to the dictionary of the same file, and each value carries its own kind, so that a changed
 * configuration never orphans or misreads a block. Bytes from a worn card end in a DamagedBytes, never in a crash.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { assert, messageOf } from "../core/errors.ts";
import { STATUS_NAMES, type Status } from "../core/quality.ts";
import type { TagRef } from "../core/tag.ts";
import { crc32 } from "./crc32.ts";
import { isUndated, type StoredSample, type StoredUndated } from "./stored-sample.ts";
import { readValues, writeValues } from "./value-columns.ts";
import { ByteReader, ByteWriter, DamagedBytes } from "./varint.ts";

/** 1 and 2 were never released. */
const VERSION = 3;
const TIME_BASE_UTC = 0;
const TIME_BASE_BOOT = 1;
const HEADER_BYTES = 6;
const CRC_AT = 2;

/** More than the outbox ever puts in one; a header that claims more is damaged. */
export const MAX_BLOCK_SAMPLES = 65_536;
/** The same for the bytes of all columns: it bounds what a damaged block can make us allocate. */
const MAX_COLUMN_BYTES = 16 * 1_048_576;

/** Of numbers, epochs and times: far beyond ours, within a calendar's, and the difference of two can still be written. */
const MAX_WHOLE = 2 ** 51;

const DEFLATE_LEVEL = 1;
/** The least that zlib takes, and the most that is allocated on the word of a header. */
const CHUNK_MIN_BYTES = 64;
const CHUNK_MAX_BYTES = 65_536;

const STATUS_INDEX: ReadonlyMap<Status, number> = new Map(STATUS_NAMES.map((name, index) => [name, index]));

/** @param samples of one priority and one time base, ascending by number; at least one. 64-bit integers within 64 bits. */
export function encodeBlock(samples: readonly StoredSample[], keyOf: (tag: TagRef) => number): Uint8Array {
  assert(samples.length > 0 && samples.length <= MAX_BLOCK_SAMPLES, `a block of ${samples.length} samples`);
  const keys = samples.map((sample) => keyOf(sample.tag));
  const columns = new ByteWriter();
  const base = baseOf(samples[0]);
  if (base !== undefined) writeBase(columns, base);
  writeDeltas(columns, samples, (sample) => sample.number);
  writeDeltas(columns, keys, (key) => key);
  writeDeltas(columns, samples, (sample) => sample.epoch);
  writeDeltas(columns, samples, (sample) => (isUndated(sample) ? sample.bootMs : sample.sourceTimestampMs));
  for (const sample of samples) columns.byte(STATUS_INDEX.get(sample.status) ?? 0);
  writeValues(columns, samples, keys);
  return seal(columns.bytes(), samples.length, base === undefined);
}

/** @throws DamagedBytes */
export function decodeBlock(bytes: Uint8Array, tagOf: (key: number) => TagRef | undefined): StoredSample[] {
  const { columns, count, isUtc } = unseal(bytes);
  const base = isUtc ? undefined : readBase(columns);
  const numbers = readDeltas(columns, count);
  const keys = readDeltas(columns, count);
  const epochs = readDeltas(columns, count);
  const timestamps = readDeltas(columns, count);
  const statuses = repeat(count, () => statusAt(columns.byte()));
  const { values, readBefore } = readValues(columns, keys);
  if (columns.remaining() !== 0) throw new DamagedBytes("bytes are left over");
  const samples: StoredSample[] = [];
  for (let i = 0; i < count; i++) {
    const key = keys[i] ?? 0;
    const tag = tagOf(key);
    if (tag === undefined) throw new DamagedBytes(`tag ${key} is not in the dictionary`);
    const number = numbers[i] ?? 0;
    if (i > 0 && number <= (numbers[i - 1] ?? 0)) throw new DamagedBytes("the numbers do not ascend");
    const at = timestamps[i] ?? 0;
    const value = values[i] ?? null;
    const status = statuses[i] ?? "BadUnexpectedError";
    const epoch = epochs[i] ?? 0;
    // One form for nearly all of them: millions go through here.
    const sample =
      base === undefined
        ? { tag, value, status, sourceTimestampMs: at, epoch, number }
        : { tag, value, status, bootMs: at, ...base, epoch, number };
    samples.push(readBefore.has(i) ? { ...sample, readBefore: true } : sample);
  }
  return samples;
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
  const timeBase = isUtc ? TIME_BASE_UTC : TIME_BASE_BOOT;
  const packed = deflateRawSync(columns, { level: DEFLATE_LEVEL });
  const block = new Uint8Array(HEADER_BYTES + sizes.bytes().length + packed.length);
  block[0] = VERSION;
  block[1] = timeBase;
  new DataView(block.buffer).setUint32(CRC_AT, checksum(columns, timeBase), true);
  block.set(sizes.bytes(), HEADER_BYTES);
  block.set(packed, HEADER_BYTES + sizes.bytes().length);
  return block;
}

function unseal(bytes: Uint8Array): { columns: ByteReader; count: number; isUtc: boolean } {
  if (bytes.length < HEADER_BYTES) throw new DamagedBytes("the block has no header");
  if (bytes[0] !== VERSION) throw new DamagedBytes(`block version ${bytes[0]} is not known`);
  const timeBase = bytes[1] ?? TIME_BASE_UTC;
  const isUtc = timeBase === TIME_BASE_UTC;
  if (!isUtc && timeBase !== TIME_BASE_BOOT) throw new DamagedBytes(`time base ${timeBase} is not known`);
  const header = new ByteReader(bytes.subarray(HEADER_BYTES));
  const count = header.varint();
  const length = header.varint();
  if (count === 0 || count > MAX_BLOCK_SAMPLES) throw new DamagedBytes(`a block of ${count} samples`);
  if (length === 0 || length > MAX_COLUMN_BYTES) throw new DamagedBytes(`a block of ${length} bytes`);
  const columns = inflate(bytes.subarray(bytes.length - header.remaining()), length);
  const sum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(CRC_AT, true);
  if (columns.length !== length || checksum(columns, timeBase) !== sum) throw new DamagedBytes("the checksum is wrong");
  return { columns: new ByteReader(columns), count, isUtc };
}

/** One flipped bit must not make a block of the other time base. */
function checksum(columns: Uint8Array, timeBase: number): number {
  return (crc32(columns) ^ timeBase) >>> 0;
}

function inflate(packed: Uint8Array, maxOutputLength: number): Uint8Array {
  try {
    // A byte more than it needs: a chunk that is just full would be followed by another.
    const chunkSize = Math.min(CHUNK_MAX_BYTES, Math.max(CHUNK_MIN_BYTES, maxOutputLength + 1));
    return inflateRawSync(packed, { maxOutputLength, chunkSize });
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
    if (Math.abs(number) > MAX_WHOLE) throw new DamagedBytes(`${number} is out of bounds`);
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
