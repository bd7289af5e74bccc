/**
 * One gateway as its JSON topics tell of it: the reader's rule as a pure function. `../reader.ts` says the same with
 * counters beside it; a test holds them to each other.
 */
import { parseWire, type SnapshotOnWire, type StatusOnWire, type ValuesOnWire } from "../wire.ts";
import type { Arrival, Shown } from "./shown.ts";

export interface JsonNode {
  /** The uplink's prefix. */
  readonly topic: string;
  /** Mosquitto's bridges send what they kept behind what came while they connected. */
  readonly mayOvertake: boolean;
  readonly status: StatusOnWire | undefined;
  /** When a status came last, by the consumer's clock. */
  readonly statusAtMs: number;
  /** The last status that came while listening; only such a one tells what has not been missed. */
  readonly liveStatus: StatusOnWire | undefined;
  readonly run: Run | undefined;
  /** Data received beyond the run, and the last number that a status told of: what lies between may yet come. */
  readonly ahead: ReadonlySet<number>;
  readonly sent: number;
  readonly devices: ReadonlyMap<string, JsonDevice>;
  readonly tags: ReadonlyMap<string, JsonTag>;
  readonly sign: Sign | undefined;
}

/** Data messages of a session received without a gap. */
interface Run {
  readonly session: number;
  readonly from: number;
  readonly to: number;
}

interface JsonDevice {
  /** Snapshot parts by their number. */
  readonly parts: ReadonlyMap<number, SnapshotOnWire>;
  /** The consumer has everything since the snapshot, and has had since. */
  readonly complete: boolean;
}

interface JsonTag extends Shown {
  readonly epoch: number;
  /** Its time is only the best-known one. */
  readonly unsynced: boolean;
}

/** The last message that was sent while the consumer listened. */
export interface Sign {
  /** UTC, by the gateway's clock. */
  readonly sentAtMs: number;
  /** By the consumer's clock. */
  readonly arrivedAtMs: number;
}

/** A status comes every 60 s; who has missed two of them hears nothing any more. */
export const SILENT_AFTER_MS = 150_000;

/** More than this between a run and what is ahead of it will hardly come any more. */
const AHEAD_MAX = 10_000;

export function jsonNode(topic: string, mayOvertake: boolean): JsonNode {
  return {
    topic,
    mayOvertake,
    status: undefined,
    statusAtMs: 0,
    liveStatus: undefined,
    run: undefined,
    ahead: new Set(),
    sent: 0,
    devices: new Map(),
    tags: new Map(),
    sign: undefined,
  };
}

export function hearJson(node: JsonNode, { topic, payload, retained }: Arrival, nowMs: number): JsonNode {
  if (!topic.startsWith(`${node.topic}/`)) return node;
  const [stage, device = "", part = "1"] = topic.slice(node.topic.length + 1).split("/");
  const cleared = payload.length === 0;
  switch (stage) {
    case "status":
      return cleared ? node : hearStatus(node, parseWire<StatusOnWire>(payload), retained, nowMs);
    case "tags":
      return cleared && part === "1" ? withoutDevice(node, device) : node;
    case "snapshot":
      return cleared
        ? withoutPart(node, device, Number(part))
        : hearSnapshot(node, device, Number(part), parseWire<SnapshotOnWire>(payload));
    case "data":
      return hearData(node, parseWire<ValuesOnWire>(payload), nowMs);
    default:
      return node;
  }
}

/** The consumer lost its own connection: what came meanwhile is missed. */
export function jsonCutOff(node: JsonNode): JsonNode {
  return { ...interrupted(node, undefined), status: undefined, liveStatus: undefined, sign: undefined };
}

/** Why the values of a device are not current, as far as the gateway tells; empty where they are. */
export function jsonDoubt(node: JsonNode, name: string, nowMs: number): string {
  const { status, statusAtMs, liveStatus, run, devices } = node;
  if (status === undefined) return "no status yet";
  if (!status.online) return "the gateway is offline";
  if (nowMs - statusAtMs > SILENT_AFTER_MS) return "the gateway has fallen silent";
  const device = devices.get(name);
  const [first] = device?.parts.values() ?? [];
  if (device === undefined || first === undefined) return "no snapshot yet";
  const parts = [...device.parts.values()];
  if (parts.some(({ session }) => session !== status.session)) return "the snapshot is of another session";
  if (parts.length < (first.parts ?? 1)) return "parts of the snapshot are missing";
  if (liveStatus?.session !== status.session || run === undefined) return "no status since listening";
  if (isBehind(node)) return "data has not come yet that was sent before";
  return device.complete ? "" : "data was missed since the snapshot";
}

function hearStatus(node: JsonNode, status: StatusOnWire, retained: boolean, nowMs: number): JsonNode {
  const known = node.status;
  if (known !== undefined && status.session < known.session) return node;
  if (node.mayOvertake && isSame(status, known)) return node;
  const told = { ...node, status, statusAtMs: nowMs };
  if (!status.online || retained) return told;
  const { session, seq = 0 } = status;
  const { run } = told;
  const isOfRun = run?.session === session && run.from <= seq + 1;
  const isUnbroken = isOfRun && seq <= run.to;
  const mayFollow = isOfRun && node.mayOvertake && !isBehind(node);
  const kept = isUnbroken || mayFollow ? told : interrupted(told, { session, from: seq + 1, to: seq });
  const sent = mayFollow ? Math.max(kept.sent, seq) : kept.sent;
  return reviewed({ ...kept, sent, liveStatus: status, sign: signOf(status, nowMs) });
}

/** Not all of the run's session has come that is known to have been sent. */
function isBehind({ run, ahead, sent }: JsonNode): boolean {
  return ahead.size > 0 || (run !== undefined && run.to < sent);
}

/** A bridge that comes back tells anew what its broker keeps: that proves nothing. */
function isSame(status: StatusOnWire, known: StatusOnWire | undefined): boolean {
  return known?.session === status.session && known.timestamp === status.timestamp && known.seq === status.seq;
}

function hearSnapshot(node: JsonNode, name: string, part: number, snapshot: SnapshotOnWire): JsonNode {
  const { parts: known = new Map<number, SnapshotOnWire>(), complete = false } = node.devices.get(name) ?? {};
  const parts = new Map([...known, [part, snapshot] as const].filter(([number]) => number <= (snapshot.parts ?? 1)));
  const devices = new Map(node.devices).set(name, { parts, complete });
  return reviewed(taken({ ...node, devices }, snapshot));
}

function withoutDevice(node: JsonNode, name: string): JsonNode {
  return { ...node, devices: new Map([...node.devices].filter(([known]) => known !== name)) };
}

function withoutPart(node: JsonNode, name: string, part: number): JsonNode {
  const device = node.devices.get(name);
  if (device === undefined) return node;
  const parts = new Map([...device.parts].filter(([number]) => number !== part));
  return reviewed({ ...node, devices: new Map(node.devices).set(name, { ...device, parts }) });
}

function hearData(node: JsonNode, message: ValuesOnWire, nowMs: number): JsonNode {
  const { session, seq } = message;
  const { run } = node;
  const alone = { session, from: seq, to: seq };
  const isLater = run === undefined || session > run.session || (session === run.session && seq > run.to);
  if (!isLater) return node;
  const heard = taken({ ...node, sign: signOf(message, nowMs) }, message);
  if (session !== run?.session) return interrupted(heard, alone);
  if (seq === run.to + 1) return caughtUp(heard, { ...run, to: seq });
  if (node.mayOvertake && seq - run.to < AHEAD_MAX) return { ...heard, ahead: new Set(node.ahead).add(seq) };
  return { ...interrupted(heard, alone), liveStatus: undefined };
}

/** What is ahead may follow now without a gap. */
function caughtUp(node: JsonNode, run: Run): JsonNode {
  let { to } = run;
  while (node.ahead.has(to + 1)) to += 1;
  return { ...node, run: { ...run, to }, ahead: new Set([...node.ahead].filter((seq) => seq > to)) };
}

function signOf({ timestamp, clock }: StatusOnWire | ValuesOnWire, nowMs: number): Sign | undefined {
  return clock === "unsynced" ? undefined : { sentAtMs: timestamp, arrivedAtMs: nowMs };
}

/** Of two values of a tag the greater (epoch, t) holds; one whose time is only the best-known one gives way to any that is not. */
function taken(node: JsonNode, message: Pick<ValuesOnWire, "epoch" | "clock" | "values">): JsonNode {
  const unsynced = message.clock === "unsynced";
  const tags = new Map(node.tags);
  for (const { id, v, q, s, t, e } of message.values) {
    const epoch = e ?? message.epoch;
    const known = tags.get(id);
    const hasOrder = known !== undefined && !(known.unsynced && !unsynced);
    if (hasOrder && (epoch < known.epoch || (epoch === known.epoch && t <= known.timestampMs))) continue;
    tags.set(id, { value: v, status: q ? "Good" : (s ?? "Bad"), timestampMs: t, epoch, unsynced });
  }
  return { ...node, tags };
}

/** Completeness is found out once and then kept by an unbroken run. */
function reviewed(node: JsonNode): JsonNode {
  const { liveStatus, run } = node;
  if (liveStatus === undefined || run?.session !== liveStatus.session) return node;
  const { session, devices: carried = {} } = liveStatus;
  const review = (name: string, device: JsonDevice): JsonDevice => {
    const parts = [...device.parts.values()];
    if (device.complete || parts.length === 0 || parts.length < (parts[0]?.parts ?? 1)) return device;
    const last = carried[name] ?? 0;
    const has = (part: SnapshotOnWire) => last <= part.after || run.from <= part.after + 1;
    return { ...device, complete: parts.every((part) => part.session === session && has(part)) };
  };
  return withDevices(node, review);
}

function interrupted(node: JsonNode, run: Run | undefined): JsonNode {
  return { ...incomplete(node), run, ahead: new Set(), sent: 0 };
}

function incomplete(node: JsonNode): JsonNode {
  return withDevices(node, (_, device) => ({ ...device, complete: false }));
}

function withDevices(node: JsonNode, change: (name: string, device: JsonDevice) => JsonDevice): JsonNode {
  return { ...node, devices: new Map([...node.devices].map(([name, device]) => [name, change(name, device)])) };
}
