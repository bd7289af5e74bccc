import type { Status } from "../core/quality.ts";
import type { Tag, Value } from "../core/tag.ts";

/** Whether a value is a number that no number line holds. It has no place on any wire. */
export function isNotANumber(value: Value): boolean {
  return typeof value === "number" && !Number.isFinite(value);
}

/** The status of a read in the light of the tag's engineering range. Only what is Good can lose by it. */
export function statusInRange(tag: Tag, value: Value, status: Status): Status {
  if (status !== "Good" || (typeof value !== "number" && typeof value !== "bigint")) return status;
  const below = tag.min !== undefined && value < tag.min;
  const above = tag.max !== undefined && value > tag.max;
  return below || above ? "UncertainEngineeringUnitsExceeded" : "Good";
}
