/** Everything behind the gateway: the brokers, and what each uplink owes to them and has told them. */
import type { Message } from "../../pipeline.ts";
import type { SimulatedBroker } from "../simulated-broker.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { DeliveryBook } from "./delivery-book.ts";
import { FarBroker } from "./far-broker.ts";
import type { BrokerPlan } from "./plan.ts";
import { brokerOf } from "./site.ts";
import type { Story } from "./story.ts";
import type { TakenIn, TakenInBook } from "./taken-in.ts";

/** No message may be larger (JSON on the wire). */
const MESSAGE_MAX_BYTES = 100_000;
/** The outbox looks this often for what is too old. */
const RETENTION_PERIOD_MS = 60_000;

/** What the card does to what is sent. */
export interface Below {
  readonly card: { isWell(): boolean };
  /** The gateway works without its files. */
  readonly isBlind: boolean;
  isLiveHeldUp(): boolean;
}

export class FarEnd {
  readonly brokers: readonly FarBroker[];
  readonly #clock: VirtualClock;
  readonly #story: Story;
  readonly #takenIn: TakenInBook;
  readonly #below: Below;
  readonly #books = new Map<string, DeliveryBook>();
  readonly #awaySinceMs = new Map<string, number>();
  /** Snapshots that brokers keep and of which the card knows. */
  readonly #remembered = new Set<string>();

  constructor(plans: readonly BrokerPlan[], clock: VirtualClock, story: Story, takenIn: TakenInBook, below: Below) {
    this.#clock = clock;
    this.#below = below;
    this.#story = story;
    this.#takenIn = takenIn;
    takenIn.onDated((samples) => {
      for (const book of this.#books.values()) book.dated(samples);
    });
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

  /** From now on these uplinks are configured. What one owes that was away for longer than anything is kept is forgotten by right. */
  configured(uplinks: readonly string[], maxAgeMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [name, book] of this.#books) {
      const awaySinceMs = this.#awaySinceMs.get(name) ?? nowMs;
      if (!uplinks.includes(name)) {
        this.#awaySinceMs.set(name, awaySinceMs);
        continue;
      }
      this.#awaySinceMs.delete(name);
      if (nowMs - awaySinceMs > maxAgeMs - RETENTION_PERIOD_MS) book.forgive(0);
    }
  }

  forgive(sinceMs: number): void {
    for (const book of this.#books.values()) book.forgive(sinceMs);
  }

  /** The gateway took it in while these uplinks were configured. */
  owe(uplinks: readonly string[], taken: TakenIn): void {
    for (const name of uplinks) this.book(name).owe(taken);
  }

  /** Known limit: what is published retained while the card takes nothing, no later start can clear. */
  isRemembered(broker: number, uplink: string, device: string): boolean {
    return this.#remembered.has(`${broker} ${uplink} ${device}`);
  }

  #noteRetained(broker: number, { topic, payload }: Message): void {
    const [, , uplink, stage, device] = topic.split("/");
    const name = `${broker} ${uplink} ${device}`;
    if (stage !== "snapshot") return;
    if (payload.length === 0) this.#remembered.delete(name);
    else if (this.#below.card.isWell() && !this.#below.isBlind) this.#remembered.add(name);
  }

  #arrived(broker: number, message: Message): void {
    const [, , uplink = ""] = message.topic.split("/");
    this.#noteRetained(broker, message);
    const bytes = message.topic.length + message.payload.length;
    if (bytes >= MESSAGE_MAX_BYTES) this.#story.breach("P7 bounded", `a message of ${bytes} bytes on ${message.topic}`);
    this.#story.note(`broker ${broker} ${message.topic} ${message.payload.length}`);
    if (!message.topic.startsWith("other/")) this.#arrivedFor(uplink, message, broker);
  }

  #arrivedFor(uplink: string, message: Message, broker: number): void {
    const way = this.brokers[broker]?.way();
    if (way === undefined) return;
    // What waits for the card to be committed waits for no link.
    const heldUp = { liveMaxMs: Number.POSITIVE_INFINITY, historyMaxBytes: () => Number.POSITIVE_INFINITY };
    const expected = this.#below.isLiveHeldUp() ? { ...way, ...heldUp } : way;
    this.book(uplink).arrived(message, this.#clock.monotonicMs(), expected);
  }
}
