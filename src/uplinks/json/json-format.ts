/** JSON over MQTT: status, tags, snapshots, live data and history, each on its own topic below the uplink's prefix. */
import type { Clock } from "../../core/clock.ts";
import type { TagRef } from "../../core/tag.ts";
import type { CurrentValues, Device, Loss, Message, NumberedSample, UnsyncedCopy } from "../../pipeline.ts";
import type { Encoded, Format, FormatLimits, Opening, SessionFormat } from "../format.ts";
import type { Topics } from "../topics.ts";
import { eventsMessage } from "./events-message.ts";
import {
  type Envelope,
  idsBy,
  lostStretches,
  lostText,
  offlineText,
  onlineText,
  type Part,
  snapshotEnvelope,
  tagsEnvelope,
  tagText,
  type ValueId,
  valuesEnvelope,
  writeSample,
} from "./json-payload.ts";
import { mergeAsLost } from "./lost-stretches.ts";
import { entriesOf, packAll, packSamples, payloadOf } from "./packing.ts";
import { Renewals } from "./renewals.ts";

/** Status is told again after this long, so that a late reader is right after at most this long. */
export const STATUS_PERIOD_MS = 60_000;
/** Room for the packet's header and for what stands around the entries. */
const ENVELOPE_MAX_BYTES = 256;

export interface JsonFormatOptions {
  readonly topics: Topics;
  /** Template of a value's id: `{device}` and `{tag}`. */
  readonly id: string;
  readonly values: CurrentValues;
  readonly clock: Clock;
  /** Absent: a session hears nothing. */
  readonly converse?: NonNullable<SessionFormat["converse"]>;
}

export function createJsonFormat(options: JsonFormatOptions): Format {
  const { values, topics } = options;
  const words = { ...options, idOf: idsBy(options.id) };
  return {
    will: ({ session, connectMs }) => ({
      topic: topics.status,
      payload: Buffer.from(offlineText(connectMs, session, values.epoch(), values.isUnsynced())),
      qos: 1,
      retain: topics.retained,
    }),
    session: (opening, limits) => new JsonSession(words, opening, limits),
  };
}

interface Words extends JsonFormatOptions {
  readonly idOf: (tag: TagRef) => ValueId;
}

class JsonSession implements SessionFormat {
  readonly converse?: NonNullable<SessionFormat["converse"]>;
  readonly #words: Words;
  readonly #session: number;
  readonly #limits: FormatLimits;
  readonly #renewals: Renewals;
  /** Per device the parts of its last snapshot. */
  readonly #snapshotParts = new Map<string, number>();
  /** Per device the last data seq that carried it, in the form of the status. */
  readonly #carried = new Map<string, number>();
  #dataSeq = 0;
  #historySeq = 0;
  #statusDueMs = Number.POSITIVE_INFINITY;
  /** What the last status said of the clock. */
  #toldUnsynced = false;

  constructor(words: Words, opening: Opening, limits: FormatLimits) {
    if (words.converse !== undefined) this.converse = words.converse;
    this.#words = words;
    this.#session = opening.session;
    this.#limits = limits;
    this.#renewals = new Renewals((device) => words.values.revision(device));
  }

  retainedTopics(): readonly string[] {
    if (!this.#limits.retainAvailable) return [];
    const { topics, values } = this.#words;
    return [topics.status, ...values.devices().flatMap(({ name }) => [topics.tags(name, 1), topics.snapshot(name, 1)])];
  }

  *describe(): Iterable<Message> {
    const { values, topics, clock } = this.#words;
    for (const device of values.devices()) {
      const timestampMs = clock.wallMs();
      yield* this.#parts(
        (part) => topics.tags(device.name, part),
        (part) => tagsEnvelope(timestampMs, this.#session, part),
        device.tags.map(tagText),
      );
    }
  }

  *picture(): Iterable<Message> {
    for (const device of this.#words.values.devices()) yield* this.#snapshot(device);
  }

  online(): readonly Message[] {
    return [this.#status()];
  }

  offline(): readonly Message[] {
    const { clock, values, topics } = this.#words;
    const text = offlineText(clock.wallMs(), this.#session, values.epoch(), values.isUnsynced());
    return [this.#message(topics.status, Buffer.from(text), true)];
  }

  live(samples: readonly (NumberedSample | UnsyncedCopy)[], maxBytes: number): Encoded {
    const { topics, values, idOf } = this.#words;
    const epoch = values.epoch();
    this.#dataSeq += 1;
    const isUnsynced = samples[0]?.unsynced === true;
    const { payload, taken } = packSamples(
      this.#envelope(epoch, this.#dataSeq, isUnsynced),
      samples,
      (out, sample) => writeSample(out, idOf(sample.tag), sample, epoch, false),
      this.#room(topics.data, maxBytes),
    );
    for (const { tag } of samples.slice(0, taken)) this.#carried.set(tag.device, this.#dataSeq);
    const events = eventsMessage(this.#words, this.#session, samples.slice(0, taken));
    return { messages: [this.#message(topics.data, payload, false), ...events], taken };
  }

  history(samples: readonly NumberedSample[], maxBytes: number): Encoded {
    const { topics, values, idOf } = this.#words;
    const epoch = values.epoch();
    this.#historySeq += 1;
    const { payload, taken } = packSamples(
      this.#envelope(epoch, this.#historySeq, false),
      samples,
      (out, sample) => writeSample(out, idOf(sample.tag), sample, epoch, true),
      this.#room(topics.history, maxBytes),
    );
    const events = eventsMessage(this.#words, this.#session, samples.slice(0, taken));
    return { messages: [this.#message(topics.history, payload, false), ...events], taken };
  }

  forgone(samples: readonly NumberedSample[], maxBytes: number): Encoded {
    const { topics, values, idOf } = this.#words;
    const epoch = values.epoch();
    const merged = mergeAsLost(
      samples,
      "history off",
      (stretch) => lostText(idOf(stretch.tag).text, stretch, epoch),
      this.#room(topics.history, maxBytes),
    );
    return { messages: [this.#historyMessage(epoch, merged.entries)], taken: merged.taken };
  }

  *lost(loss: Loss, maxBytes: number): Iterable<Message> {
    const { topics, values, idOf } = this.#words;
    const epoch = values.epoch();
    const entries = lostStretches(loss).map((stretch) => lostText(idOf(stretch.tag).text, stretch, epoch));
    if (entries.length === 0) return;
    for (const some of packAll(entries, this.#room(topics.history, maxBytes))) yield this.#historyMessage(epoch, some);
  }

  upkeep(nowMs: number): readonly Message[] {
    if (nowMs >= this.#statusDueMs || this.#isClockNews()) return [this.#status()];
    const due = new Set(this.#renewals.take(nowMs));
    const devices = this.#words.values.devices().filter(({ name }) => due.has(name));
    return devices.flatMap((device) => this.#snapshot(device));
  }

  upkeepDueMs(): number {
    // Not the time of now, which is later than that of whoever compares.
    if (this.#isClockNews()) return 0;
    return Math.min(this.#statusDueMs, this.#renewals.dueMs(this.#words.clock.monotonicMs()));
  }

  #isClockNews(): boolean {
    return this.#statusDueMs !== Number.POSITIVE_INFINITY && this.#toldUnsynced !== this.#words.values.isUnsynced();
  }

  #snapshot(device: Device): readonly Message[] {
    const { values, topics, clock, idOf } = this.#words;
    const timestampMs = clock.wallMs();
    const epoch = values.epoch();
    const after = this.#dataSeq;
    const isUnsynced = values.isUnsynced();
    const messages = this.#parts(
      (part) => topics.snapshot(device.name, part),
      (part) => snapshotEnvelope(timestampMs, this.#session, epoch, after, part, isUnsynced),
      entriesOf(values.snapshot(device.name), (out, sample) =>
        writeSample(out, idOf(sample.tag), sample, epoch, false),
      ),
    );
    const partsBefore = this.#snapshotParts.get(device.name) ?? 0;
    this.#snapshotParts.set(device.name, messages.length);
    this.#renewals.shown(device.name, clock.monotonicMs());
    return [...messages, ...this.#clearParts(device.name, messages.length + 1, partsBefore)];
  }

  /** A snapshot that needs fewer parts than before must not leave old ones behind. */
  #clearParts(device: string, from: number, to: number): Message[] {
    const { topics } = this.#words;
    const cleared: Message[] = [];
    if (!this.#limits.retainAvailable) return cleared;
    for (let part = from; part <= to; part++) {
      cleared.push(this.#message(topics.snapshot(device, part), new Uint8Array(), true));
    }
    return cleared;
  }

  #parts(
    topicOf: (part: number) => string,
    envelopeOf: (part: Part) => Envelope,
    entries: readonly string[],
  ): readonly Message[] {
    const packed = packAll(entries, this.#room(topicOf(1), this.#limits.messageMaxBytes));
    return packed.map((some, index) => {
      const part = { part: index + 1, parts: packed.length };
      return this.#message(topicOf(part.part), payloadOf(envelopeOf(part), some), true);
    });
  }

  #status(): Message {
    const { clock, values, topics } = this.#words;
    this.#statusDueMs = clock.monotonicMs() + STATUS_PERIOD_MS;
    this.#toldUnsynced = values.isUnsynced();
    const text = onlineText({
      timestampMs: clock.wallMs(),
      session: this.#session,
      epoch: values.epoch(),
      seq: this.#dataSeq,
      devices: this.#carried,
      isUnsynced: this.#toldUnsynced,
    });
    return this.#message(topics.status, Buffer.from(text), true);
  }

  #historyMessage(epoch: number, entries: readonly string[]): Message {
    this.#historySeq += 1;
    const payload = payloadOf(this.#envelope(epoch, this.#historySeq, false), entries);
    return this.#message(this.#words.topics.history, payload, false);
  }

  /** Of the data and the history topic alike. */
  #envelope(epoch: number, seq: number, isUnsynced: boolean): Envelope {
    return valuesEnvelope(this.#words.clock.wallMs(), this.#session, epoch, seq, isUnsynced);
  }

  #message(topic: string, payload: Uint8Array, retain: boolean): Message {
    return { topic, payload, qos: 1, retain: retain && this.#limits.retainAvailable };
  }

  /** Bytes for the entries of one message. */
  #room(topic: string, maxBytes: number): number {
    return Math.min(maxBytes, this.#limits.messageMaxBytes) - Buffer.byteLength(topic) - ENVELOPE_MAX_BYTES;
  }
}
