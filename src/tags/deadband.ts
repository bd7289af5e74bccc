import type { Value } from "../core/tag.ts";

/**
 * Whether a value lies so far from the last reported one that it must be reported itself. A move of exactly the
 * deadband is still within it. Values that are no numbers have no distance: every change counts.
 */
export function beyondDeadband(reported: Value, read: Value, deadband: number): boolean {
  if (typeof reported === "number" && typeof read === "number") return Math.abs(read - reported) > deadband;
  if (typeof reported === "bigint" && typeof read === "bigint") {
    return (read > reported ? read - reported : reported - read) > deadband;
  }
  return read !== reported;
}
