/** A value as a command gives it, to one of the tag's type. Pure. */
import { INTEGER_RANGES, type Value, type ValueType } from "../../core/tag.ts";
import type { GivenValue } from "./arrival.ts";

export type Held = { readonly value: NonNullable<Value> } | { readonly wrong: string };

const WHOLE = /^-?\d{1,20}$/;

export function givenOf(v: GivenValue, type: ValueType): Held {
  switch (type) {
    case "bool":
      return typeof v === "boolean" ? { value: v } : wrong(v, "true or false");
    case "string":
      return typeof v === "string" ? { value: v } : wrong(v, "a text");
    case "float32":
      return floatOf(v, Math.fround(Number(v)));
    case "float64":
      return floatOf(v, Number(v));
    default:
      return wholeOf(v, type);
  }
}

function floatOf(v: GivenValue, held: number): Held {
  const isNumber = typeof v === "number" && Number.isFinite(v);
  return isNumber && Number.isFinite(held) ? { value: held } : wrong(v, "a number that the type can hold");
}

function wholeOf(v: GivenValue, type: ValueType): Held {
  const whole = bigintOf(v);
  const [min, max] = INTEGER_RANGES[type] ?? [1n, 0n];
  if (whole === undefined) return wrong(v, "a whole number; one beyond 2^53 is written as a text");
  if (whole < min || whole > max) return wrong(v, `a number from ${min} to ${max}`);
  return { value: type === "int64" || type === "uint64" ? whole : Number(whole) };
}

function bigintOf(v: GivenValue): bigint | undefined {
  if (typeof v === "bigint") return v;
  if (typeof v === "number") return Number.isSafeInteger(v) ? BigInt(v) : undefined;
  return typeof v === "string" && WHOLE.test(v) ? BigInt(v) : undefined;
}

function wrong(v: GivenValue, what: string): Held {
  return { wrong: `${JSON.stringify(typeof v === "bigint" ? String(v) : v)} is not ${what}` };
}
