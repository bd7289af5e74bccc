/** What was handed to the connection and is not acknowledged yet, in order, and how long that takes. */
import type { Clock, Timer } from "../core/clock.ts";
import { isOurBug, messageOf } from "../core/errors.ts";
import type { Connection, Message } from "../pipeline.ts";
import { type Kind, type Load, SINGLES_IN_FLIGHT_MAX } from "./flow.ts";
import type { Ack } from "./pace.ts";

/** What is next to be acknowledged and is not by then: the link is frozen. */
export const FROZEN_AFTER_MS = 5_000;
/** The slowest link worth using; what was not paced to the link gets the time its bytes take there. */
export const SLOWEST_LINK_BYTES_PER_S = 2_000;

const NOT_CONNECTED = "not connected any more";

/** What goes out together and is acknowledged together. */
interface InFlight extends Load {
  readonly kind: Kind;
  readonly sentMs: number;
  readonly queuedBytes: number;
  readonly historyBytes: number;
  readonly settle: (delivered: boolean) => void;
}

export interface SenderOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly onSent: (kind: Kind, load: Load) => void;
  readonly onAck: (kind: Kind, ack: Ack, messages: number) => void;
  /** A message that stood for itself is gone. */
  readonly onRoom: () => void;
  /** The connection is of no more use, with the reason in words. Called at most once. */
  readonly onFailure: (reason: string) => void;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #inFlight = new Set<InFlight>();
  readonly #waiting: (() => void)[] = [];
  /** Of messages that stand for themselves. */
  readonly #beside = new Set<() => void>();
  #messages = 0;
  #bytes = 0;
  #historyBytes = 0;
  #ended = false;
  /** The oldest message and since when it is the oldest. */
  #oldest: InFlight | undefined;
  #oldestSinceMs = 0;
  #watch: Timer | undefined;
  #watchAtMs = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Tells `settle` true as soon as the broker has acknowledged all of them, false when the connection ended before. */
  send(messages: readonly Message[], kind: Kind, settle: (delivered: boolean) => void): void {
    if (this.#ended) {
      settle(false);
      return;
    }
    const { connection, clock, onSent } = this.#options;
    const load = loadOf(messages);
    this.#messages += load.messages;
    this.#bytes += load.bytes;
    if (kind === "history") this.#historyBytes += load.bytes;
    onSent(kind, load);
    const sentMs = clock.monotonicMs();
    const flight = { ...load, kind, sentMs, queuedBytes: this.#bytes, historyBytes: this.#historyBytes, settle };
    this.#inFlight.add(flight);
    this.#watchOldest();
    let owed = messages.length;
    for (const message of messages) {
      connection.publish(message).then(
        () => {
          owed -= 1;
          if (owed === 0) this.#acknowledged(flight);
        },
        (error: unknown) => {
          if (isOurBug(error)) throw error;
          this.#refused(messageOf(error));
        },
      );
    }
  }

  /** A message that stands for itself: it counts among the others, and a refusal of it costs no more than it. */
  async sendBeside(message: Message): Promise<void> {
    while (!this.hasRoom()) if (!(await this.room())) throw new Error(NOT_CONNECTED);
    this.#messages += 1;
    let onEnd = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        onEnd = () => reject(new Error(NOT_CONNECTED));
        this.#beside.add(onEnd);
        this.#options.connection.publish(message).then(resolve, reject);
      });
    } finally {
      this.#beside.delete(onEnd);
      this.#messages -= 1;
      this.#options.onRoom();
      this.#letWaitingLook();
    }
  }

  /** Messages that are not acknowledged, as brokers count them. */
  inFlight(): number {
    return this.#messages;
  }

  /** For a message by itself. */
  hasRoom(): boolean {
    return !this.#ended && this.#messages < SINGLES_IN_FLIGHT_MAX;
  }

  /** Somebody waits, for room as a rule. */
  isWaitedFor(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Resolves with true once another message may be sent, with false when the connection has ended. Others may have
   * taken the room by the time that who asked goes on.
   */
  async room(): Promise<boolean> {
    while (!this.#ended && !this.hasRoom()) await this.#change();
    return !this.#ended;
  }

  /** Resolves with true once no message of this kind is in flight, with false when the connection has ended. */
  async none(kind: Kind): Promise<boolean> {
    while (!this.#ended && [...this.#inFlight].some((flight) => flight.kind === kind)) await this.#change();
    return !this.#ended;
  }

  /** Forgets what is in flight: nobody will acknowledge it here any more. */
  end(): void {
    this.#ended = true;
    this.#watch?.cancel();
    for (const { settle } of this.#inFlight) settle(false);
    this.#inFlight.clear();
    for (const onEnd of this.#beside) onEnd();
    this.#letWaitingLook();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #letWaitingLook(): void {
    for (const look of this.#waiting.splice(0)) look();
  }

  #acknowledged(flight: InFlight): void {
    if (this.#ended || !this.#inFlight.delete(flight)) return;
    const { clock, onAck } = this.#options;
    const { kind, messages, bytes, queuedBytes, historyBytes, sentMs } = flight;
    this.#messages -= messages;
    this.#bytes -= bytes;
    if (kind === "history") this.#historyBytes -= bytes;
    this.#watchOldest();
    flight.settle(true);
    onAck(kind, { ackMs: clock.monotonicMs() - sentMs, bytes, queuedBytes, historyBytes }, messages);
    this.#letWaitingLook();
  }

  /** When a connection ends, its publishes fail as well: its own words come first. */
  #refused(reason: string): void {
    if (this.#ended) return;
    this.#options.clock.after(0, () => this.#fail(reason));
  }

  #fail(reason: string): void {
    if (this.#ended) return;
    this.end();
    this.#options.onFailure(reason);
  }

  #watchOldest(): void {
    const [oldest] = this.#inFlight;
    if (oldest !== this.#oldest) {
      this.#oldest = oldest;
      this.#oldestSinceMs = this.#options.clock.monotonicMs();
    }
    if (oldest === undefined) return;
    const overdueAtMs = this.#oldestSinceMs + patienceMs(oldest);
    // A timer that is early looks again when it is due: cheaper than a new one for each acknowledgement.
    if (this.#watch !== undefined && this.#watchAtMs <= overdueAtMs) return;
    this.#watch?.cancel();
    this.#watchAtMs = overdueAtMs;
    this.#watch = this.#options.clock.after(overdueAtMs - this.#options.clock.monotonicMs(), () =>
      this.#lookAtOldest(),
    );
  }

  #lookAtOldest(): void {
    this.#watch = undefined;
    const oldest = this.#oldest;
    if (oldest === undefined) return;
    const nowMs = this.#options.clock.monotonicMs();
    const waitedMs = nowMs - this.#oldestSinceMs;
    // As the timer was set: written as a difference, rounding could find it early for ever.
    if (nowMs < this.#oldestSinceMs + patienceMs(oldest)) this.#watchOldest();
    else this.#fail(`no acknowledgement from the broker for ${Math.round(waitedMs / 1000)} s: the link is frozen`);
  }
}

/**
 * Payload and topic: what packets weigh, but for their few bytes of header. Brokers count those of QoS 1; what goes
 * together at QoS 0 counts as one.
 */
function loadOf(messages: readonly Message[]): Load {
  let counted = 0;
  let bytes = 0;
  for (const { topic, payload, qos } of messages) {
    bytes += topic.length + payload.length;
    if (qos > 0) counted += 1;
  }
  return { bytes, messages: Math.max(1, counted) };
}

function patienceMs({ kind, bytes }: InFlight): number {
  const unpacedBytes = kind === "history" ? 0 : bytes;
  return FROZEN_AFTER_MS + (unpacedBytes / SLOWEST_LINK_BYTES_PER_S) * 1000;
}
