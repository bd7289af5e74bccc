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
  if (type === "float64" || type === "float32") return wireFloating(value, type);
  const range = INTEGER_RANGES[type];
  if (range === undefined || (typeof value === "number" && !Number.isInteger(value))) return undefined;
  if (typeof value === "bigint" || isLong(type)) return wireInteger(BigInt(value), type, range);
  // Without a detour over bigint, which costs more than all the rest of a sample.
  return value < Number(range[0]) || value > Number(range[1]) ? undefined : { field: "int", value };
}

/** What a device sent as float32 is one; what does not fit is infinite as one. */
function wireFloating(value: number | bigint, type: "float32" | "float64"): WireValue | undefined {
  const double = Number(value);
  if (typeof value === "bigint" && (!Number.isFinite(double) || BigInt(double) !== value)) return undefined;
  if (type === "float64") return Number.isFinite(double) ? { field: "double", value: double } : undefined;
  return Number.isFinite(Math.fround(double)) ? { field: "float", value: double } : undefined;
}

function wireInteger(whole: bigint, type: ValueType, [min, max]: readonly [bigint, bigint]): WireValue | undefined {
  if (whole < min || whole > max) return undefined;
  return isLong(type) ? { field: "long", value: whole } : { field: "int", value: Number(whole) };
}

function isLong(type: ValueType): boolean {
  return type === "int64" || type === "uint64";
}
