/** Understands one Sparkplug node at one broker, as a host does: by its births, its numbers and its last words. */
import type { Value, ValueType } from "../../core/tag.ts";
import type { Message } from "../../pipeline.ts";
import { type NodeMetric, type NodePayload, nodePayload } from "./node-payload.ts";

/** The device whose tags are metrics of the node. */
export const NODE = "gateway";

const TYPES = ["NBIRTH", "NDEATH", "DBIRTH", "DDEATH", "NDATA", "DDATA"] as const;
type NodeMessageType = (typeof TYPES)[number];

export interface NodeTopic {
  readonly type: NodeMessageType;
  readonly node: string;
  readonly device: string;
}

/** What is said of one tag. */
export interface HeardValue {
  readonly id: string;
  readonly type: ValueType;
  readonly value: Value;
  readonly status: string;
  readonly t: number;
  readonly epoch: number;
  readonly isHistorical: boolean;
  readonly isTransient: boolean;
}

export interface HeardLoss {
  readonly id: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly toE?: number;
  readonly count: number | null;
  readonly reason: string;
}

export interface Heard extends NodeTopic {
  readonly bdSeq: number | undefined;
  /** The first birth after a CONNECT, and none that was asked for. */
  readonly isNewSession: boolean;
  readonly values: readonly HeardValue[];
  readonly losses: readonly HeardLoss[];
  /** What must never be, in words. */
  readonly flaws: readonly string[];
  /** Empty where its number follows the last one. */
  readonly seqFlaw: string;
}

interface Born {
  readonly name: string;
  readonly type: ValueType;
  /** What a value without a quality is worth to hosts that keep the last one. */
  status: string;
}

const SEQS = 256;
/** Metrics of the node that are no tags. */
const EPOCH = "clock/epoch";
const OWN: ReadonlySet<string> = new Set(["bdSeq", "Node Control/Rebirth", "ClockGood", EPOCH, "commands/refused"]);
/** Sparkplug 3.0, 6.4.16, by our types. */
const TYPE_OF: ReadonlyMap<number, ValueType> = new Map([
  [2, "int16"],
  [3, "int32"],
  [4, "int64"],
  [6, "uint16"],
  [7, "uint32"],
  [8, "uint64"],
  [9, "float32"],
  [10, "float64"],
  [11, "bool"],
  [12, "string"],
]);

/** Undefined: no word of a node. */
export function nodeTopic(topic: string): NodeTopic | undefined {
  const [space, , word, node = "", device = NODE] = topic.split("/");
  const type = TYPES.find((known) => known === word);
  return space === "spBv1.0" && type !== undefined ? { type, node, device } : undefined;
}

/** bdSeq of a birth, a death or a will. */
export function bdSeqIn({ metrics }: NodePayload): number | undefined {
  const found = metrics.find(({ name }) => name === "bdSeq")?.value;
  return found === undefined ? undefined : Number(found);
}

export class NodeListener {
  /** By device, and there by name and by alias. */
  readonly #born = new Map<string, Map<string | number, Born>>();
  #isAlive = false;
  #bdSeq: number | undefined;
  #epoch = 0;
  #seq = 0;
  #flaws: string[] = [];

  get isAlive(): boolean {
    return this.#isAlive;
  }

  devices(): readonly string[] {
    return [...this.#born.keys()];
  }

  /** Everything is forgotten: what follows is understood from the next birth of the node on. */
  forget(): void {
    this.#isAlive = false;
    this.#bdSeq = undefined;
    this.#born.clear();
  }

  hear(topic: NodeTopic, { payload }: Pick<Message, "payload">): Heard {
    const content = nodePayload(payload);
    const { type, device } = topic;
    this.#flaws = [];
    const bdSeq = bdSeqIn(content);
    const isNewSession = type === "NBIRTH" && (!this.#isAlive || bdSeq !== this.#bdSeq);
    const seqFlaw = this.#count(type, content);
    if (type === "NBIRTH") this.#beginNode(content, bdSeq);
    else if (type === "NDEATH") this.#end(bdSeq);
    else if (!this.#isAlive) this.#flaw(`${type} of ${device} before the birth of the node`);
    const said = this.#isAlive && type !== "NDEATH" ? this.#said(topic, content) : { values: [], losses: [] };
    return { ...topic, bdSeq, isNewSession, ...said, flaws: this.#flaws, seqFlaw };
  }

  #count(type: NodeMessageType, { seq }: NodePayload): string {
    if (type === "NDEATH") return seq === undefined ? "" : "a death of the node has a number";
    const due = type === "NBIRTH" ? 0 : (this.#seq + 1) % SEQS;
    this.#seq = due;
    return seq === due ? "" : `${type} has number ${seq}, not ${due}`;
  }

  #beginNode({ metrics }: NodePayload, bdSeq: number | undefined): void {
    this.#born.clear();
    this.#isAlive = true;
    this.#bdSeq = bdSeq;
    if (bdSeq === undefined) this.#flaw("NBIRTH without bdSeq");
    const epoch = metrics.find(({ name }) => name === EPOCH);
    if (epoch === undefined) this.#flaw("NBIRTH without its epoch");
    // It holds for the whole birth, wherever it stands.
    this.#epoch = Number(epoch?.value);
    if (!metrics.some(({ name, value }) => name === "Node Control/Rebirth" && value === false))
      this.#flaw("NBIRTH without Rebirth");
  }

  /** The will of an earlier session may come late (Sparkplug 3.0, 6.4.18). */
  #end(bdSeq: number | undefined): void {
    if (bdSeq === this.#bdSeq) this.forget();
  }

  #said(topic: NodeTopic, { metrics }: NodePayload): Pick<Heard, "values" | "losses"> {
    const { type, device } = topic;
    if (type === "DDEATH") {
      if (!this.#born.delete(device)) this.#flaw(`death of ${device}, which is not born`);
      return { values: [], losses: [] };
    }
    const isBirth = type.endsWith("BIRTH");
    if (isBirth) this.#born.set(device, new Map());
    const [values, losses]: [HeardValue[], HeardLoss[]] = [[], []];
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const metric of metrics) {
      const born = isBirth ? this.#bear(device, metric) : this.#bornAs(device, metric);
      if (born === undefined) continue;
      if (born.name === EPOCH && device === NODE) this.#epoch = Number(metric.value);
      if (metric.isHistorical !== true) {
        const ms = Number(metric.timestamp);
        if (ms < lastMs) this.#flaw(`${type} of ${device}: ${born.name} stands behind a later value`);
        lastMs = ms;
      }
      if (device === NODE && OWN.has(born.name)) continue;
      const id = `${device}/${born.name}`;
      if (metric.properties.get("StatusName") === "BadDataLost") losses.push(this.#loss(id, metric));
      else values.push(this.#value(id, born, metric, isBirth));
    }
    return { values, losses };
  }

  #bear(device: string, metric: NodeMetric): Born | undefined {
    const { name, alias, datatype } = metric;
    const type = TYPE_OF.get(Number(datatype));
    if (name === undefined || type === undefined) {
      this.#flaw(`birth of ${device} with a metric ${name} of type ${datatype}`);
      return undefined;
    }
    const born = { name, type, status: "Good" };
    const all = this.#born.get(device);
    all?.set(name, born);
    if (alias !== undefined) all?.set(Number(alias), born);
    return born;
  }

  #bornAs(device: string, { name, alias }: NodeMetric): Born | undefined {
    const born = this.#born.get(device)?.get(name ?? Number(alias));
    if (born === undefined) this.#flaw(`data of ${device}/${name ?? `alias ${alias}`}, which is not born`);
    return born;
  }

  #value(id: string, born: Born, metric: NodeMetric, isBirth: boolean): HeardValue {
    const { properties, timestamp, isHistorical = false, isTransient = false } = metric;
    const told = properties.get("StatusName");
    const status = typeof told === "string" ? told : "Good";
    const quality = properties.get("Quality");
    if (quality === undefined ? told !== undefined || (isBirth && status !== "Good") : quality !== qualityOf(status))
      this.#flaw(`${id}: Quality ${quality} is told as ${status}`);
    if (!isHistorical) {
      if (quality === undefined && born.status !== "Good")
        this.#flaw(`${id} was ${born.status}, and is not told as Good`);
      born.status = status;
    }
    const epoch = properties.get("Epoch");
    if (isHistorical && epoch === undefined) this.#flaw(`${id} is historical, of no epoch`);
    return {
      id,
      type: born.type,
      value: toldValue(metric, born.type),
      status,
      t: Number(timestamp),
      epoch: epoch === undefined ? this.#epoch : Number(epoch),
      isHistorical,
      isTransient,
    };
  }

  #loss(id: string, { properties, isHistorical, isNull }: NodeMetric): HeardLoss {
    if (isHistorical !== true || isNull !== true) this.#flaw(`${id}: a loss that is no null of the past`);
    const [toE, count] = [properties.get("LostToEpoch"), properties.get("LostCount")];
    return {
      id,
      epoch: Number(properties.get("Epoch")),
      from: Number(properties.get("LostFrom")),
      to: Number(properties.get("LostTo")),
      ...(toE !== undefined && { toE: Number(toE) }),
      count: count === undefined ? null : Number(count),
      reason: String(properties.get("LostReason")),
    };
  }

  #flaw(text: string): void {
    this.#flaws.push(text);
  }
}

/** Sparkplug 3.0, 6.4.8. */
function qualityOf(status: string): number {
  if (status === "Good") return 192;
  return status.startsWith("Uncertain") ? 500 : 0;
}

/** Numbers ride unsigned. */
function toldValue({ value, isNull }: NodeMetric, type: ValueType): Value {
  if (isNull === true || value === undefined) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (type === "int64") return BigInt.asIntN(64, BigInt(value));
  if (type === "uint64") return BigInt(value);
  const number = Number(value);
  return type === "int16" || type === "int32" ? number | 0 : number;
}
