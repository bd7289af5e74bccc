/** What was handed to the connection and is not acknowledged yet, in order, and how long that takes. */
import type { Clock, Timer } from "../core/clock.ts";
import { isOurBug, messageOf } from "../core/errors.ts";
import type { Connection, Message } from "../pipeline.ts";
import { type Kind, MESSAGES_IN_FLIGHT_MAX } from "./flow.ts";
import type { Ack } from "./pace.ts";

/** What is next to be acknowledged and is not by then: the link is frozen. */
export const FROZEN_AFTER_MS = 5_000;
/** The slowest link worth using; what was not paced to the link gets the time its bytes take there. */
export const SLOWEST_LINK_BYTES_PER_S = 2_000;

/** What goes out together and is acknowledged together. */
interface InFlight {
  readonly kind: Kind;
  readonly bytes: number;
  readonly sentMs: number;
  readonly queuedBytes: number;
  readonly historyBytes: number;
  readonly settle: (delivered: boolean) => void;
}

export interface SenderOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly onSent: (kind: Kind, bytes: number) => void;
  readonly onAck: (kind: Kind, ack: Ack) => void;
  /** The connection is of no more use, with the reason in words. Called at most once. */
  readonly onFailure: (reason: string) => void;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #inFlight = new Set<InFlight>();
  readonly #waiting: (() => void)[] = [];
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
    const bytes = messages.reduce((sum, message) => sum + sizeOf(message), 0);
    this.#bytes += bytes;
    if (kind === "history") this.#historyBytes += bytes;
    onSent(kind, bytes);
    const sentMs = clock.monotonicMs();
    const flight = { kind, bytes, sentMs, queuedBytes: this.#bytes, historyBytes: this.#historyBytes, settle };
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

  hasRoom(): boolean {
    return !this.#ended && this.#inFlight.size < MESSAGES_IN_FLIGHT_MAX;
  }

  /** Resolves with true once another message may be sent, with false when the connection has ended. */
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
    const { kind, bytes, queuedBytes, historyBytes, sentMs } = flight;
    this.#bytes -= bytes;
    if (kind === "history") this.#historyBytes -= bytes;
    this.#watchOldest();
    flight.settle(true);
    onAck(kind, { ackMs: clock.monotonicMs() - sentMs, bytes, queuedBytes, historyBytes });
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

/** Payload and topic: what a packet weighs, but for its few bytes of header. */
function sizeOf({ topic, payload }: Message): number {
  return topic.length + payload.length;
}

function patienceMs({ kind, bytes }: InFlight): number {
  const unpacedBytes = kind === "history" ? 0 : bytes;
  return FROZEN_AFTER_MS + (unpacedBytes / SLOWEST_LINK_BYTES_PER_S) * 1000;
}
