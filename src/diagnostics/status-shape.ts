/** status.json as a tool finds it: written by this version or another one, or by a hand. */
import { STATUS_NAMES } from "../core/quality.ts";
import type { StatusContent } from "./status-file.ts";

/** A key with a question mark may be absent; a list holds what its one entry says. */
type Shape =
  | "text"
  | "number"
  | "time"
  | "boolean"
  | "value"
  | "status"
  | readonly [Shape]
  | { readonly [key: string]: Shape };

/** Of a Date. */
const TIME_MAX_MS = 8.64e15;

const DEVICE: Shape = {
  name: "text",
  requests: "number",
  replies: "number",
  lost: "boolean",
  responseTimeP99Ms: "number",
};
const SHAPE: Shape = {
  timestamp: "time",
  epoch: "number",
  devices: [
    {
      name: "text",
      tags: [
        {
          name: "text",
          value: "value",
          "text?": "text",
          "units?": "text",
          status: "status",
          words: "text",
          timestamp: "time",
        },
      ],
    },
  ],
  lines: [
    {
      name: "text",
      path: "text",
      fault: "text",
      utilisation: "number",
      missedPeriods: "number",
      foreignFrames: "number",
      noiseBytes: "number",
      devices: [DEVICE],
    },
  ],
  uplinks: [
    {
      name: "text",
      state: "text",
      server: "text",
      session: "number",
      depth: "number",
      "oldestMs?": "time",
      live: "number",
      replayed: "number",
      dropped: "number",
      "certificateDays?": "number",
    },
  ],
  outbox: { health: "text", "healthReason?": "text" },
};

/** The picture in it; undefined where it is none. */
export function parseStatus(text: string): StatusContent | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isStatus(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isStatus(value: unknown): value is StatusContent {
  return fits(value, SHAPE);
}

function fits(value: unknown, shape: Shape): boolean {
  if (shape === "text") return typeof value === "string";
  if (shape === "number") return typeof value === "number" && Number.isFinite(value);
  if (shape === "time") return typeof value === "number" && Math.abs(value) <= TIME_MAX_MS;
  if (shape === "boolean") return typeof value === "boolean";
  if (shape === "value") return value === null || ["string", "number", "boolean"].includes(typeof value);
  if (shape === "status") return STATUS_NAMES.some((name) => name === value);
  if (isList(shape)) return Array.isArray(value) && value.every((item) => fits(item, shape[0]));
  if (typeof value !== "object" || value === null) return false;
  const record: Readonly<Record<string, unknown>> = { ...value };
  return Object.entries(shape).every(([key, inner]) => {
    const name = key.replace(/\?$/, "");
    const isAbsent = (record[name] ?? null) === null;
    return name !== key && isAbsent ? true : fits(record[name], inner);
  });
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}
