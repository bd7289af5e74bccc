/** What happened to the gateway: a tag of its own, whose samples go the way of all data, and a line each in a file. */
import { type Tag, tagId } from "../core/tag.ts";

export type EventKind =
  | "start"
  | "stop"
  | "configuration"
  | "clock"
  | "certificates"
  | "uplink"
  | "line"
  | "device"
  | "outbox"
  | "loss"
  | "command"
  | "bench";

export interface Event {
  readonly kind: EventKind;
  /** In one line. */
  readonly text: string;
  /** Anybody may bring it about, in any number: it counts apart, so that it hides no other of its kind. */
  readonly byAnybody?: boolean;
}

/** An event on record. */
export interface RecordedEvent extends Event {
  /** Rises by one; the record of another start goes on with it. */
  readonly number: number;
  /** UTC ms, as well as the time was known. */
  readonly ms: number;
  /** Nobody knew the time. */
  readonly unsynced?: true;
  /** Of a start: the kernel's boot, where it has a name. */
  readonly boot?: string;
}

const DEVICE = "gateway";
const SCAN_RATE_MS = 1_000;
/** Ten years: what happened does not grow old. */
const NEVER_STALE_MS = 315_360_000_000;

/** Its value is the last event. It is told when something happened, never read, so nothing repeats it. */
export const EVENTS: Tag = {
  id: tagId(DEVICE, "events"),
  device: DEVICE,
  name: "events",
  type: "string",
  // An outage that fills the card must not take the record of it.
  priority: "high",
  deadband: 0,
  scanRateMs: SCAN_RATE_MS,
  staleMs: NEVER_STALE_MS,
  maxIntervalMs: NEVER_STALE_MS,
  writable: false,
  enabled: true,
};

/** As a value: with its number, so that two events are never one. */
export function eventText({ number, kind, text }: RecordedEvent): string {
  return `#${number} ${kind}: ${text}`;
}
