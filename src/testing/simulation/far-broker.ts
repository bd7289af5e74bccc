/** One broker with what goes wrong with it, what may be expected of the way to it, and who reads there. */
import type { Message } from "../../pipeline.ts";
import { Reader } from "../reader.ts";
import { SimulatedBroker } from "../simulated-broker.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Way } from "./delivery-book.ts";
import type { BrokerPlan } from "./plan.ts";
import { clientIdOf, topicOf } from "./site.ts";

/** A reader that comes and goes is always new to what is retained. */
const GUEST_STAYS_MS = 97_000;
/** P6: history adds at most this to the way of a live value… */
const HISTORY_DELAY_MS = 250;
/** …and one message. */
const HISTORY_BYTES = 4_096;
/** What is sent later than this after being taken in is no longer live; and what it may wait for earlier live messages. */
const SENT_LIVE_WITHIN_MS = 5_000 + 1_000;
/** The live message itself, and the one before it. */
const LIVE_BYTES = 32_768;
/** A status and the snapshot of a device. */
const UPKEEP_BYTES = 16_384;

type Hindrance =
  | { readonly kind: "gone" }
  | { readonly kind: "frozen" }
  | { readonly kind: "flapping"; readonly everyMs: number }
  | { readonly kind: "slow to acknowledge"; readonly delayMs: number }
  | { readonly kind: "slow link"; readonly bytesPerS: number };

export class FarBroker {
  readonly broker: SimulatedBroker;
  readonly #plan: BrokerPlan;
  readonly #clock: VirtualClock;
  readonly #hindrances = new Map<number, Hindrance>();
  #troubledMs = 0;
  #frozenSinceMs = Number.POSITIVE_INFINITY;
  #slow: { readonly bytesPerS: number; readonly untilMs: number } = { bytesPerS: Number.POSITIVE_INFINITY, untilMs: 0 };
  readonly #readers = new Map<string, { readonly resident: Reader; guest: Reader; guestSinceMs: number }>();

  constructor(plan: BrokerPlan, clock: VirtualClock, onMessage: (message: Message) => void) {
    this.#plan = plan;
    this.#clock = clock;
    this.broker = new SimulatedBroker({ clock, ...plan });
    this.#apply();
    this.broker.subscribe("#", (message, retained) => {
      onMessage(message);
      for (const { resident, guest } of this.#readers.values()) {
        resident.receive(message.topic, message.payload, retained);
        guest.receive(message.topic, message.payload, retained);
      }
      // The books have it; here it would only take memory.
      this.broker.received.length = 0;
      this.broker.requests.length = 0;
    });
  }

  /** Those who read this uplink's topics: one who is always there, and one who comes and goes. */
  readers(uplink: string): readonly Reader[] {
    const readers = this.#readers.get(uplink) ?? this.#seat(uplink);
    return [readers.resident, readers.guest];
  }

  /** For how long nothing has come through, and nobody has been told. */
  frozenForMs(): number {
    return Math.max(0, this.#clock.monotonicMs() - this.#frozenSinceMs);
  }

  /** The slowest that it was within so long. */
  bytesPerSWithin(ms: number): number {
    const { bytesPerS, untilMs } = this.#slow;
    const isFelt = this.#clock.monotonicMs() - untilMs <= ms;
    return Math.min(this.broker.bytesPerS, isFelt ? bytesPerS : Number.POSITIVE_INFINITY);
  }

  /** What may be expected of it now. */
  way(): Way {
    const { latencyMs, ackDelayMs } = this.#plan;
    const { bytesPerS } = this.broker;
    const roundTripMs = 2 * latencyMs + ackDelayMs;
    const bytesMs = ((LIVE_BYTES + HISTORY_BYTES + UPKEEP_BYTES) * 1_000) / bytesPerS;
    const hindrances = [...this.#hindrances.values()];
    // A slow link is no fault of the way: there above all history must be no burden.
    const isHindered = hindrances.some(({ kind }) => kind !== "slow link");
    const wellSinceMs = isHindered ? Number.POSITIVE_INFINITY : this.#troubledMs;
    const liveMaxMs = hindrances.length > 0 ? Number.POSITIVE_INFINITY : HISTORY_DELAY_MS + 2 * roundTripMs + bytesMs;
    return {
      wellSinceMs,
      liveMaxMs,
      lagMaxMs: SENT_LIVE_WITHIN_MS + liveMaxMs,
      historyMaxBytes: (lagMs) => historyMaxBytes(bytesPerS, roundTripMs, lagMs),
    };
  }

  begin(id: number, hindrance: Hindrance): void {
    this.#hindrances.set(id, hindrance);
    this.#apply();
    if (hindrance.kind === "flapping") this.#flap(id, hindrance.everyMs);
  }

  end(id: number): void {
    if (this.#hindrances.delete(id)) this.#apply();
  }

  cut(): void {
    this.#troubledMs = this.#clock.monotonicMs();
    this.broker.drop();
  }

  /** It starts anew and knows nothing of before; its readers lost their connections, too. */
  forget(): void {
    this.#troubledMs = this.#clock.monotonicMs();
    this.broker.drop("the broker is restarting");
    this.broker.retained.clear();
    for (const { resident, guest } of this.#readers.values()) {
      resident.disconnected();
      guest.disconnected();
    }
  }

  /** Another client with the identity of this uplink. */
  async takeOver(uplink: string): Promise<void> {
    const will = { topic: `other/${uplink}`, payload: new Uint8Array(), qos: 1, retain: false } as const;
    const server = "mqtts://other:8883";
    try {
      await this.broker.connect({ server, clientId: clientIdOf(uplink), keepAliveMs: 15_000, will });
    } catch {
      // A broker that lets nobody in lets the other one in neither.
    }
  }

  changeGuests(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [uplink, readers] of this.#readers) {
      if (nowMs - readers.guestSinceMs < GUEST_STAYS_MS) continue;
      readers.guestSinceMs = nowMs;
      readers.guest = this.#newReader(uplink);
    }
  }

  #flap(id: number, everyMs: number): void {
    this.#clock.after(everyMs, () => {
      if (!this.#hindrances.has(id)) return;
      this.broker.drop("the connection was reset");
      this.#flap(id, everyMs);
    });
  }

  #seat(uplink: string) {
    const readers = {
      resident: this.#newReader(uplink),
      guest: this.#newReader(uplink),
      guestSinceMs: this.#clock.monotonicMs(),
    };
    this.#readers.set(uplink, readers);
    return readers;
  }

  #newReader(uplink: string): Reader {
    const reader = new Reader(topicOf(uplink));
    for (const { topic, payload } of this.broker.retained.values()) reader.receive(topic, payload, true);
    return reader;
  }

  #apply(): void {
    this.#troubledMs = this.#clock.monotonicMs();
    const all = [...this.#hindrances.values()];
    const isGone = all.some(({ kind }) => kind === "gone");
    this.broker.refuse(isGone ? "the broker cannot be reached" : undefined);
    if (isGone) this.broker.drop("the broker has died");
    const isFrozen = all.some(({ kind }) => kind === "frozen");
    if (isFrozen !== this.broker.frozen) {
      this.broker[isFrozen ? "freeze" : "thaw"]();
      this.#frozenSinceMs = isFrozen ? this.#troubledMs : Number.POSITIVE_INFINITY;
    }
    const delays = all.map((one) => (one.kind === "slow to acknowledge" ? one.delayMs : 0));
    this.broker.ackDelayMs = Math.max(this.#plan.ackDelayMs, ...delays);
    const rates = all.map((one) => (one.kind === "slow link" ? one.bytesPerS : Number.POSITIVE_INFINITY));
    if (this.broker.bytesPerS < this.#plan.bytesPerS) {
      this.#slow = { bytesPerS: this.broker.bytesPerS, untilMs: this.#troubledMs };
    }
    this.broker.bytesPerS = Math.min(this.#plan.bytesPerS, ...rates);
  }
}

/** What passes in the time that history may take, a message more, and one a second while live values wait for themselves. */
function historyMaxBytes(bytesPerS: number, roundTripMs: number, lagMs: number): number {
  const queueBytes = (bytesPerS * (HISTORY_DELAY_MS + 2 * roundTripMs)) / 1_000;
  return queueBytes + HISTORY_BYTES * (2 + lagMs / 1_000);
}
