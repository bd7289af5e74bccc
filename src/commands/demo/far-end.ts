/** The broker's other side: a subscriber that knows nothing of the gateway but what is on the wire. */
import type { Clock, Timer } from "../../core/clock.ts";
import { STATUSES, type Status } from "../../core/quality.ts";
import type { Value } from "../../core/tag.ts";
import type { Certificates } from "../../testing/certificates.ts";
import type { Ledger, WireMessage } from "../../testing/ledger.ts";
import { Reader } from "../../testing/reader.ts";
import { type Received, type Subscriber, subscribe } from "../../testing/subscriber.ts";
import { parseWire } from "../../testing/wire.ts";

/** History comes in many messages; it is told in one line when it has paused this long. */
const HISTORY_PAUSE_MS = 400;

export interface FarTag {
  readonly value: Value;
  /** `not current`, or the status in words. */
  readonly words: string;
  readonly timestampMs: number;
}

export interface FarEndOptions {
  readonly url: string;
  readonly certificates: Certificates;
  readonly topic: string;
  readonly ledger: Ledger;
  readonly clock: Clock;
}

export class FarEnd {
  /** Told in words what changed on this side. */
  onEvent: (text: string) => void = () => undefined;
  readonly #options: FarEndOptions;
  readonly #reader: Reader;
  readonly #pictures = new Map<string, string>();
  #subscriber: Subscriber | undefined;
  #historyValues = 0;
  #historyPause: Timer | undefined;

  private constructor(options: FarEndOptions) {
    this.#options = options;
    this.#reader = new Reader(options.topic);
  }

  /** Resolves once it is subscribed: nothing that the broker gets from then on is missed. */
  static async connect(options: FarEndOptions): Promise<FarEnd> {
    const farEnd = new FarEnd(options);
    farEnd.#subscriber = await subscribe(options.url, {
      certificates: options.certificates,
      topics: [`${options.topic}/#`],
      version: 4,
      onMessage: (message) => farEnd.#receive(message),
    });
    return farEnd;
  }

  tag(id: string): FarTag | undefined {
    const tag = this.#reader.tag(id);
    if (tag === undefined) return undefined;
    const { current } = this.#reader.currency(id.split("/")[0] ?? "");
    return { value: tag.value, words: current ? wordsOf(tag.status) : "not current", timestampMs: tag.timestampMs };
  }

  async close(): Promise<void> {
    this.#historyPause?.cancel();
    await this.#subscriber?.close();
  }

  #receive({ topic, payload, retain, again }: Received): void {
    this.#reader.receive(topic, payload, retain);
    const kind = topic.slice(this.#options.topic.length + 1);
    if (kind === "data" || kind === "history") {
      const message = parseWire<WireMessage>(payload);
      this.#options.ledger.arrived(kind, message, again);
      if (kind === "history") this.#countHistory(message.values.length);
    }
    this.#tellChanges();
  }

  #countHistory(values: number): void {
    this.#historyValues += values;
    this.#historyPause?.cancel();
    this.#historyPause = this.#options.clock.after(HISTORY_PAUSE_MS, () => {
      this.onEvent(`broker's side: ${this.#historyValues} missed values arrived, marked as history`);
      this.#historyValues = 0;
    });
  }

  /** One line when what may be believed changes, for all devices that it is true of; not one a value. */
  #tellChanges(): void {
    const changed = new Map<string, string[]>();
    for (const device of this.#reader.devices()) {
      const picture = this.#picture(device);
      if (this.#pictures.get(device) === picture) continue;
      this.#pictures.set(device, picture);
      // The gateway's own tags change too often to be news.
      if (device !== "gateway") changed.set(picture, [...(changed.get(picture) ?? []), device]);
    }
    for (const [picture, devices] of changed) this.onEvent(`broker's side: ${devices.join(", ")}: ${picture}`);
  }

  #picture(device: string): string {
    const { current, reason } = this.#reader.currency(device);
    if (!current) return `not current, ${reason}`;
    const bad = this.#reader.tags(device).filter((tag) => !tag.good);
    const first = bad[0];
    return first === undefined ? "current, all ok" : `current, ${bad.length} not good: ${wordsOf(first.status)}`;
  }
}

function wordsOf(status: string): string {
  return status in STATUSES ? STATUSES[status as Status].words : status;
}
