/** The two far ends of a soak: each message is checked as it comes, and forgotten. */
import type { Message } from "../../pipeline.ts";
import { SessionOrder } from "../../testing/session-order.ts";
import { type NodeMetric, nodePayload } from "../../testing/simulation/node-payload.ts";
import { isLoss, parseWire, type StatusOnWire, type ValuesOnWire } from "../../testing/wire.ts";
import type { ArrivalBook } from "./arrival-book.ts";
import type { FaultList } from "./fault-list.ts";

const COUNTING_TAG = /^(d\d+-\d+)\/r(\d+)$/;
const SEQS = 256;
const GOOD = 192;

/** The last Good value of each input, by its own time. */
export class InputsSeen {
  readonly #last = new Map<string, { readonly value: unknown; readonly ms: number }>();
  #told = 0;

  get told(): number {
    return this.#told;
  }

  value(name: string): unknown {
    return this.#last.get(name)?.value;
  }

  take(name: string, value: unknown, ms: number): void {
    this.#told += 1;
    if (ms >= (this.#last.get(name)?.ms ?? 0)) this.#last.set(name, { value, ms });
  }
}

export interface FarEnd {
  readonly inputs: InputsSeen;
  take(message: Message & { readonly again: boolean }, nowMs: number): void;
  isOnline(): boolean;
  /** What is wrong with the order of its sessions. */
  violations(): readonly string[];
}

export class JsonFarEnd implements FarEnd {
  readonly inputs = new InputsSeen();
  readonly #topic: string;
  readonly #book: ArrivalBook;
  readonly #faults: FaultList;
  readonly #order: SessionOrder;
  /** By topic: session and number of the last message. */
  readonly #last = new Map<string, { readonly session: number; readonly seq: number }>();
  #online = false;

  constructor(topic: string, book: ArrivalBook, faults: FaultList) {
    this.#topic = topic;
    this.#book = book;
    this.#faults = faults;
    this.#order = new SessionOrder(topic);
  }

  isOnline(): boolean {
    return this.#online;
  }

  violations(): readonly string[] {
    return this.#order.violations();
  }

  take(message: Message & { readonly again: boolean }, nowMs: number): void {
    this.#order.arrived(message);
    const kind = message.topic.slice(this.#topic.length + 1);
    if (kind === "status") this.#online = parseWire<StatusOnWire>(message.payload).online;
    if (kind !== "data" && kind !== "history") return;
    const content = parseWire<ValuesOnWire>(message.payload);
    this.#number(kind, content, message.again);
    for (const value of content.values) {
      const { id, v, q, t } = value;
      if (isLoss(value))
        this.#faults.add("told lost", `json: ${id} from ${value.from} to ${value.to}, ${value.reason}`);
      else if (!q) continue;
      else if (id.startsWith("inputs/")) this.inputs.take(id.slice("inputs/".length), v, t);
      else {
        const [, device, tag] = COUNTING_TAG.exec(id) ?? [];
        if (device === undefined || typeof v !== "number") continue;
        const arrival = { device, tag: Number(tag), value: v, sourceTimestampMs: t, isLive: kind === "data" };
        this.#book.arrived(arrival, nowMs);
      }
    }
  }

  /** The broker may give a message twice, marked so. */
  #number(kind: string, { session, seq }: ValuesOnWire, again: boolean): void {
    const last = this.#last.get(kind) ?? { session: 0, seq: 0 };
    const awaited = session === last.session ? last.seq + 1 : 1;
    if (seq !== awaited && !(again && seq < awaited)) {
      this.#faults.add("number missing", `json: ${kind} ${seq} of session ${session}, not ${awaited}`);
    }
    if (session > last.session || seq >= awaited) this.#last.set(kind, { session, seq });
  }
}

export class SparkplugFarEnd implements FarEnd {
  readonly inputs = new InputsSeen();
  readonly #node: string;
  readonly #book: ArrivalBook;
  readonly #faults: FaultList;
  readonly #violations: string[] = [];
  #seq: number | undefined;
  #online = false;

  constructor(node: string, book: ArrivalBook, faults: FaultList) {
    this.#node = node;
    this.#book = book;
    this.#faults = faults;
  }

  isOnline(): boolean {
    return this.#online;
  }

  violations(): readonly string[] {
    return this.#violations;
  }

  take({ topic, payload }: Message, nowMs: number): void {
    const [, , type = "", node, device] = topic.split("/");
    if (node !== this.#node || type.endsWith("CMD")) return;
    if (type === "NDEATH") {
      this.#online = false;
      return;
    }
    const { seq, metrics } = nodePayload(payload);
    this.#number(type, Number(seq));
    if (type === "NBIRTH") this.#online = true;
    if (type !== "DDATA" || device === undefined) return;
    for (const metric of metrics) this.#metric(device, metric, nowMs);
  }

  #number(type: string, seq: number): void {
    const awaited = type === "NBIRTH" || this.#seq === undefined ? 0 : (this.#seq + 1) % SEQS;
    if (seq !== awaited) this.#faults.add("number missing", `sparkplug: ${type} ${seq}, not ${awaited}`);
    this.#seq = seq;
  }

  #metric(device: string, metric: NodeMetric, nowMs: number): void {
    const { name = "", value, properties, isHistorical = false } = metric;
    const reason = properties.get("LostReason");
    if (reason !== undefined) this.#faults.add("told lost", `sparkplug: ${device}/${name}, ${reason}`);
    if (metric.isNull === true || Number(properties.get("Quality") ?? GOOD) !== GOOD) return;
    const ms = Number(metric.timestamp);
    if (device === "inputs") this.inputs.take(name, value, ms);
    else if (name.startsWith("r") && typeof value === "number") {
      const tag = Number(name.slice(1));
      this.#book.arrived({ device, tag, value, sourceTimestampMs: ms, isLive: !isHistorical }, nowMs);
    }
  }
}
