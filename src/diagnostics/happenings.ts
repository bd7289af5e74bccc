/** Finds what happened between two looks at the gateway. No I/O, no time of its own. */
import type { DeviceReport, LineReport, OutboxReport, UplinkReport } from "../pipeline.ts";
import type { Event } from "./event.ts";

/** The gateway as it is seen at one look. */
export interface Look {
  readonly uplinks: readonly UplinkReport[];
  readonly lines: readonly LineReport[];
  readonly outbox: OutboxReport;
  readonly clockState: string;
  /** Wall time less monotonic time, ms: it jumps where the clock steps. */
  readonly clockOffsetMs: number;
}

/** What was seen so far. */
export interface Seen {
  readonly uplinks: ReadonlyMap<string, SeenUplink>;
  readonly faults: ReadonlyMap<string, string>;
  readonly lost: ReadonlySet<string>;
  readonly outbox: Pick<OutboxReport, "health" | "incident">;
  readonly clockState: string;
  readonly clockOffsetMs: number;
}

interface SeenUplink {
  /** As it was told last. */
  readonly state: string;
  readonly certificates: string;
  readonly dropped: number;
}

export const NOTHING_SEEN: Seen = {
  uplinks: new Map(),
  faults: new Map(),
  lost: new Set(),
  outbox: { health: "ok", incident: "" },
  clockState: "",
  clockOffsetMs: Number.NaN,
};

/** What a time service slews between two looks is no step. */
const CLOCK_STEP_MS = 1_000;

export function happened(seen: Seen, look: Look): readonly [Seen, readonly Event[]] {
  const events: Event[] = [];
  clockEvents(seen, look, events);
  const next: Seen = {
    clockState: look.clockState,
    clockOffsetMs: look.clockOffsetMs,
    outbox: outboxEvents(seen, look.outbox, events),
    uplinks: new Map(look.uplinks.map((uplink) => [uplink.name, uplinkEvents(seen, uplink, events)])),
    faults: new Map(look.lines.map((line) => [line.name, lineEvents(seen, line, events)])),
    lost: new Set(
      look.lines.flatMap((line) => line.devices.filter((device) => isLost(seen, line, device, events)).map(nameOf)),
    ),
  };
  return [next, events];
}

function clockEvents(seen: Seen, look: Look, events: Event[]): void {
  if (look.clockState !== seen.clockState) {
    const before = seen.clockState === "" ? "" : `, before ${seen.clockState}`;
    events.push({ kind: "clock", text: `${look.clockState}${before}` });
  }
  const stepMs = look.clockOffsetMs - seen.clockOffsetMs;
  if (Math.abs(stepMs) > CLOCK_STEP_MS) {
    const way = stepMs > 0 ? "forward" : "back";
    events.push({ kind: "clock", text: `stepped ${way} by ${(Math.abs(stepMs) / 1_000).toFixed(1)} s` });
  }
}

function outboxEvents(seen: Seen, { health, healthReason, incident }: OutboxReport, events: Event[]): Seen["outbox"] {
  if (health !== seen.outbox.health)
    events.push({ kind: "outbox", text: healthReason === "" ? health : `${health}: ${healthReason}` });
  if (incident !== seen.outbox.incident && incident !== "") events.push({ kind: "outbox", text: incident });
  return { health, incident };
}

function uplinkEvents(seen: Seen, uplink: UplinkReport, events: Event[]): SeenUplink {
  const { name, server, dropped, certificates = "" } = uplink;
  const before = seen.uplinks.get(name);
  if (certificates !== "" && certificates !== before?.certificates)
    events.push({ kind: "certificates", text: `${name}: ${certificates}` });
  const more = dropped - (before?.dropped ?? 0);
  if (more > 0) events.push({ kind: "loss", text: `${name} was told of ${more} samples that it does not get` });
  const state = toldState(uplink, before?.state);
  if (state !== (before?.state ?? "connecting"))
    events.push({ kind: "uplink", text: `${name}: ${state}${state === "connected" ? ` to ${server}` : ""}` });
  return { state, certificates, dropped };
}

/** Between attempts the reason for the last one holds: an uplink that keeps failing for one reason is one event. */
function toldState({ state }: UplinkReport, before = "connecting"): string {
  return state === "connecting" && before.startsWith("failed") ? before : state;
}

function lineEvents(seen: Seen, { name, fault }: LineReport, events: Event[]): string {
  const before = seen.faults.get(name) ?? "";
  if (fault !== before) events.push({ kind: "line", text: `${name}: ${fault === "" ? "open again" : fault}` });
  return fault;
}

function isLost(seen: Seen, line: LineReport, { name, lost }: DeviceReport, events: Event[]): boolean {
  if (lost !== seen.lost.has(name))
    events.push({
      kind: "device",
      text: `${name} on ${line.name} ${lost ? "does not answer any more" : "answers again"}`,
    });
  return lost;
}

function nameOf({ name }: DeviceReport): string {
  return name;
}
