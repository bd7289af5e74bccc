/** The JSON on the wire, as texts. Keys stand in the order of the contract; what does not apply is left out. */
import { isGood, type Status } from "../../core/quality.ts";
import type { Tag, TagRef } from "../../core/tag.ts";
import type { Loss, LossReason, Sample } from "../../pipeline.ts";
import { JsonWriter } from "./json-writer.ts";

/** The value of `clock` where the times are only the best-known ones. */
const UNSYNCED = "unsynced";

/** An opened object that takes entries between `open` and `close`, divided by commas. */
export interface Envelope {
  readonly open: string;
  readonly close: string;
}

/** A stretch of one tag's samples that this uplink does not get. */
export interface LostStretch {
  readonly tag: TagRef;
  readonly epoch: number;
  readonly toEpoch: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number | null;
  readonly reason: LossReason;
}

export interface StatusFacts {
  readonly timestampMs: number;
  readonly session: number;
  readonly epoch: number;
  /** Last data seq sent. */
  readonly seq: number;
  /** Per device the last data seq that carried it. */
  readonly devices: ReadonlyMap<string, number>;
  readonly isUnsynced: boolean;
}

export interface Part {
  readonly part: number;
  readonly parts: number;
}

/** A value's id as JSON text. */
export interface ValueId {
  readonly text: string;
  /** The beginning of each entry of the value: `{"id":"pump-1/speed","v":` */
  readonly head: Uint8Array;
}

/** Makes a value's id from the template of the configuration, once for each tag. */
export function idsBy(template: string): (tag: TagRef) => ValueId {
  const known = new Map<string, ValueId>();
  return (tag) => {
    let id = known.get(tag.id);
    if (id === undefined) {
      const text = JSON.stringify(
        template.replaceAll("{device}", () => tag.device).replaceAll("{tag}", () => tag.name),
      );
      id = { text, head: Buffer.from(`{"id":${text},"v":`) };
      known.set(tag.id, id);
    }
    return id;
  };
}

export function onlineText(facts: StatusFacts): string {
  const { timestampMs, session, epoch, seq, devices, isUnsynced } = facts;
  return JSON.stringify({
    online: true,
    timestamp: timestampMs,
    session,
    epoch,
    seq,
    devices: Object.fromEntries(devices),
    ...(isUnsynced && { clock: UNSYNCED }),
  });
}

/** The will, and the status of a planned end. */
export function offlineText(timestampMs: number, session: number, epoch: number, isUnsynced: boolean): string {
  return JSON.stringify({
    online: false,
    timestamp: timestampMs,
    session,
    epoch,
    ...(isUnsynced && { clock: UNSYNCED }),
  });
}

export function tagsEnvelope(timestampMs: number, session: number, part: Part): Envelope {
  return { open: `{"timestamp":${timestampMs},"session":${session}${partText(part)},"tags":{`, close: "}}" };
}

/** `"speed":{"type":"float32",…}` */
export function tagText(tag: Tag): string {
  const { name, type, units, min, max, scanRateMs, staleMs, writable, enum: names } = tag;
  const facts = { type, units, min, max, enum: names, scanRate: scanRateMs, stale: staleMs, writable };
  return `${JSON.stringify(name)}:${JSON.stringify(facts)}`;
}

/** @param after the last data seq that the snapshot includes */
export function snapshotEnvelope(
  timestampMs: number,
  session: number,
  epoch: number,
  after: number,
  part: Part,
  isUnsynced: boolean,
): Envelope {
  const head = `{"timestamp":${timestampMs},"session":${session},"epoch":${epoch},"after":${after}`;
  return { open: `${head}${partText(part)}${clockText(isUnsynced)},"values":[`, close: "]}" };
}

/** Of the data and the history topic alike. */
export function valuesEnvelope(
  timestampMs: number,
  session: number,
  epoch: number,
  seq: number,
  isUnsynced: boolean,
): Envelope {
  const head = `{"timestamp":${timestampMs},"session":${session},"epoch":${epoch},"seq":${seq}`;
  return { open: `${head}${clockText(isUnsynced)},"values":[`, close: "]}" };
}

/** @param messageEpoch the epoch of the message; a sample of another one says its own */
export function writeSample(
  out: JsonWriter,
  id: ValueId,
  { tag, value, status, sourceTimestampMs, epoch }: Sample,
  messageEpoch: number,
  historical: boolean,
): void {
  out.encoded(id.head);
  out.value(value, tag.type);
  const tails = historical ? HISTORICAL_TAILS : LIVE_TAILS;
  out.encoded(tails.of(status, sourceTimestampMs, epochToTell(epoch, messageEpoch)));
}

/** Of Kepware's IoT Gateway, standard template. */
export function kepwareEnvelope(timestampMs: number): Envelope {
  return { open: `{"timestamp":${timestampMs},"values":[`, close: "]}" };
}

/** A value in Kepware's standard template. */
export function writeKepware(
  out: JsonWriter,
  id: ValueId,
  { tag, value, status, sourceTimestampMs }: Sample,
  isUnsynced: boolean,
): void {
  out.encoded(id.head);
  out.value(value, tag.type);
  out.encoded(KEPWARE_TAILS.of(isGood(status) && !isUnsynced, sourceTimestampMs, undefined));
}

/** A lost stretch, on the history topic. */
export function lostText(id: string, lost: LostStretch, messageEpoch: number): string {
  const { epoch, toEpoch, fromMs, toMs, count, reason } = lost;
  const toEpochText = toEpoch === epoch ? "" : `,"toE":${toEpoch}`;
  return `{"id":${id},"v":null${qualityText("BadDataLost")},"t":${fromMs},"h":1${epochText(epochToTell(epoch, messageEpoch))},"from":${fromMs},"to":${toMs}${toEpochText},"count":${count},"reason":${JSON.stringify(reason)}}`;
}

export function lostStretches(loss: Loss): readonly LostStretch[] {
  const { epoch, toEpoch, fromMs, toMs, reason } = loss;
  return loss.tags.map(({ tag, count }) => ({ tag, epoch, toEpoch, fromMs, toMs, count, reason }));
}

function qualityText(status: Status): string {
  return isGood(status) ? `,"q":true` : `,"q":false,"s":"${status}"`;
}

/** What follows a value. Samples of one reply have it in common, so the last one is kept. */
class Tails<Q> {
  readonly #out = new JsonWriter();
  readonly #qualityText: (quality: Q) => string;
  readonly #mark: string;
  #quality: Q | undefined;
  /** Where the time stands: what is before it changes with the quality only. */
  #timeAt = 0;
  #ms = Number.NaN;
  #epoch: number | undefined;
  #end: Uint8Array;
  #last: Uint8Array = new Uint8Array();

  /** @param mark behind the time */
  constructor(qualityText: (quality: Q) => string, mark: string) {
    this.#qualityText = qualityText;
    this.#mark = mark;
    this.#end = Buffer.from(`${mark}}`);
  }

  /** @param epoch undefined: not told; it is good until the next one is asked for */
  of(quality: Q, ms: number, epoch: number | undefined): Uint8Array {
    if (ms === this.#ms && quality === this.#quality && epoch === this.#epoch) return this.#last;
    if (quality !== this.#quality) {
      this.#quality = quality;
      this.#out.back(0);
      this.#out.text(`${this.#qualityText(quality)},"t":`);
      this.#timeAt = this.#out.length;
    }
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#end = Buffer.from(`${this.#mark}${epochText(epoch)}}`);
    }
    this.#ms = ms;
    this.#out.back(this.#timeAt);
    this.#out.value(ms, "int64");
    this.#out.encoded(this.#end);
    this.#last = this.#out.view();
    return this.#last;
  }
}

const LIVE_TAILS = new Tails(qualityText, "");
const HISTORICAL_TAILS = new Tails(qualityText, `,"h":1`);
const KEPWARE_TAILS = new Tails((good: boolean) => `,"q":${good}`, "");

/** A sample of the message's own epoch does not say it. */
function epochToTell(epoch: number, messageEpoch: number): number | undefined {
  return epoch === messageEpoch ? undefined : epoch;
}

function epochText(epoch: number | undefined): string {
  return epoch === undefined ? "" : `,"e":${epoch}`;
}

function clockText(isUnsynced: boolean): string {
  return isUnsynced ? `,"clock":"${UNSYNCED}"` : "";
}

/** One part needs no word about it. */
function partText({ part, parts }: Part): string {
  return parts === 1 ? "" : `,"part":${part},"parts":${parts}`;
}
