import type { Status } from "../core/quality.ts";

/** Whether a value of this status stands for a read that succeeded, and so can grow old. A Bad status never heals by age. */
export function isUsable(status: Status): boolean {
  return status === "Good" || status === "UncertainEngineeringUnitsExceeded";
}

/** Whether the last good read is too long ago. All times monotonic, in milliseconds. */
export function isOverdue(lastGoodMs: number, staleMs: number, nowMs: number): boolean {
  return nowMs - lastGoodMs >= staleMs;
}
