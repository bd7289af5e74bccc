/** What the keys of a tag must be to each other, and what follows from them. Pure. */
import type { ValueType } from "../core/tag.ts";
import type { RegisterRange, RegisterTable, RegisterType } from "./config.ts";
import { DEFAULTS, LIMITS } from "./defaults.ts";
import type { Draft } from "./draft.ts";
import { isBitTable, type RegisterAddress, registerNumber, wireAddress } from "./register-number.ts";
import { LOCATION_KEYS, type TagSection } from "./tag-schema.ts";
import { durationText, quantityOf, type TypeSpec } from "./values.ts";

export type TagDraft = Draft<TagSection>;
type TagKey = keyof TagSection;

export interface TagMistake {
  /** Empty: the tag as a whole. */
  readonly key: TagKey | "";
  readonly wrong: string;
  readonly remedy: string;
}

/** What a tag is judged by beside its own keys. */
export interface TagSurroundings {
  /** The key stands in the file, well formed or not. */
  readonly written: (key: TagKey) => boolean;
  /** The scan rate of the tag's device. */
  readonly scanRateMs: number;
  readonly maxQuantity: number;
  readonly unreadable: readonly RegisterRange[];
}

type Rule = (tag: TagDraft, around: TagSurroundings) => (TagMistake | undefined)[];

/** Where the value is held; undefined unless exactly one place is given. */
export function locationOf(tag: Pick<TagDraft, (typeof LOCATION_KEYS)[number]>): RegisterAddress | undefined {
  let found: RegisterAddress | undefined;
  for (const key of LOCATION_KEYS) {
    const given = tag[key];
    const table = key === "register" ? undefined : key;
    const at = typeof given === "number" ? table && { table, address: given } : given;
    if (at !== undefined && found !== undefined) return undefined;
    found ??= at;
  }
  return found;
}

/** The type of what the registers hold. A bit is cut out of a register of 16. */
export function rawTypeOf(tag: TagDraft, table: RegisterTable): TypeSpec {
  if (isBitTable(table)) return { type: "bool" };
  if (tag.bit !== undefined) return { type: "uint16" };
  const { type = DEFAULTS.registerType, lengthBytes } = tag.type ?? {};
  return lengthBytes === undefined ? { type } : { type, lengthBytes };
}

/** The type of the value on its way out. */
export function valueTypeOf(tag: TagDraft, raw: RegisterType): ValueType {
  if (tag.bit !== undefined) return "bool";
  if (tag.scale !== undefined || tag.offset !== undefined || tag.scaleFrom !== undefined) return "float64";
  if (raw === "bcd16") return "uint16";
  return raw === "bcd32" ? "uint32" : raw;
}

/** Types whose raw values follow each other. */
const COUNTING = /^u?int/;

/** The marks as a range; of a single one there is only the beginning. */
export function markRange(mark: NonNullable<TagDraft["notAvailable"]>): Draft<{ from: RawMark; to: RawMark }> {
  return typeof mark === "object" ? mark : { from: mark };
}

type RawMark = number | bigint;

/** The raw value that means "none", in the type's own range: 0x8000 of an int16 is -32768. Undefined: it cannot occur. */
export function rawMark(mark: RawMark, type: RegisterType): RawMark | undefined {
  if (type === "float32") return Math.fround(Number(mark));
  if (type === "float64") return Number(mark);
  const bits = INTEGER_BITS[type];
  if (bits === undefined || (typeof mark === "number" && !Number.isInteger(mark))) return undefined;
  const whole = BigInt(mark);
  const signed = type.startsWith("int");
  const lowest = signed ? -(2n ** BigInt(bits - 1)) : 0n;
  if (whole < lowest || whole >= 2n ** BigInt(bits)) return undefined;
  const value = signed ? BigInt.asIntN(bits, whole) : whole;
  return bits === 64 ? value : Number(value);
}

/** `stale` of a tag that does not say: the longer of 5 s and three scans. */
export function staleDefaultMs(scanRateMs: number): number {
  return Math.max(DEFAULTS.staleMinMs, DEFAULTS.staleScans * scanRateMs);
}

/** Everything that is wrong with the tag as a whole. */
export function tagMistakes(tag: TagDraft, around: TagSurroundings): TagMistake[] {
  return RULES.flatMap((rule) => rule(tag, around)).filter((mistake) => mistake !== undefined);
}

const INTEGER_BITS: Readonly<Partial<Record<RegisterType, number>>> = {
  int16: 16,
  uint16: 16,
  bcd16: 16,
  int32: 32,
  uint32: 32,
  bcd32: 32,
  int64: 64,
  uint64: 64,
};

function mistakeIf(wrong: boolean, key: TagKey | "", text: string, remedy: string): TagMistake | undefined {
  return wrong ? { key, wrong: text, remedy } : undefined;
}

const onePlace: Rule = (_tag, around) => {
  const places = LOCATION_KEYS.filter(around.written);
  return [
    mistakeIf(places.length === 0, "", "has no address", "add one, as register: 40101 or holdingRegister: 100"),
    ...places
      .slice(1)
      .map((key) => mistakeIf(true, key, `the address is given as ${places[0]}, too`, "keep one of them")),
  ];
};

const typeFitsTable: Rule = (tag) => {
  const at = locationOf(tag);
  if (at === undefined) return [];
  const type = tag.type?.type;
  if (isBitTable(at.table)) {
    return [
      mistakeIf(type !== undefined && type !== "bool", "type", `a ${at.table} is one bit`, "remove the type"),
      mistakeIf(tag.bit !== undefined, "bit", `a ${at.table} is one bit already`, "remove bit"),
      mistakeIf(tag.byteOrder !== undefined, "byteOrder", `a ${at.table} has no bytes`, "remove byteOrder"),
    ];
  }
  const oneRegister = type === undefined || type === "bool" || type === "uint16" || type === "int16";
  return [
    mistakeIf(
      tag.bit !== undefined && !oneRegister,
      "bit",
      `a bit cannot be cut out of a ${type}`,
      "name the one register that the bit is in, without a type",
    ),
  ];
};

const addressFits: Rule = (tag, { maxQuantity, unreadable }) => {
  const at = locationOf(tag);
  if (at === undefined) return [];
  const quantity = quantityOf(at.table, rawTypeOf(tag, at.table));
  const last = at.address + quantity - 1;
  const scale = scaleLocation(tag.scaleFrom) ?? at;
  // The registers of a tag are read in one request, with that of its scale.
  const from = Math.min(at.address, scale.address);
  const to = Math.max(last, scale.address);
  const blocked = unreadable.some((range) => range.table === at.table && range.from <= to && range.to >= from);
  return [
    mistakeIf(
      last > LIMITS.address.max,
      "",
      `${quantity} registers from ${wireAddress(at)} (${registerNumber(at)}) end behind ${LIMITS.address.max}`,
      "mend the address or the type",
    ),
    mistakeIf(
      quantity > maxQuantity,
      "type",
      `takes ${quantity} registers, and the device gives ${maxQuantity} in one request`,
      tag.type?.type === "string" ? "shorten the string, or raise maxQuantity" : "raise maxQuantity, or mend the type",
    ),
    mistakeIf(
      quantity <= maxQuantity && to - from >= maxQuantity,
      "scaleFrom",
      `lies so far off that one request of ${maxQuantity} registers cannot hold both`,
      "mend the address, or use scale",
    ),
    mistakeIf(
      blocked,
      "",
      `${wireAddress(at)} (${registerNumber(at)}) lies in what the device lists as unreadable`,
      "remove the tag, or mend unreadable",
    ),
  ];
};

const NUMERIC_KEYS = ["scale", "offset", "scaleFrom", "min", "max", "deadband", "notAvailable"] as const;

const numbersOnly: Rule = (tag) => {
  const at = locationOf(tag);
  if (at === undefined) return [];
  const raw = rawTypeOf(tag, at.table).type;
  const held = tag.bit === undefined ? raw : "bool";
  if (held !== "bool" && held !== "string") return [];
  return NUMERIC_KEYS.map((key) =>
    mistakeIf(
      // The mark is of the whole register: without it all bits of "not available" would read true.
      tag[key] !== undefined && !(key === "notAvailable" && tag.bit !== undefined),
      key,
      `means nothing for a ${held}`,
      `remove it${held === "bool" ? "" : ", or mend the type"}`,
    ),
  );
};

const scaling: Rule = (tag) => {
  const at = locationOf(tag);
  const from = scaleLocation(tag.scaleFrom);
  const places = Object.values(tag.scaleFrom ?? {}).filter((value) => value !== undefined).length;
  return [
    mistakeIf(tag.scale === 0, "scale", "a scale of 0 makes every value 0", "remove it, or write the factor"),
    mistakeIf(from === undefined && places > 1, "scaleFrom", "names more than one register", "keep one of them"),
    mistakeIf(
      at !== undefined && from !== undefined && from.table !== at.table,
      "scaleFrom",
      `lies among ${from?.table}s, and one request reads only the tag's ${at?.table}s`,
      "name a register of the same table",
    ),
  ];
};

/** The register that holds the exponent; undefined where none, or more than one, is named. */
export function scaleLocation(from: TagDraft["scaleFrom"]): RegisterAddress | undefined {
  if (from === undefined) return undefined;
  return "table" in from ? from : locationOf(from);
}

const range: Rule = ({ min, max, deadband }, { written }) => [
  mistakeIf(
    min !== undefined && max !== undefined && min >= max,
    "max",
    `${max} is not above min ${min}`,
    "exchange or mend them",
  ),
  mistakeIf(
    deadband !== undefined && "percent" in deadband && !(written("min") && written("max")),
    "deadband",
    "a share in % needs the range it is a share of",
    "add min and max, or write the deadband in the tag's units",
  ),
];

const marks: Rule = (tag) => {
  const at = locationOf(tag);
  if (at === undefined || tag.notAvailable === undefined) return [];
  const { type } = rawTypeOf(tag, at.table);
  if (type === "bool" || type === "string") return [];
  const { from, to } = markRange(tag.notAvailable);
  const ends = [from, to].filter((end) => end !== undefined);
  const first = from === undefined ? undefined : rawMark(from, type);
  const last = to === undefined ? undefined : rawMark(to, type);
  return [
    ...ends.map((end) =>
      mistakeIf(
        rawMark(end, type) === undefined,
        "notAvailable",
        `${end} never stands in a ${type}`,
        "write the register's own number, before scale and offset",
      ),
    ),
    mistakeIf(
      to !== undefined && !COUNTING.test(type),
      "notAvailable",
      `a ${type} has no range of marks`,
      "write one raw value",
    ),
    mistakeIf(
      first !== undefined && last !== undefined && last <= first,
      "notAvailable",
      `its end ${to} is not above ${from}`,
      "write the lower one first",
    ),
  ];
};

const names: Rule = (tag) => {
  const at = locationOf(tag);
  if (at === undefined || tag.enum === undefined) return [];
  const type = valueTypeOf(tag, rawTypeOf(tag, at.table).type);
  // `01` names the number 1.
  const numbers = Object.keys(tag.enum).map((number) => String(BigInt(number)));
  const twice = numbers.find((number, i) => numbers.indexOf(number) < i);
  const odd = numbers.find((number) => number !== "0" && number !== "1");
  return [
    mistakeIf(
      type === "string" || type.startsWith("float"),
      "enum",
      `a ${type} has no whole numbers to name`,
      "remove it, or scale and offset",
    ),
    mistakeIf(twice !== undefined, "enum", `names the number ${twice} twice`, "keep one of the two names"),
    mistakeIf(type === "bool" && odd !== undefined, "enum", `a bool is never ${odd}`, "name 0 and 1 only"),
  ];
};

const paging: Rule = ({ writeFirst, writable }) => [
  mistakeIf(
    writeFirst !== undefined && writable !== undefined && writable !== false,
    "writable",
    "a tag with writeFirst is read only",
    "remove one of them",
  ),
];

const writing: Rule = (tag) => {
  const { writable } = tag;
  const wanted = writable !== undefined && writable !== false;
  const at = locationOf(tag);
  const limits = typeof writable === "object" ? writable : {};
  const held = at === undefined ? undefined : valueTypeOf(tag, rawTypeOf(tag, at.table).type);
  return [
    mistakeIf(
      wanted && at !== undefined && at.table !== "coil" && at.table !== "holdingRegister",
      "writable",
      `Modbus cannot write to ${at?.table}s`,
      "remove it, or mend the address",
    ),
    mistakeIf(wanted && tag.bit !== undefined, "writable", "a single bit of a register cannot be written", "remove it"),
    mistakeIf(
      wanted && tag.scaleFrom !== undefined,
      "writable",
      "what its scale register says may change before a write",
      "remove it, or use scale",
    ),
    mistakeIf(
      (limits.min !== undefined || limits.max !== undefined) && (held === "bool" || held === "string"),
      "writable",
      `limits mean nothing for a ${held}`,
      "write true",
    ),
    mistakeIf(
      limits.min !== undefined && limits.max !== undefined && limits.min > limits.max,
      "writable",
      `its max ${limits.max} is below its min ${limits.min}`,
      "exchange or mend them",
    ),
    mistakeIf(
      tag.unsigned === true && !wanted,
      "unsigned",
      "means nothing where nothing is writable",
      "remove it, or add writable",
    ),
  ];
};

const times: Rule = ({ scanRate, stale }, around) => {
  const scanRateMs = scanRate ?? around.scanRateMs;
  return [
    mistakeIf(
      stale !== undefined && stale < scanRateMs,
      "stale",
      `${durationText(stale ?? 0)} is shorter than the scan rate of ${durationText(scanRateMs)}, so the value is always old`,
      `write ${durationText(DEFAULTS.staleScans * scanRateMs)} or more`,
    ),
  ];
};

const RULES: readonly Rule[] = [
  onePlace,
  typeFitsTable,
  addressFits,
  numbersOnly,
  scaling,
  range,
  marks,
  names,
  writing,
  paging,
  times,
];
