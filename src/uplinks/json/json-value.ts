import type { Value, ValueType } from "../../core/tag.ts";

/** Integers up to here are exact in every JSON reader; larger ones travel as a string. */
const EXACT_INTEGER_MAX = 2n ** 53n;

/** Below this every whole float32 is exact, and its decimal digits are the shortest that tell it. */
export const FLOAT32_EXACT_MAX = 2 ** 24;

/** Below this a float32 has fewer bits than 24. */
const FLOAT32_NORMAL_MIN = 2 ** -126;

/** Any decimal of so many digits comes back from a normal float32, so none shorter needs to be tried. */
export const FLOAT32_DIGITS_SURE = 6;

/** Decimal digits that tell any float32. */
export const FLOAT32_DIGITS_MAX = 9;

/** A value as JSON text: no digit more than its type holds, none less than tells it. */
export function jsonOfValue(value: Value, type: ValueType): string {
  switch (typeof value) {
    case "number":
      return jsonOfNumber(type === "float32" ? decimalOfFloat32(value) : value);
    case "bigint":
      return value > EXACT_INTEGER_MAX || value < -EXACT_INTEGER_MAX ? `"${value}"` : `${value}`;
    case "string":
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    default:
      return "null";
  }
}

/** JSON has no word for infinity or NaN, and JSON.stringify forgets the sign of zero. */
function jsonOfNumber(value: number): string {
  if (!Number.isFinite(value)) return "null";
  return Object.is(value, -0) ? "-0" : String(value);
}

/** The number whose decimal text is the shortest that still reads as this float32: 0.1, not 0.10000000149011612. */
export function decimalOfFloat32(value: number): number {
  const float32 = Math.fround(value);
  if (!Number.isFinite(float32)) return float32;
  if (Number.isInteger(float32) && Math.abs(float32) <= FLOAT32_EXACT_MAX) return float32;
  const first = Math.abs(float32) < FLOAT32_NORMAL_MIN ? 1 : FLOAT32_DIGITS_SURE;
  for (let digits = first; digits < FLOAT32_DIGITS_MAX; digits++) {
    const decimal = Number(float32.toPrecision(digits));
    if (Math.fround(decimal) === float32) return decimal;
  }
  return Number(float32.toPrecision(FLOAT32_DIGITS_MAX));
}
