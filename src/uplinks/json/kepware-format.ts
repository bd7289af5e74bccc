/**
 * What Kepware's IoT Gateway publishes with its standard template, to the byte and to its topic, so that dashboards
 * made for it keep working. It has no word for history, losses, sessions and the clock: these stand below
 * `<topic>/<group>/<name>`, as in our own JSON.
 */
import type { TagRef } from "../../core/tag.ts";
import type { Loss, Message, NumberedSample, Sample, UnsyncedCopy } from "../../pipeline.ts";
import type { Encoded, Format, FormatLimits, SessionFormat } from "../format.ts";
import { eventsMessage } from "./events-message.ts";
import { createJsonFormat, type JsonFormatOptions } from "./json-format.ts";
import { type Envelope, idsBy, kepwareEnvelope, type ValueId, writeKepware } from "./json-payload.ts";
import type { JsonWriter } from "./json-writer.ts";
import { entriesOf, packAll, packSamples, payloadOf } from "./packing.ts";

export interface KepwareFormatOptions extends JsonFormatOptions {
  /** `topics` are what Kepware has no word for; this is its own. */
  readonly topic: string;
}

/** Room for the packet's header and for what stands around the entries. */
const ENVELOPE_MAX_BYTES = 64;

export function createKepwareFormat(options: KepwareFormatOptions): Format {
  const beside = createJsonFormat(options);
  const words = { ...options, idOf: idsBy(options.id) };
  return {
    will: (opening) => beside.will(opening),
    session: (opening, limits) => new KepwareSession(words, beside.session(opening, limits), opening.session, limits),
  };
}

interface Words extends KepwareFormatOptions {
  readonly idOf: (tag: TagRef) => ValueId;
}

class KepwareSession implements SessionFormat {
  readonly converse?: NonNullable<SessionFormat["converse"]>;
  readonly #words: Words;
  /** Status, history and losses. It is asked for no picture, so it renews none. */
  readonly #beside: SessionFormat;
  readonly #session: number;
  readonly #limits: FormatLimits;

  constructor(words: Words, beside: SessionFormat, session: number, limits: FormatLimits) {
    if (words.converse !== undefined) this.converse = words.converse;
    this.#words = words;
    this.#beside = beside;
    this.#session = session;
    this.#limits = limits;
  }

  retainedTopics(): readonly string[] {
    return this.#limits.retainAvailable ? [this.#words.topics.status] : [];
  }

  describe(): Iterable<Message> {
    return [];
  }

  /** As Kepware does when it starts: every value once. */
  *picture(): Iterable<Message> {
    const { values } = this.#words;
    const isUnsynced = values.isUnsynced();
    const entries = values
      .devices()
      .flatMap(({ name }) => entriesOf(values.snapshot(name), (out, sample) => this.#write(out, sample, isUnsynced)));
    if (entries.length === 0) return;
    for (const some of packAll(entries, this.#room(this.#limits.messageMaxBytes)))
      yield this.#message(payloadOf(this.#envelope(), some));
  }

  online(): readonly Message[] {
    return this.#beside.online();
  }

  offline(): readonly Message[] {
    return this.#beside.offline();
  }

  live(samples: readonly (NumberedSample | UnsyncedCopy)[], maxBytes: number): Encoded {
    const isUnsynced = samples[0]?.unsynced === true;
    const { payload, taken } = packSamples(
      this.#envelope(),
      samples,
      (out, sample) => this.#write(out, sample, isUnsynced),
      this.#room(maxBytes),
    );
    const events = eventsMessage(this.#words, this.#session, samples.slice(0, taken));
    return { messages: [this.#message(payload), ...events], taken };
  }

  history(samples: readonly NumberedSample[], maxBytes: number): Encoded {
    return this.#beside.history(samples, maxBytes);
  }

  forgone(samples: readonly NumberedSample[], maxBytes: number): Encoded {
    return this.#beside.forgone(samples, maxBytes);
  }

  lost(loss: Loss, maxBytes: number): Iterable<Message> {
    return this.#beside.lost(loss, maxBytes);
  }

  upkeep(nowMs: number): readonly Message[] {
    return this.#beside.upkeep(nowMs);
  }

  upkeepDueMs(): number {
    return this.#beside.upkeepDueMs();
  }

  /** A value whose time is a guess is not good: there is no other mark for it here. */
  #write(out: JsonWriter, sample: Sample, isUnsynced: boolean): void {
    writeKepware(out, this.#words.idOf(sample.tag), sample, isUnsynced);
  }

  #envelope(): Envelope {
    return kepwareEnvelope(this.#words.clock.wallMs());
  }

  #message(payload: Uint8Array): Message {
    return { topic: this.#words.topic, payload, qos: 1, retain: false };
  }

  #room(maxBytes: number): number {
    const { topic } = this.#words;
    return Math.min(maxBytes, this.#limits.messageMaxBytes) - Buffer.byteLength(topic) - ENVELOPE_MAX_BYTES;
  }
}
