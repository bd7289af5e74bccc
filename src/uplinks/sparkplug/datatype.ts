/** Datatypes (Sparkplug 3.0, 6.4.16) and the field of the payload that each travels in. */
import { INTEGER_RANGES, type Value, type ValueType } from "../../core/tag.ts";
import type { WireValue } from "./payload.ts";

export const DATATYPE = {
  int16: 2,
  int32: 3,
  int64: 4,
  uint16: 6,
  uint32: 7,
  uint64: 8,
  float32: 9,
  float64: 10,
  bool: 11,
  string: 12,
} as const satisfies Record<ValueType, number>;

/** The value as this type; undefined where there is none, or where the type cannot hold it without a change. */
export function wireValueOf(value: Value, type: ValueType): WireValue | undefined {
  switch (typeof value) {
    case "boolean":
      return type === "bool" ? { field: "boolean", value } : undefined;
    case "string":
      return type === "string" ? { field: "string", value } : undefined;
    case "number":
    case "bigint":
      return wireNumber(value, type);
    default:
      return undefined;
  }
}

function wireNumber(value: number | bigint, type: ValueType): WireValue | undefined {
  const range = INTEGER_RANGES[type];
  if (range !== undefined) return wireInteger(value, type, range);
  if (type !== "float32" && type !== "float64") return undefined;
  const double = Number(value);
  if (!Number.isFinite(double) || (typeof value === "bigint" && BigInt(double) !== value)) return undefined;
  return type === "float64" ? { field: "double", value: double } : wireFloat(double);
}

/** What a device sent as float32 is one; what does not fit is infinite as one. */
function wireFloat(value: number): WireValue | undefined {
  return Number.isFinite(Math.fround(value)) ? { field: "float", value } : undefined;
}

function wireInteger(
  value: number | bigint,
  type: ValueType,
  [min, max]: readonly [bigint, bigint],
): WireValue | undefined {
  if (typeof value === "number" && !Number.isInteger(value)) return undefined;
  const whole = BigInt(value);
  if (whole < min || whole > max) return undefined;
  if (type === "int64" || type === "uint64") return { field: "long", value: whole };
  return { field: "int", value: Number(whole) };
}
