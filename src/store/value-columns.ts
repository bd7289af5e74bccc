/**
 * The values of a block, as columns that compress: like stands beside like, and each value is written as its difference
 * to the last one of its tag. A scaled register is a whole number of tenths or hundredths, and stored as that.
 *
 *     marks │ whole numbers and decimals │ float32 │ float64 │ 64-bit integers │ text
 *
 * A mark says what kind of value follows, as the difference to the mark of the tag's last value: mostly none.
 */
import type { Value } from "../core/tag.ts";
import { ByteReader, ByteWriter, DamagedBytes } from "./varint.ts";

/** Append only. From `decimal` on: a whole number of 10^−1, 10^−2 … */
const KIND = {
  null: 0,
  false: 1,
  true: 2,
  integer: 3,
  float32: 4,
  float64: 5,
  bigint: 6,
  utf8: 7,
  utf16: 8,
  decimal: 9,
} as const;
const KIND_MASK = 0x0f;
const DECIMALS_MAX = 6;
const KIND_MAX = KIND.decimal + DECIMALS_MAX - 1;
const READ_BEFORE = 0x80;

/** Whole numbers below this are stored as differences, which then fit 53 bits with their sign. */
const MAX_DELTA_INTEGER = 2 ** 51;
/** Of int64 the least, of uint64 the greatest. */
const BIGINT_MIN = -(2n ** 63n);
const BIGINT_MAX = 2n ** 64n - 1n;
const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const;

/** What the last value of a tag was, so that the next one can be told by the difference. */
interface Memory {
  mark: number;
  /** In units of 10^-decimals. */
  whole: number;
  decimals: number;
  /** The bits of the last float32, in an order in which neighbours are near each other. */
  float32: number;
  bigint: bigint;
}

export interface Marked {
  readonly value: Value;
  readonly readBefore?: true;
}

export interface ReadValues {
  readonly values: readonly Value[];
  /** Which of them, by index, are suppressed reads before a jump. */
  readonly readBefore: ReadonlySet<number>;
}

/** @param keys of each value its tag's */
export function writeValues(columns: ByteWriter, values: readonly Marked[], keys: readonly number[]): void {
  const memories = new Map<number, Memory>();
  const marks = new ByteWriter();
  const wholes = new ByteWriter();
  // The low bytes of a measured float32 are noise; they would spoil the high ones for the compression.
  const floats = [new ByteWriter(), new ByteWriter(), new ByteWriter()] as const;
  const doubles = new ByteWriter();
  const bigints = new ByteWriter();
  const texts = new ByteWriter();
  for (let i = 0; i < values.length; i++) {
    const item = values[i];
    if (item === undefined) continue;
    const { value } = item;
    const memory = memoryOf(memories, keys[i] ?? 0);
    const kind = kindOf(value, memory.mark & KIND_MASK);
    const mark = kind | (item.readBefore === true ? READ_BEFORE : 0);
    marks.byte(mark ^ memory.mark);
    memory.mark = mark;
    if (typeof value === "number") {
      if (kind === KIND.float32) {
        const ordered = orderedOf(value);
        writePlanes(floats, ordered - memory.float32);
        memory.float32 = ordered;
      } else if (kind === KIND.float64) doubles.float64(value);
      else {
        const decimals = decimalsOf(kind);
        wholes.zigzag(wholeOf(value, decimals) - inUnits(memory, decimals));
        remember(memory, wholeOf(value, decimals), decimals);
      }
    } else if (typeof value === "bigint") {
      bigints.bigZigzag(value - memory.bigint);
      memory.bigint = value;
    } else if (typeof value === "string") texts.blob(Buffer.from(value, kind === KIND.utf8 ? "utf8" : "utf16le"));
  }
  for (const column of [marks, wholes, ...floats, doubles, bigints, texts]) columns.blob(column.bytes());
}

/** @throws DamagedBytes */
export function readValues(columns: ByteReader, keys: readonly number[]): ReadValues {
  const memories = new Map<number, Memory>();
  const column = () => new ByteReader(columns.blob());
  const [marks, wholes] = [column(), column()];
  const floats = [column(), column(), column()] as const;
  const [doubles, bigints, texts] = [column(), column(), column()];
  const read = (memory: Memory, kind: number): Value => {
    switch (kind) {
      case KIND.null:
        return null;
      case KIND.false:
      case KIND.true:
        return kind === KIND.true;
      case KIND.float32:
        memory.float32 += readPlanes(floats);
        return floatOf(memory.float32);
      case KIND.float64:
        return doubles.float64();
      case KIND.bigint:
        memory.bigint += bigints.bigZigzag();
        if (memory.bigint < BIGINT_MIN || memory.bigint > BIGINT_MAX)
          throw new DamagedBytes("an integer is longer than 64 bits");
        return memory.bigint;
      case KIND.utf8:
        return Buffer.from(texts.blob()).toString("utf8");
      case KIND.utf16:
        return Buffer.from(texts.blob()).toString("utf16le");
      default: {
        if (kind > KIND_MAX) throw new DamagedBytes("a kind of value is not known");
        const decimals = decimalsOf(kind);
        remember(memory, inUnits(memory, decimals) + wholes.zigzag(), decimals);
        return memory.whole / (POWERS[decimals] ?? 1);
      }
    }
  };
  const values: Value[] = [];
  const readBefore = new Set<number>();
  for (const [i, key] of keys.entries()) {
    const memory = memoryOf(memories, key);
    memory.mark ^= marks.byte();
    values.push(read(memory, memory.mark & KIND_MASK));
    if ((memory.mark & READ_BEFORE) !== 0) readBefore.add(i);
  }
  const left = [marks, wholes, ...floats, doubles, bigints, texts].some((reader) => reader.remaining() > 0);
  if (left) throw new DamagedBytes("bytes are left over");
  return { values, readBefore };
}

function memoryOf(memories: Map<number, Memory>, key: number): Memory {
  let memory = memories.get(key);
  if (memory === undefined) {
    memory = { mark: 0, whole: 0, decimals: 0, float32: 0, bigint: 0n };
    memories.set(key, memory);
  }
  return memory;
}

/** @param last the kind of the tag's last value: where it can tell this one too, it stays */
function kindOf(value: Value, last: number): number {
  switch (typeof value) {
    case "boolean":
      return value ? KIND.true : KIND.false;
    case "bigint":
      return KIND.bigint;
    case "string":
      return Buffer.from(value).toString() === value ? KIND.utf8 : KIND.utf16;
    case "number":
      return kindOfNumber(value, last);
    default:
      return KIND.null;
  }
}

function kindOfNumber(value: number, last: number): number {
  if (!Number.isFinite(value) || Object.is(value, -0)) return KIND.float64;
  const isFloat32 = Math.fround(value) === value;
  if (last === KIND.float32 && isFloat32) return last;
  if (last >= KIND.decimal && isTold(value, decimalsOf(last))) return last;
  if (isTold(value, 0)) return KIND.integer;
  if (isFloat32) return KIND.float32;
  for (let decimals = 1; decimals <= DECIMALS_MAX; decimals++) {
    if (isTold(value, decimals)) return KIND.decimal + decimals - 1;
  }
  return KIND.float64;
}

function isTold(value: number, decimals: number): boolean {
  const whole = wholeOf(value, decimals);
  return Math.abs(whole) < MAX_DELTA_INTEGER && whole / (POWERS[decimals] ?? 1) === value;
}

function wholeOf(value: number, decimals: number): number {
  return Math.round(value * (POWERS[decimals] ?? 1));
}

function decimalsOf(kind: number): number {
  return kind < KIND.decimal ? 0 : kind - KIND.decimal + 1;
}

/** The last whole number of the tag, in the units of this one; 0 where it was in others. */
function inUnits(memory: Memory, decimals: number): number {
  return memory.decimals === decimals ? memory.whole : 0;
}

function remember(memory: Memory, whole: number, decimals: number): void {
  memory.whole = whole;
  memory.decimals = decimals;
}

const BITS = new DataView(new ArrayBuffer(4));

/** The bits of a float32 as a whole number that rises with it. */
function orderedOf(value: number): number {
  BITS.setFloat32(0, value);
  const bits = BITS.getInt32(0);
  return bits >= 0 ? bits : -(bits & 0x7fffffff);
}

function floatOf(ordered: number): number {
  if (Math.abs(ordered) > 0x7fffffff) throw new DamagedBytes("a float32 is longer than 32 bits");
  BITS.setInt32(0, ordered >= 0 ? ordered : -ordered | 0x80000000);
  return BITS.getFloat32(0);
}

type Planes = readonly [ByteWriter, ByteWriter, ByteWriter];

function writePlanes([low, middle, high]: Planes, difference: number): void {
  const zigzag = difference < 0 ? -2 * difference - 1 : 2 * difference;
  low.byte(zigzag % 0x100);
  middle.byte(Math.floor(zigzag / 0x100) % 0x100);
  high.varint(Math.floor(zigzag / 0x10000));
}

function readPlanes([low, middle, high]: readonly [ByteReader, ByteReader, ByteReader]): number {
  const zigzag = low.byte() + middle.byte() * 0x100 + high.varint() * 0x10000;
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
}
