/** Values as a plant might have them, for want of the plant: seeded, so that two estimates of one file are the same. */
import type { RegisterTag } from "../../config/config.ts";
import { type Random, seededRandom } from "../../core/random.ts";
import { INTEGER_RANGES, type Tag, type Value } from "../../core/tag.ts";

const SEED = 1;
/** How far a value moves from one look to the next, of its range. */
const STEP_SHARE = 0.01;
/** What registers hold where nothing says how much: as much as four digits, or six where there are more bits. */
const SHORT_MAX = 10_000;
const LONG_MAX = 1_000_000;
const FLOAT_MAX = 1_000;
const OWN_MAX = 100_000;
const TEXT_CHARS = 16;
/** What a register of its own scales by, as a rule: where it stands nowhere else. */
const SCALE_FROM = 0.1;
/** A number of decimal places, as the codec makes it. */
const DIGITS = 12;

interface Range {
  readonly min: number;
  readonly max: number;
}

export class MadeValues {
  readonly #random: Random = seededRandom(SEED);
  readonly #last = new Map<string, number>();

  /** Another value than the last one of this tag, where its range holds another. */
  next(tag: Tag): Value {
    switch (tag.type) {
      case "bool":
        return this.#count(tag) % 2 === 1;
      case "string":
        return this.#text(tag);
      case "int64":
      case "uint64":
        return BigInt(LONG_MAX) + BigInt(this.#count(tag));
      default:
        return this.#number(tag);
    }
  }

  #count({ id }: Tag): number {
    const count = (this.#last.get(id) ?? 0) + 1;
    this.#last.set(id, count);
    return count;
  }

  #text(tag: Tag): string {
    const length = (isRegisterTag(tag) ? tag.register.lengthBytes : undefined) ?? TEXT_CHARS;
    return String(this.#count(tag)).padStart(length, "x").slice(-length);
  }

  /** It wanders, by more than its deadband, and turns back at the ends of its range. */
  #number(tag: Tag): number {
    const { min, max } = rangeOf(tag);
    const before = this.#last.get(tag.id) ?? (min + max) / 2;
    const least = Math.max((max - min) * STEP_SHARE, tag.deadband * 2, resolutionOf(tag) * 2);
    const step = least * (0.5 + this.#random.next());
    const way = this.#random.next() < 0.5 ? -step : step;
    const level = before + way < min || before + way > max ? before - way : before + way;
    const inRange = Math.min(max, Math.max(min, level));
    // A range of few values may hold the last one only on either side.
    const isSame = inTypeOf(tag, inRange) === inTypeOf(tag, before);
    const next = isSame ? (before - min > max - before ? min : max) : inRange;
    this.#last.set(tag.id, next);
    return inTypeOf(tag, next);
  }
}

function isRegisterTag(tag: Tag): tag is RegisterTag {
  return "register" in tag;
}

/** In engineering units; limits that the file names go before what registers may hold. */
function rangeOf(tag: Tag): Range {
  const likely = likelyRange(tag);
  const min = tag.min ?? Math.min(likely.min, tag.max ?? likely.min);
  const max = tag.max ?? Math.max(likely.max, min + (likely.max - likely.min));
  return { min, max };
}

function likelyRange(tag: Tag): Range {
  if (!isRegisterTag(tag)) return { min: 0, max: OWN_MAX };
  const { offset = 0, register } = tag;
  const raw = rawMax(register.type);
  const [min, max] = [offset, raw * (scaleOf(tag) ?? 1) + offset].toSorted((a, b) => a - b);
  return { min: min ?? 0, max: max ?? raw };
}

function scaleOf({ scale, scaleFrom }: RegisterTag): number | undefined {
  return scale ?? (scaleFrom === undefined ? undefined : SCALE_FROM);
}

function rawMax(type: RegisterTag["register"]["type"]): number {
  if (type === "float32" || type === "float64") return FLOAT_MAX;
  return type.endsWith("16") ? SHORT_MAX : LONG_MAX;
}

function inTypeOf(tag: Tag, value: number): number {
  if (tag.type === "float32") return Math.fround(value);
  const resolution = resolutionOf(tag);
  return resolution === 0 ? value : Number((Math.round(value / resolution) * resolution).toPrecision(DIGITS));
}

/** Between two values that differ; 0: any are told apart. */
function resolutionOf(tag: Tag): number {
  if (tag.type === "float32") return 0;
  if (INTEGER_RANGES[tag.type] !== undefined || !isRegisterTag(tag)) return 1;
  return Math.abs(scaleOf(tag) ?? 0);
}
