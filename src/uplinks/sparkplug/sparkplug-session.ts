/**
 * One session's words. A device is born when it is there, or when something is to be told of it; it dies when it is
 * lost, or gone, and nothing of it is owed any more.
 */
import type { UplinkConfig } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import type { TagRef, Value } from "../../core/tag.ts";
import type { Connection, CurrentValues, Device, Loss, Message, NumberedSample, UnsyncedCopy } from "../../pipeline.ts";
import type { Conversation, ConversationHooks, Encoded, SessionFormat } from "../format.ts";
import { BirthBook } from "./birth-book.ts";
import {
  BD_SEQ,
  type BornMetric,
  birthMetric,
  CLOCK_GOOD,
  EPOCH,
  formerMetric,
  type LostMetric,
  lostMetric,
  ownBirth,
  ownData,
  REBIRTH,
  REFUSED,
  writeHistorical,
  writeLive,
} from "./metrics.ts";
import { Parcel } from "./parcel.ts";
import { encodePayload, type Metric } from "./payload.ts";
import type { SparkplugTopics } from "./sparkplug-topics.ts";

/** The device of the self-tags: they are metrics of the node. */
const NODE = "gateway";
/** Refusals of commands are told no more often: a storm of commands must not become one of ours. */
const REFUSAL_GAP_MS = 1_000;
/** Not the time of now, which is later than that of whoever compares. */
const OVERDUE_MS = 0;
/** A metric in a lost stretch, at most, but for its name. */
const LOST_METRIC_BYTES = 200;

export interface SparkplugSessionOptions {
  readonly topics: SparkplugTopics;
  readonly values: CurrentValues;
  readonly clock: Clock;
  readonly bdSeq: number;
  readonly death: () => Message;
  readonly messageMaxBytes: number;
  readonly options: UplinkConfig["sparkplug"];
  readonly converse: (connection: Connection, hooks: ConversationHooks) => Conversation;
}

export class SparkplugSession implements SessionFormat {
  readonly pictureIsWhole = true;
  readonly #options: SparkplugSessionOptions;
  readonly #book: BirthBook;
  #born = false;
  #toldEpoch = 0;
  #toldUnsynced = false;
  #owesHistory = true;
  #refusals = 0;
  /** Not told yet. */
  #refusal: string | undefined;
  #refusedLast: string | null = null;
  #refusalDueMs = 0;

  constructor(options: SparkplugSessionOptions) {
    this.#options = options;
    this.#book = new BirthBook(options.options.aliases);
  }

  converse(connection: Connection, hooks: ConversationHooks): Conversation {
    return this.#options.converse(connection, hooks);
  }

  retainedTopics(): readonly string[] {
    return [];
  }

  /** Births describe and show at once. */
  describe(): readonly Message[] {
    return [];
  }

  *picture(): Iterable<Message> {
    yield this.#nodeBirth();
    for (const device of this.#devicesToBear()) yield this.#deviceBirth(device);
  }

  online(): readonly Message[] {
    return [];
  }

  offline(): readonly Message[] {
    return this.#born ? [this.#options.death()] : [];
  }

  /** The device whose birth goes out first; undefined where none does. */
  firstDevice(): string | undefined {
    return this.#devicesToBear()[0];
  }

  live(samples: readonly (NumberedSample | UnsyncedCopy)[], maxBytes: number): Encoded {
    const { options } = this.#options;
    const parcel = this.#parcel(samples, maxBytes);
    const births = this.#birthsFor(parcel.candidates());
    const news = this.#epochNews();
    for (const sample of parcel.candidates()) {
      const born = this.#bornMetric(sample.tag);
      const isPast = this.#book.isOutdated(sample) || sample.epoch < this.#toldEpoch;
      if (isPast) writeHistorical(parcel.out, born, sample, options);
      else writeLive(parcel.out, born, sample, this.#book.isToldBad(sample.tag), sample.unsynced === true, options);
      if (!parcel.take(sample, isPast ? undefined : sample.sourceTimestampMs)) break;
      if (!isPast) this.#book.told(sample);
    }
    return { messages: [...births, ...news, ...this.#data(parcel)], taken: parcel.taken };
  }

  history(samples: readonly NumberedSample[], maxBytes: number): Encoded {
    const { options } = this.#options;
    const parcel = this.#parcel(samples, maxBytes);
    const births = this.#birthsFor(parcel.candidates());
    for (const sample of parcel.candidates()) {
      writeHistorical(parcel.out, this.#bornMetric(sample.tag), sample, options);
      if (!parcel.take(sample, undefined)) break;
    }
    return { messages: [...births, ...this.#data(parcel)], taken: parcel.taken };
  }

  forgone(samples: readonly NumberedSample[], maxBytes: number): Encoded {
    const stretches = new Map<string, { tag: TagRef; lost: LostMetric & { count: number } }>();
    let taken = 0;
    for (const { tag, epoch, sourceTimestampMs: ms } of samples) {
      const key = `${epoch} ${tag.id}`;
      const known = stretches.get(key)?.lost;
      if (known === undefined && taken > 0 && (stretches.size + 1) * LOST_METRIC_BYTES > maxBytes) break;
      const lost =
        known === undefined
          ? { epoch, toEpoch: epoch, fromMs: ms, toMs: ms, count: 1, reason: "history off" as const }
          : { ...known, fromMs: Math.min(known.fromMs, ms), toMs: Math.max(known.toMs, ms), count: known.count + 1 };
      stretches.set(key, { tag, lost });
      taken += 1;
    }
    return { messages: this.#lostMessages([...stretches.values()]), taken };
  }

  beforeLost({ tags }: Loss): readonly Message[] {
    return this.#birthsFor(tags);
  }

  *lost(loss: Loss, maxBytes: number): Iterable<Message> {
    const { epoch, toEpoch, fromMs, toMs, reason } = loss;
    const step = Math.max(1, Math.floor(maxBytes / LOST_METRIC_BYTES));
    for (let from = 0; from < loss.tags.length; from += step) {
      const some = loss.tags.slice(from, from + step);
      const stretches = some.map(({ tag, count }) => ({ tag, lost: { epoch, toEpoch, fromMs, toMs, count, reason } }));
      yield* this.#lostMessages(stretches);
    }
  }

  /** Tells why a command is not carried out. Only the latest is kept while it may not be told yet. */
  refuse(text: string): void {
    this.#refusals += 1;
    // Counted, so that each is a change.
    this.#refusal = `${this.#refusals}. ${text}`;
    this.#refusedLast = this.#refusal;
  }

  historyOwed(owed: boolean): void {
    this.#owesHistory = owed;
  }

  upkeep(nowMs: number): readonly Message[] {
    const { values } = this.#options;
    if (!this.#born) return [];
    if (this.#toldUnsynced !== values.isUnsynced()) {
      this.#toldUnsynced = values.isUnsynced();
      return [this.#nodeData(CLOCK_GOOD, !this.#toldUnsynced)];
    }
    if (this.#refusal !== undefined && nowMs >= this.#refusalDueMs) {
      const message = this.#nodeData(REFUSED, this.#refusal);
      this.#refusal = undefined;
      this.#refusalDueMs = nowMs + REFUSAL_GAP_MS;
      return [message];
    }
    const [over] = this.#over();
    return over === undefined ? [] : [over()];
  }

  upkeepDueMs(): number {
    if (!this.#born) return Number.POSITIVE_INFINITY;
    if (this.#toldUnsynced !== this.#options.values.isUnsynced() || this.#over().length > 0) return OVERDUE_MS;
    return this.#refusal === undefined ? Number.POSITIVE_INFINITY : this.#refusalDueMs;
  }

  /** What a device must be told as, now that nothing of the past is owed: dead, or born without what is no more. */
  #over(): readonly (() => Message)[] {
    if (this.#owesHistory) return [];
    return this.#book.bornDevices().flatMap((device) => {
      if (device === NODE) return [];
      if (this.#isOver(device)) return [() => this.#deviceDeath(device)];
      if (this.#book.former(device).length === 0) return [];
      return [
        () => {
          this.#book.dropFormer(device);
          return this.#deviceBirth(device);
        },
      ];
    });
  }

  /** Gone from the configuration; or lost, and told so tag by tag. */
  #isOver(device: string): boolean {
    const { values } = this.#options;
    if (this.#device(device) === undefined) return true;
    return values.isLost(device) && values.snapshot(device).every((sample) => this.#book.isToldStatus(sample));
  }

  #devicesToBear(): readonly string[] {
    const { values } = this.#options;
    const present = values.devices().flatMap(({ name }) => (name === NODE || values.isLost(name) ? [] : [name]));
    const owed = this.#book.owedDevices().filter((name) => name !== NODE);
    return [...new Set([...present, ...owed])];
  }

  /** What must be born before anything can be told of these tags. */
  #birthsFor(samples: readonly { readonly tag: TagRef }[]): readonly Message[] {
    const missing = new Map<string, TagRef>();
    for (const { tag } of samples) if (this.#book.metric(tag) === undefined) missing.set(tag.id, tag);
    if (missing.size === 0) return [];
    for (const tag of missing.values()) if (!this.#isCurrent(tag)) this.#book.addFormer(tag);
    const devices = new Set([...missing.values()].map(({ device }) => device));
    for (const device of devices) this.#book.owe(device);
    if (devices.has(NODE)) {
      // With the node everything is born anew, and a lost device only where it is owed.
      for (const { tag } of samples) this.#book.owe(tag.device);
      return [...this.picture()];
    }
    return [...devices].map((device) => this.#deviceBirth(device));
  }

  #isCurrent({ device, name }: TagRef): boolean {
    return this.#device(device)?.tags.some((tag) => tag.name === name) === true;
  }

  #device(name: string): Device | undefined {
    return this.#options.values.devices().find((device) => device.name === name);
  }

  #bornMetric(tag: TagRef): BornMetric {
    const born = this.#book.metric(tag);
    if (born === undefined) throw new RangeError(`${tag.id} is not born`);
    return born;
  }

  #nodeBirth(): Message {
    const { topics, values, bdSeq } = this.#options;
    const nowMs = this.#nowMs();
    this.#born = true;
    this.#refusal = undefined;
    this.#toldEpoch = values.epoch();
    this.#toldUnsynced = values.isUnsynced();
    this.#book.begin();
    return this.#message(topics.nbirth, [
      ...this.#birthMetrics(NODE),
      ownBirth(BD_SEQ, bdSeq, nowMs),
      ownBirth(REBIRTH, false, nowMs),
      ownBirth(this.#book.own(CLOCK_GOOD), !this.#toldUnsynced, nowMs),
      ownBirth(this.#book.own(EPOCH), this.#toldEpoch, nowMs),
      ownBirth(this.#book.own(REFUSED), this.#refusedLast, nowMs),
    ]);
  }

  #deviceBirth(device: string): Message {
    return this.#message(this.#options.topics.dbirth(device), this.#birthMetrics(device));
  }

  #deviceDeath(device: string): Message {
    this.#book.bury(device);
    return this.#message(this.#options.topics.ddeath(device), []);
  }

  #birthMetrics(device: string): readonly Metric[] {
    const { values } = this.#options;
    const tags = this.#device(device)?.tags ?? [];
    const former = this.#book.former(device);
    this.#book.bear(device, [...tags, ...former]);
    const epoch = values.epoch();
    const isUnsynced = values.isUnsynced();
    const tagOf = new Map(tags.map((tag) => [tag.id, tag]));
    const current = values.snapshot(device).map((sample) => {
      this.#book.told(sample);
      return birthMetric(this.#bornMetric(sample.tag), sample, tagOf.get(sample.tag.id) ?? {}, epoch, isUnsynced);
    });
    return [...current, ...former.map((tag) => formerMetric(this.#bornMetric(tag), this.#nowMs()))];
  }

  /** A value of an epoch that the node has not told yet would look like one of the last. */
  #epochNews(): readonly Message[] {
    const epoch = this.#options.values.epoch();
    if (epoch === this.#toldEpoch) return [];
    this.#toldEpoch = epoch;
    return [this.#nodeData(EPOCH, epoch)];
  }

  #lostMessages(stretches: readonly { readonly tag: TagRef; readonly lost: LostMetric }[]): readonly Message[] {
    const births = this.#birthsFor(stretches);
    const byDevice = new Map<string, Metric[]>();
    for (const { tag, lost } of stretches) {
      const metrics = byDevice.get(tag.device) ?? [];
      metrics.push(lostMetric(this.#bornMetric(tag), lost, this.#options.options));
      byDevice.set(tag.device, metrics);
    }
    return [...births, ...[...byDevice].map(([device, metrics]) => this.#message(this.#dataTopic(device), metrics))];
  }

  #parcel<S extends NumberedSample | UnsyncedCopy>(samples: readonly S[], maxBytes: number): Parcel<S> {
    return new Parcel(samples, Math.min(maxBytes, this.#options.messageMaxBytes));
  }

  #data(parcel: Parcel<NumberedSample | UnsyncedCopy>): readonly Message[] {
    return parcel.byDevice().map(([device, payload]) => this.#encoded(this.#dataTopic(device), payload));
  }

  #dataTopic(device: string): string {
    const { topics } = this.#options;
    return device === NODE ? topics.ndata : topics.ddata(device);
  }

  /** A metric of the node that is no tag has changed. */
  #nodeData(metric: BornMetric, value: Value): Message {
    const { topics, options } = this.#options;
    return this.#message(topics.ndata, [ownData(this.#book.own(metric), value, this.#nowMs(), options)]);
  }

  /** Metrics stand in the order of time. */
  #message(topic: string, metrics: readonly Metric[]): Message {
    const ordered = metrics.toSorted((a, b) => Number(a.timestamp) - Number(b.timestamp));
    return this.#encoded(topic, encodePayload({ metrics: ordered }));
  }

  /** Time and number of the payload are those of its writing: see SparkplugConnection. */
  #encoded(topic: string, payload: Uint8Array): Message {
    return { topic, payload, qos: 0, retain: false };
  }

  #nowMs(): number {
    return this.#options.clock.wallMs();
  }
}
