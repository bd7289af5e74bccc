/**
 * A connection as Sparkplug needs it: messages get their time and number as they are written, and a message at QoS 0 is
 * acknowledged when the broker has read it (see barrier.ts).
 */
import type { Clock } from "../../core/clock.ts";
import type { BrokerLimits, Connection, ConnectionEnd, Message } from "../../pipeline.ts";
import { afterAnswer, afterAsking, afterWriting, type Barrier, mustAsk, OPEN_BARRIER } from "./barrier.ts";
import { stampPayload } from "./payload.ts";
import { messageType } from "./sparkplug-topics.ts";

export interface SparkplugConnectionOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  /** Where to ask at QoS 1 in place of a ping; absent: ping. */
  readonly barrierTopic?: string;
  /** Whose own messages come back. */
  readonly echoTopics: readonly string[];
}

interface Flight {
  /** So many were written up to this one. */
  readonly number: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const SEQS = 256;
const NOTHING = new Uint8Array();

export class SparkplugConnection implements Connection {
  readonly limits: BrokerLimits;
  readonly closed: Promise<ConnectionEnd>;
  readonly #options: SparkplugConnectionOptions;
  readonly #lastWritten = new Map<string, Uint8Array>();
  #seq = 0;
  #barrier: Barrier = OPEN_BARRIER;
  #flights: Flight[] = [];
  #asking = false;

  constructor(options: SparkplugConnectionOptions) {
    const { connection } = options;
    this.#options = options;
    // Nothing of Sparkplug's is retained by an edge node.
    this.limits = { ...connection.limits, retainAvailable: false };
    this.closed = connection.closed;
  }

  publish(message: Message): Promise<void> {
    const { connection } = this.#options;
    if (message.qos === 1) return connection.publish(message);
    const written = this.#stamped(message);
    if (this.#options.echoTopics.includes(written.topic)) this.#lastWritten.set(written.topic, written.payload);
    this.#barrier = afterWriting(this.#barrier);
    const number = this.#barrier.written;
    return new Promise((resolve, reject) => {
      this.#flights.push({ number, resolve, reject });
      connection.publish(written).catch(reject);
      this.#askSoon();
    });
  }

  hasWritten(echoTopic: string): boolean {
    return this.#lastWritten.has(echoTopic);
  }

  /** Whether this is the last that was written on its topic, come back. */
  isEcho({ topic, payload }: Message): boolean {
    const written = this.#lastWritten.get(topic);
    return written !== undefined && Buffer.compare(written, payload) === 0;
  }

  subscribe(filters: Readonly<Record<string, 0 | 1>>): Promise<readonly string[]> {
    return this.#options.connection.subscribe(filters);
  }

  unsubscribe(filters: readonly string[]): Promise<void> {
    return this.#options.connection.unsubscribe(filters);
  }

  onMessage(listener: (message: Message) => void): void {
    this.#options.connection.onMessage(listener);
  }

  ping(): Promise<void> {
    return this.#options.connection.ping();
  }

  bufferedBytes(): number {
    return this.#options.connection.bufferedBytes();
  }

  /** A node that goes as planned has the broker send its will too (Sparkplug 3.0, 6.4.25). */
  close(): Promise<void> {
    return this.#options.connection.close("send will");
  }

  destroy(): void {
    this.#options.connection.destroy();
  }

  /** NBIRTH begins the count anew; a message that is not written takes no number. */
  #stamped(message: Message): Message {
    this.#seq = messageType(message.topic) === "NBIRTH" ? 0 : (this.#seq + 1) % SEQS;
    const payload = stampPayload(message.payload, this.#options.clock.wallMs(), this.#seq);
    return { ...message, payload };
  }

  /** Once for all that is written in this turn. */
  #askSoon(): void {
    if (this.#asking || !mustAsk(this.#barrier)) return;
    this.#asking = true;
    queueMicrotask(() => {
      this.#asking = false;
      this.#barrier = afterAsking(this.#barrier);
      this.#ask().then(
        () => this.#answered(),
        (error: unknown) => this.#abandon(error instanceof Error ? error : new Error(String(error))),
      );
    });
  }

  #ask(): Promise<void> {
    const { connection, barrierTopic: topic } = this.#options;
    return topic === undefined
      ? connection.ping()
      : connection.publish({ topic, payload: NOTHING, qos: 1, retain: false });
  }

  #answered(): void {
    this.#barrier = afterAnswer(this.#barrier);
    const { confirmed } = this.#barrier;
    const unread = this.#flights.findIndex(({ number }) => number > confirmed);
    const read = this.#flights.splice(0, unread < 0 ? this.#flights.length : unread);
    for (const { resolve } of read) resolve();
    this.#askSoon();
  }

  #abandon(error: Error): void {
    for (const { reject } of this.#flights.splice(0)) reject(error);
  }
}
