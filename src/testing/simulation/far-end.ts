/** The brokers with what goes wrong with them, and everybody who listens there: books of each uplink, and readers. */
import type { Message, Sample } from "../../pipeline.ts";
import { Reader } from "../reader.ts";
import { SimulatedBroker } from "../simulated-broker.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { DeliveryBook } from "./delivery-book.ts";
import type { BrokerPlan } from "./plan.ts";
import { brokerOf, clientIdOf, topicOf } from "./site.ts";
import type { Story } from "./story.ts";
import type { TakenInBook } from "./taken-in.ts";

/** No message may be larger (JSON on the wire). */
const MESSAGE_MAX_BYTES = 100_000;
/** A reader that comes and goes is always new to what is retained. */
const GUEST_STAYS_MS = 97_000;

type Hindrance =
  | { readonly kind: "gone" }
  | { readonly kind: "frozen" }
  | { readonly kind: "slow to acknowledge"; readonly delayMs: number }
  | { readonly kind: "slow link"; readonly bytesPerS: number };

/** One broker, and who reads there. */
export class FarBroker {
  readonly broker: SimulatedBroker;
  readonly #plan: BrokerPlan;
  readonly #clock: VirtualClock;
  readonly #hindrances = new Map<number, Hindrance>();
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
    });
  }

  /** Those who read this uplink's topics: one who is always there, and one who comes and goes. */
  readers(uplink: string): readonly Reader[] {
    const readers = this.#readers.get(uplink) ?? this.#seat(uplink);
    return [readers.resident, readers.guest];
  }

  begin(id: number, hindrance: Hindrance): void {
    this.#hindrances.set(id, hindrance);
    this.#apply();
  }

  end(id: number): void {
    if (this.#hindrances.delete(id)) this.#apply();
  }

  cut(): void {
    this.broker.drop();
  }

  /** It starts anew and knows nothing of before; its readers lost their connections, too. */
  forget(): void {
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
    this.broker.requests.length = 0;
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
    const all = [...this.#hindrances.values()];
    const isGone = all.some(({ kind }) => kind === "gone");
    this.broker.refuse(isGone ? "the broker cannot be reached" : undefined);
    if (isGone) this.broker.drop("the broker has died");
    const isFrozen = all.some(({ kind }) => kind === "frozen");
    if (isFrozen !== this.broker.frozen) this.broker[isFrozen ? "freeze" : "thaw"]();
    const delays = all.map((one) => (one.kind === "slow to acknowledge" ? one.delayMs : 0));
    this.broker.ackDelayMs = Math.max(this.#plan.ackDelayMs, ...delays);
    const rates = all.map((one) => (one.kind === "slow link" ? one.bytesPerS : Number.POSITIVE_INFINITY));
    this.broker.bytesPerS = Math.min(this.#plan.bytesPerS, ...rates);
  }
}

export class FarEnd {
  readonly brokers: readonly FarBroker[];
  readonly #clock: VirtualClock;
  readonly #story: Story;
  readonly #takenIn: TakenInBook;
  readonly #books = new Map<string, DeliveryBook>();

  constructor(plans: readonly BrokerPlan[], clock: VirtualClock, story: Story, takenIn: TakenInBook) {
    this.#clock = clock;
    this.#story = story;
    this.#takenIn = takenIn;
    this.brokers = plans.map((plan, i) => new FarBroker(plan, clock, (message) => this.#arrived(i, message)));
  }

  at(server: string): SimulatedBroker {
    const found = this.brokers[brokerOf(server)];
    if (found === undefined) throw new Error(`no broker at ${server}`);
    return found.broker;
  }

  book(uplink: string): DeliveryBook {
    let book = this.#books.get(uplink);
    if (book === undefined) {
      book = new DeliveryBook(uplink, this.#takenIn, this.#story);
      this.#books.set(uplink, book);
    }
    return book;
  }

  /** The gateway took a sample in while these uplinks were configured. */
  owe(uplinks: readonly string[], sample: Sample): void {
    const taken = this.#takenIn.take(sample);
    for (const name of uplinks) this.book(name).owe(taken);
  }

  #arrived(broker: number, message: Message): void {
    const [, , uplink = ""] = message.topic.split("/");
    const bytes = message.topic.length + message.payload.length;
    if (bytes >= MESSAGE_MAX_BYTES) this.#story.breach("P7 bounded", `a message of ${bytes} bytes on ${message.topic}`);
    this.#story.note(`broker ${broker} ${message.topic} ${message.payload.length}`);
    if (!message.topic.startsWith("other/")) this.book(uplink).arrived(message, this.#clock.monotonicMs());
  }
}
