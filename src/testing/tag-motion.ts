/** How the values of simulated devices move: slowly, each in its own rhythm, within what the tag and its registers hold. */
import type { RegisterTag } from "../config/config.ts";
import { type RawValue, rawLimits } from "./register-words.ts";

type Span = readonly [low: number, high: number];

/** What people expect to see, by units; anything else is read as a share of its own range. */
const USUAL: Readonly<Record<string, Span>> = {
  V: [226, 234],
  A: [3, 17],
  mA: [5, 18],
  W: [600, 4_800],
  kW: [6, 48],
  VA: [700, 5_000],
  kVA: [7, 50],
  var: [100, 900],
  kvar: [1, 9],
  Hz: [49.95, 50.05],
  "%": [35, 75],
  "°C": [18, 27],
  bar: [2.5, 5.5],
  rpm: [1_440, 1_490],
};
const UNKNOWN_UNITS: Span = [10, 90];

/** Meters count upwards: from here, by one a minute. */
const COUNTED = new Set(["Wh", "kWh", "MWh", "varh", "kvarh", "VAh", "kVAh", "m3", "m³", "l", "h"]);
const COUNT_FROM = 1_000;
const COUNT_EVERY_MS = 60_000;
const COUNT_SPAN = 9_000;

/** Shares of a range that a value stays within, where no units say better. */
const INNER: Span = [0.2, 0.8];
const PERIOD_MIN_MS = 40_000;
const PERIODS = 7;
const PERIOD_STEP_MS = 11_000;
/** A switch, or a state with a name, stays as it is for a third of a period. */
const STATES_A_PERIOD = 3;

const UNSCALED = 0;

/** What stands in the tag's registers after so long, before scale and offset; of a bit and a coil 0 or 1. */
export function rawAfter(tag: RegisterTag, elapsedMs: number, exponent = UNSCALED): RawValue {
  const { type, lengthBytes = 0, table, bit } = tag.register;
  const turns = turnsOf(tag.id, elapsedMs);
  if (type === "string") return `sim ${tag.name}`.slice(0, lengthBytes);
  if (type === "bool" || bit !== undefined || table === "coil" || table === "discreteInput") {
    return Math.floor(turns * STATES_A_PERIOD) % 2;
  }
  const named = Object.keys(tag.enum ?? {});
  if (named.length > 0) return Number(named[Math.floor(turns * STATES_A_PERIOD) % named.length]);
  const factor = (tag.scale ?? 1) * 10 ** exponent;
  const raw = (engineeringValue(tag, turns, elapsedMs) - (tag.offset ?? 0)) / factor;
  return storable(tag, raw, factor);
}

/** The largest value that a tag may come to, so that a scale register can be chosen for it. */
export function highestOf(tag: RegisterTag): number {
  return isCounted(tag) ? Math.min(tag.max ?? Number.POSITIVE_INFINITY, COUNT_FROM + COUNT_SPAN) : spanOf(tag)[1];
}

function isCounted({ units = "" }: RegisterTag): boolean {
  return COUNTED.has(units);
}

function engineeringValue(tag: RegisterTag, turns: number, elapsedMs: number): number {
  if (isCounted(tag)) {
    const counted = COUNT_FROM + ((elapsedMs / COUNT_EVERY_MS) % COUNT_SPAN);
    return Math.min(tag.max ?? counted, Math.max(tag.min ?? counted, counted));
  }
  const [low, high] = spanOf(tag);
  return low + ((high - low) * (1 + Math.sin(2 * Math.PI * turns))) / 2;
}

/** What is usual for the units, as far as the tag's limits allow it. */
function spanOf({ units = "", min, max }: RegisterTag): Span {
  const usual = Object.hasOwn(USUAL, units) ? USUAL[units] : undefined;
  const [low, high] = usual ?? inside(min, max) ?? UNKNOWN_UNITS;
  const within: Span = [Math.max(low, min ?? low), Math.min(high, max ?? high)];
  return within[0] <= within[1] ? within : (inside(min, max) ?? clamped(min ?? max ?? 0));
}

function inside(min: number | undefined, max: number | undefined): Span | undefined {
  if (min === undefined || max === undefined) return undefined;
  return [min + (max - min) * INNER[0], min + (max - min) * INNER[1]];
}

function clamped(value: number): Span {
  return [value, value];
}

/** Whole, where the registers hold whole numbers; within the tag's limits and the type's; never the mark of no value. */
function storable(tag: RegisterTag, raw: number, factor: number): RawValue {
  const { type } = tag.register;
  const limits = rawLimits(type);
  if (limits === undefined) return raw;
  const [low, high] = [tag.min, tag.max].map((limit) =>
    limit === undefined ? undefined : (limit - (tag.offset ?? 0)) / factor,
  );
  const [from, to] = factor > 0 ? [low, high] : [high, low];
  const least = Math.max(limits[0], Math.ceil(from ?? limits[0]));
  const most = Math.min(limits[1], Math.floor(to ?? limits[1]));
  const whole = Math.max(least, Math.min(most, Math.round(raw)));
  const free = isMark(tag, whole) ? (whole < most ? whole + 1 : whole - 1) : whole;
  return type.endsWith("64") ? BigInt(free) : free;
}

/** The mark of no value is a bit pattern, written signed or unsigned. */
function isMark({ notAvailable, register }: RegisterTag, whole: number): boolean {
  if (notAvailable === undefined || !Number.isInteger(Number(notAvailable))) return false;
  const bits = Number(/\d+$/.exec(register.type)?.[0] ?? 0);
  return BigInt.asUintN(bits, BigInt(notAvailable)) === BigInt.asUintN(bits, BigInt(whole));
}

/** Periods that have passed, each tag with a rhythm and a beginning of its own. */
function turnsOf(id: string, elapsedMs: number): number {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) >>> 0;
  return elapsedMs / (PERIOD_MIN_MS + (hash % PERIODS) * PERIOD_STEP_MS) + (hash % 1_000) / 1_000;
}
