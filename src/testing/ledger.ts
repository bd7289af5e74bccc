/**
 * The bookkeeping of every proof: what was taken in stands on one side, what arrived at the far end on the other.
 * It knows the wire only as the JSON of the cloud contract, so it can be held against any broker.
 */
import type { ValueType } from "../core/tag.ts";
import type { Intake, Sample } from "../pipeline.ts";

/** One entry of `values` on the data or history topic. */
interface WireValue {
  readonly id: string;
  readonly v: unknown;
  readonly q: boolean;
  readonly s?: string;
  readonly t: number;
  readonly e?: number;
  readonly h?: number;
  readonly from?: number;
  readonly to?: number;
  readonly toE?: number;
  readonly reason?: string;
}

export interface WireMessage {
  readonly session: number;
  readonly epoch: number;
  readonly seq: number;
  readonly values: readonly WireValue[];
}

export interface LedgerSummary {
  readonly takenIn: number;
  /** Arrivals on the data topic. */
  readonly live: number;
  /** Arrivals on the history topic, loss records apart. */
  readonly history: number;
  /** Neither arrived nor covered by a told loss. */
  readonly lost: number;
  /** Taken in, not arrived, and told as BadDataLost. */
  readonly toldLost: number;
  /** Arrivals beyond the first of an identity, all equal to it. */
  readonly duplicates: number;
}

interface Entry {
  readonly id: string;
  readonly epoch: number;
  readonly t: number;
  expected?: Content;
  arrived?: Content;
}

interface Content {
  readonly value: unknown;
  readonly status: string;
}

interface ToldLoss {
  readonly id: string;
  readonly epoch: number;
  readonly from: number;
  readonly toEpoch: number;
  readonly to: number;
  readonly reason: string;
}

/** More violations than this say nothing new. */
const VIOLATIONS_MAX = 50;

export class Ledger implements Intake {
  readonly #entries = new Map<string, Entry>();
  readonly #lastStamp = new Map<string, readonly [number, number]>();
  readonly #lastSeq = new Map<string, number>();
  readonly #losses: ToldLoss[] = [];
  readonly #violations: string[] = [];
  #takenIn = 0;
  #live = 0;
  #history = 0;
  #duplicates = 0;

  /** Taken in by the gateway. */
  append(samples: readonly Sample[]): void {
    for (const sample of samples) {
      this.#takenIn += 1;
      const entry = this.#entry(sample.epoch, sample.tag.id, sample.sourceTimestampMs);
      if (entry.expected !== undefined) this.#violation(`taken in twice: ${describe(sample)}`);
      entry.expected = { value: wireForm(sample), status: sample.status };
      this.#compare(entry, describe(sample));
    }
  }

  /**
   * Arrived at the far end; `topic` is the last level of the MQTT topic. A broker may deliver a message again to a
   * subscriber that comes back (MQTT 5.0, 4.4): such a copy adds nothing and breaks nothing.
   */
  arrived(topic: "data" | "history", message: WireMessage, deliveredAgain = false): void {
    if (deliveredAgain && message.seq <= (this.#lastSeq.get(`${topic} ${message.session}`) ?? 0)) return;
    this.#checkSeq(topic, message);
    for (const value of message.values) {
      if (value.s === "BadDataLost") this.#loss(message, value);
      else this.#value(topic, message, value);
    }
  }

  /** Everything that must never happen, in words; empty when all is well. */
  violations(): readonly string[] {
    return this.#violations;
  }

  toldLosses(): readonly ToldLoss[] {
    return this.#losses;
  }

  /** Identities taken in, not arrived and not told as lost, up to `limit` of them. */
  missing(limit: number): readonly string[] {
    const missing: string[] = [];
    for (const [key, entry] of this.#entries) {
      if (missing.length === limit) break;
      if (entry.expected !== undefined && entry.arrived === undefined && !this.#isTold(entry)) missing.push(key);
    }
    return missing;
  }

  summary(): LedgerSummary {
    let absent = 0;
    let lost = 0;
    for (const entry of this.#entries.values()) {
      if (entry.expected === undefined || entry.arrived !== undefined) continue;
      absent += 1;
      if (!this.#isTold(entry)) lost += 1;
    }
    return {
      takenIn: this.#takenIn,
      live: this.#live,
      history: this.#history,
      lost,
      toldLost: absent - lost,
      duplicates: this.#duplicates,
    };
  }

  #value(topic: "data" | "history", message: WireMessage, value: WireValue): void {
    const epoch = value.e ?? message.epoch;
    const what = `${value.id} epoch ${epoch} t ${value.t} on ${topic}`;
    if ((topic === "history") !== (value.h === 1)) this.#violation(`wrongly marked as ${topic}: ${what}`);
    if (topic === "data") this.#live += 1;
    else this.#history += 1;
    const entry = this.#entry(epoch, value.id, value.t);
    const content: Content = { value: value.v, status: value.s ?? "Good" };
    if (entry.arrived !== undefined) {
      this.#duplicates += 1;
      if (!same(entry.arrived, content)) this.#violation(`one identity, two values: ${what}`);
    }
    entry.arrived = content;
    this.#compare(entry, what);
    this.#checkOrder(`${topic} ${message.session} ${value.id}`, epoch, value.t, what);
  }

  #loss(message: WireMessage, value: WireValue): void {
    const epoch = value.e ?? message.epoch;
    this.#losses.push({
      id: value.id,
      epoch,
      toEpoch: value.toE ?? epoch,
      from: value.from ?? value.t,
      to: value.to ?? value.t,
      reason: value.reason ?? "",
    });
  }

  #checkSeq(topic: string, message: WireMessage): void {
    const stream = `${topic} ${message.session}`;
    // It starts at 1 in each topic and session.
    const last = this.#lastSeq.get(stream) ?? 0;
    if (message.seq !== last + 1) this.#violation(`seq ${message.seq} after ${last} on ${stream}`);
    this.#lastSeq.set(stream, message.seq);
  }

  #checkOrder(stream: string, epoch: number, t: number, what: string): void {
    const last = this.#lastStamp.get(stream);
    if (last !== undefined && (epoch < last[0] || (epoch === last[0] && t <= last[1]))) {
      this.#violation(`out of order within its session: ${what} after epoch ${last[0]} t ${last[1]}`);
    }
    this.#lastStamp.set(stream, [epoch, t]);
  }

  #compare(entry: Entry, what: string): void {
    const { expected, arrived } = entry;
    if (expected === undefined || arrived === undefined || same(expected, arrived)) return;
    this.#violation(`arrived changed: ${what}: ${text(expected)} became ${text(arrived)}`);
  }

  #entry(epoch: number, id: string, t: number): Entry {
    const key = `${epoch} ${id} ${t}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { id, epoch, t };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #isTold({ id, epoch, t }: Entry): boolean {
    return this.#losses.some((loss) => {
      const isAfter = loss.epoch < epoch || (loss.epoch === epoch && loss.from <= t);
      return loss.id === id && isAfter && (epoch < loss.toEpoch || (epoch === loss.toEpoch && t <= loss.to));
    });
  }

  #violation(text: string): void {
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push(text);
  }
}

function describe(sample: Sample): string {
  return `${sample.tag.id} epoch ${sample.epoch} t ${sample.sourceTimestampMs}`;
}

/** A double holds every whole number up to here. */
const EXACT_MAX = 2n ** 53n;

/** The value as JSON readers see it: 64-bit beyond 2^53 as a string, what is not finite as null. */
export function wireForm({ tag: { type }, value }: Pick<Sample, "tag" | "value">): unknown {
  return wireFormOf(value, type);
}

export function wireFormOf(value: Sample["value"], type: ValueType): unknown {
  if (typeof value === "bigint") {
    return value >= -EXACT_MAX && value <= EXACT_MAX ? Number(value) : value.toString();
  }
  if (typeof value === "number" && !Number.isFinite(value)) return null;
  // float32 travels in its shortest decimal, which is not the digits of the double that holds it here.
  return type === "float32" && typeof value === "number" ? shortestFloat32(value) : value;
}

function shortestFloat32(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}

function same(a: Content, b: Content): boolean {
  return a.status === b.status && a.value === b.value;
}

function text(content: Content): string {
  return `${String(content.value)} ${content.status}`;
}
