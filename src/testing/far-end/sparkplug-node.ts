/**
 * One edge node as a Sparkplug host follows it: what is born, with the numbers that show whether anything was missed.
 * Births are not retained and data is told once only, so whoever missed anything asks for a rebirth.
 */
import { decodePayload, type Metric, type Payload } from "../../uplinks/sparkplug/payload.ts";
import type { Arrival, Shown } from "./shown.ts";

export interface SparkplugNode {
  readonly group: string;
  readonly name: string;
  /** Of the birth in force; undefined before the first one. */
  readonly bdSeq: number | undefined;
  /** Its death was heard, for the birth in force. */
  readonly isDead: boolean;
  /** Why what is held may not be all there is; empty where nothing was missed since the birth. */
  readonly gap: string;
  readonly seq: number;
  /** The born devices; the node's own metrics stand at NODE. */
  readonly born: ReadonlyMap<string, ReadonlyMap<string, Shown>>;
  readonly aliases: ReadonlyMap<string, MetricPlace>;
}

interface MetricPlace {
  readonly device: string;
  readonly name: string;
}

const NODE = "gateway";
const SEQS = 256;
const GOOD = 192;
const UNCERTAIN = 500;
const NO_BIRTH = "no birth yet";

export function sparkplugNode(group: string, name: string): SparkplugNode {
  return {
    group,
    name,
    bdSeq: undefined,
    isDead: false,
    gap: NO_BIRTH,
    seq: 0,
    born: new Map(),
    aliases: new Map(),
  };
}

export function hearSparkplug(node: SparkplugNode, { topic, payload: bytes }: Arrival): SparkplugNode {
  const [namespace, group, type, name, device = NODE] = topic.split("/");
  if (namespace !== "spBv1.0" || group !== node.group || name !== node.name) return node;
  if (type === "NDEATH") return died(node, decodePayload(bytes));
  if (type === "NBIRTH") return nodeBorn(node, decodePayload(bytes));
  if (type !== "DBIRTH" && type !== "NDATA" && type !== "DDATA" && type !== "DDEATH") return node;
  const payload = decodePayload(bytes);
  const next = numbered(node, Number(payload.seq ?? -1));
  if (type === "DBIRTH") return withBirth(next, device, payload.metrics);
  if (type === "DDEATH") return { ...next, born: new Map([...next.born].filter(([known]) => known !== device)) };
  return withData(next, device, payload.metrics);
}

/** What was sent meanwhile is missed: by the consumer's own connection, or by a bridge on the way. */
export function sparkplugMissed(node: SparkplugNode, gap: string): SparkplugNode {
  return { ...node, isDead: false, gap };
}

/** Why the values of a device are not current; empty where they are. */
export function sparkplugDoubt({ isDead, gap, born }: SparkplugNode, device: string): string {
  if (isDead) return "the gateway is offline";
  if (gap !== "") return gap;
  return born.has(device) ? "" : "the device is dead";
}

/**
 * A node that was heard to die gives birth by itself. Where something was missed, the death may be one that a bridge
 * kept, and the birth after it be lost.
 */
export function wantsRebirth({ gap }: SparkplugNode): boolean {
  return gap !== "";
}

/** A death counts for the birth of its number only: it may come after the next birth. */
function died(node: SparkplugNode, payload: Payload): SparkplugNode {
  return bdSeqOf(payload) === node.bdSeq ? { ...node, isDead: true, born: new Map(), aliases: new Map() } : node;
}

function nodeBorn(node: SparkplugNode, payload: Payload): SparkplugNode {
  const empty = { ...node, born: new Map(), aliases: new Map() };
  const bdSeq = bdSeqOf(payload);
  return { ...withBirth(empty, NODE, payload.metrics), bdSeq, isDead: false, gap: "", seq: Number(payload.seq ?? 0) };
}

function numbered(node: SparkplugNode, seq: number): SparkplugNode {
  const gap = node.gap === "" && seq !== (node.seq + 1) % SEQS ? "data was missed since the birth" : node.gap;
  return { ...node, seq, gap };
}

function withBirth(node: SparkplugNode, device: string, metrics: readonly Metric[]): SparkplugNode {
  const shown = new Map(metrics.map((metric) => [metric.name ?? "", shownOf(metric)]));
  const aliases = new Map(node.aliases);
  for (const { alias, name = "" } of metrics) if (alias !== undefined) aliases.set(String(alias), { device, name });
  return { ...node, born: new Map(node.born).set(device, shown), aliases };
}

function withData(node: SparkplugNode, device: string, metrics: readonly Metric[]): SparkplugNode {
  const shown = node.born.get(device);
  if (shown === undefined) return { ...node, gap: node.gap || "data of what was not born" };
  const changed = new Map(shown);
  for (const metric of metrics) {
    const name = metric.name ?? node.aliases.get(String(metric.alias))?.name ?? "";
    if (metric.isHistorical !== true) changed.set(name, shownOf(metric));
  }
  return { ...node, born: new Map(node.born).set(device, changed) };
}

/** What says nothing of its quality is good. */
function shownOf({ value, timestamp, properties = [] }: Metric): Shown {
  const property = (key: string) => properties.find((known) => known.key === key)?.value?.value;
  const quality = Number(property("Quality") ?? GOOD);
  const status = property("StatusName") ?? (quality === UNCERTAIN ? "Uncertain" : "Bad");
  return {
    value: value?.value ?? null,
    status: quality === GOOD ? "Good" : String(status),
    timestampMs: Number(timestamp ?? 0),
  };
}

function bdSeqOf({ metrics }: Payload): number | undefined {
  const value = metrics.find(({ name }) => name === "bdSeq")?.value?.value;
  return value === undefined ? undefined : Number(value);
}
