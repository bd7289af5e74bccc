/** Tags: the named points inside the gateway. A tag's id is `device/name`. */

/**
 * One value. 64-bit integers are bigint, always; everything else numeric is number.
 * `null` means that there is no value to show.
 */
export type Value = boolean | number | bigint | string | null;

/** Type of a value on its way out. A tag with scale or offset is float64 here, whatever its registers hold. */
export type ValueType =
  | "bool"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float32"
  | "float64"
  | "string";

/** What the integer types hold; no other type has an entry. */
export const INTEGER_RANGES: Readonly<Partial<Record<ValueType, readonly [min: bigint, max: bigint]>>> = {
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** The value types in a fixed order, for codecs that store an index. Append only. */
export const VALUE_TYPES: readonly ValueType[] = Object.freeze([
  "bool",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "string",
]);

export type Priority = "low" | "normal" | "high";

/** Lowest first: the order in which stored samples are given up at a limit. Append only. */
export const PRIORITIES: readonly Priority[] = Object.freeze(["low", "normal", "high"]);

/** What a stored sample still knows of its tag, also when the tag is no longer configured. */
export interface TagRef {
  /** `device/name`, unique without regard to case. */
  readonly id: string;
  readonly device: string;
  readonly name: string;
  readonly type: ValueType;
  readonly priority: Priority;
}

/** A configured tag, with all defaults filled in. */
export interface Tag extends TagRef {
  readonly units?: string;
  /** Engineering range; outside it a value is UncertainEngineeringUnitsExceeded. */
  readonly min?: number;
  readonly max?: number;
  /** Names of whole numbers, by the number as text. The value itself stays the number. */
  readonly enum?: Readonly<Record<string, string>>;
  /** Absolute, in engineering units; 0 reports every change. */
  readonly deadband: number;
  readonly scanRateMs: number;
  /** Without a good read for this long the value is told as old. */
  readonly staleMs: number;
  /** A value that does not change is reported again after this long. */
  readonly maxIntervalMs: number;
  readonly writable: boolean;
  /** False: never read, BadOutOfService. */
  readonly enabled: boolean;
}

/** The name of a value of the tag; undefined where it has none, as for a number that nobody foresaw. */
export function nameOfValue({ enum: names }: Pick<Tag, "enum">, value: Value): string | undefined {
  if (names === undefined || value === null) return undefined;
  const number = String(typeof value === "boolean" ? Number(value) : value);
  return Object.hasOwn(names, number) ? names[number] : undefined;
}

export function tagId(device: string, name: string): string {
  return `${device}/${name}`;
}
