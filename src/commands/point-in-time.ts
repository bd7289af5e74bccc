import { parseDuration } from "../config/values.ts";

/** A date, or date and time; with Z or an offset, else UTC. */
const ISO = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * `2026-11-01`, `2026-11-01T14:30`, `2026-11-01T14:30+01:00`, or how long ago: `36h`.
 * @returns milliseconds since the Unix epoch, UTC
 * @throws Error with the remedy
 */
export function parsePointInTime(text: string, nowMs: number): number {
  const match = ISO.exec(text);
  if (match !== null) {
    const zoned = match[1] !== undefined || text.length <= "2026-11-01".length ? text : `${text}Z`;
    const ms = Date.parse(zoned.replace(" ", "T"));
    if (!Number.isNaN(ms)) return ms;
  }
  try {
    return nowMs - parseDuration(text);
  } catch {
    throw new Error(`"${text}" is no time; write 2026-11-01, 2026-11-01T14:30 (UTC), or 36h for 36 hours ago`);
  }
}
