/** Everything behind the gateway: the brokers, and what each uplink owes to them and has told them. */
import type { ConnectRequest, Message } from "../../pipeline.ts";
import type { SimulatedBroker } from "../simulated-broker.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Files } from "./bd-seqs.ts";
import { DeliveryBook, type Way } from "./delivery-book.ts";
import { FarBroker } from "./far-broker.ts";
import { JsonArrivals } from "./json-arrivals.ts";
import { NodeArrivals } from "./node-arrivals.ts";
import { bdSeqIn, nodeTopic } from "./node-listener.ts";
import { nodePayload } from "./node-payload.ts";
import type { BrokerPlan, BrokerTrouble, UplinkPlan } from "./plan.ts";
import { brokerOf, topicOf } from "./site.ts";
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
  /** When a file was damaged, the last time. */
  readonly damagedMs: number;
  isLiveHeldUp(): boolean;
  /** Devices that have been there for long, and are. */
  present(): readonly string[];
}

/** Of one uplink. */
interface Books {
  readonly book: DeliveryBook;
  readonly json: JsonArrivals;
  readonly node: NodeArrivals;
}

/** Topics of JSON uplinks; the name of the uplink follows. */
const JSON_TOPICS = topicOf("");

export class FarEnd {
  readonly brokers: readonly FarBroker[];
  readonly #clock: VirtualClock;
  readonly #story: Story;
  readonly #takenIn: TakenInBook;
  readonly #below: Below;
  readonly #books = new Map<string, Books>();
  readonly #awaySinceMs = new Map<string, number>();
  #seated: ReadonlyMap<string, UplinkPlan> = new Map();
  /** Snapshots that brokers keep and of which the card knows. */
  readonly #remembered = new Set<string>();

  constructor(plans: readonly BrokerPlan[], clock: VirtualClock, story: Story, takenIn: TakenInBook, below: Below) {
    this.#clock = clock;
    this.#below = below;
    this.#story = story;
    this.#takenIn = takenIn;
    takenIn.onDated((samples) => {
      for (const { book } of this.#books.values()) book.dated(samples);
    });
    this.brokers = plans.map(
      (plan, i) =>
        new FarBroker(plan, clock, {
          onMessage: (message) => this.#arrived(i, message),
          onConnect: (request) => this.#connects(i, request),
        }),
    );
  }

  at(server: string): SimulatedBroker {
    const found = this.brokers[brokerOf(server)];
    if (found === undefined) throw new Error(`no broker at ${server}`);
    return found.broker;
  }

  begin(id: number, trouble: BrokerTrouble): void {
    if (trouble.kind === "host away") this.brokers[trouble.broker]?.host.die(trouble.silentMs);
    else this.brokers[trouble.broker]?.begin(id, trouble);
  }

  end(id: number, { kind, broker }: BrokerTrouble): void {
    if (kind === "host away") this.brokers[broker]?.host.comeBack();
    else this.brokers[broker]?.end(id);
  }

  takeOver(uplink: string): void {
    for (const broker of this.brokers) void broker.takeOver(uplink);
  }

  /** Hosts at all brokers ask a node for its births, one time after the other. */
  askForBirths(node: string, times: number, everyMs: number): void {
    if (times === 0) return;
    for (const broker of this.brokers) broker.host.askForBirths(node);
    this.#clock.after(everyMs, () => this.askForBirths(node, times - 1, everyMs));
  }

  /**
   * Each uplink has its readers, at each of its brokers. A gateway that is new knows nothing of what has to come again,
   * nor does one for which an uplink is new.
   */
  seat(uplinks: readonly UplinkPlan[], isNewGateway: boolean): void {
    for (const uplink of uplinks) for (const i of uplink.brokers) this.brokers[i]?.seat(uplink);
    for (const [name, { book }] of this.#books) {
      const uplink = uplinks.find((plan) => plan.name === name);
      if (isNewGateway || !isSame(uplink, this.#seated.get(name))) book.forgiveUnheard();
    }
    this.#seated = new Map(uplinks.map((uplink) => [uplink.name, uplink]));
  }

  book(uplink: string): DeliveryBook {
    return this.#booksOf(uplink).book;
  }

  #booksOf(uplink: string): Books {
    const known = this.#books.get(uplink);
    if (known !== undefined) return known;
    const story = this.#story;
    const book = new DeliveryBook(uplink, this.#takenIn, story);
    const node = new NodeArrivals({ uplink, book, story, files: this.#files(), present: () => this.#below.present() });
    const books = { book, json: new JsonArrivals(uplink, book, story), node };
    this.#books.set(uplink, books);
    return books;
  }

  #files(): Files {
    const [below, takenIn] = [this.#below, this.#takenIn];
    return {
      areInOrder: () => below.card.isWell() && !below.isBlind,
      damagedMs: () => below.damagedMs,
      lives: () => takenIn.livesMs.length,
    };
  }

  /** From now on these uplinks are configured. What one owes that was away for longer than anything is kept is forgotten by right. */
  configured(uplinks: readonly string[], maxAgeMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [name, { book }] of this.#books) {
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
    for (const { book } of this.#books.values()) book.forgive(sinceMs);
  }

  /** The gateway took it in while these uplinks were configured. */
  owe(uplinks: readonly string[], taken: TakenIn): void {
    for (const name of uplinks) this.book(name).owe(taken);
  }

  /** Known limit: what is published retained while the card takes nothing, no later start can clear. */
  mustBeCleared(broker: number, { name, sparkplug }: UplinkPlan, device: string): boolean {
    return sparkplug !== undefined || this.#remembered.has(`${broker} ${name} ${device}`);
  }

  #noteRetained(broker: number, { topic, payload }: Message): void {
    const [, , uplink, stage, device] = topic.split("/");
    const name = `${broker} ${uplink} ${device}`;
    if (stage !== "snapshot") return;
    if (payload.length === 0) this.#remembered.delete(name);
    else if (this.#below.card.isWell() && !this.#below.isBlind) this.#remembered.add(name);
  }

  #connects(broker: number, { will }: ConnectRequest): void {
    const topic = nodeTopic(will.topic);
    if (topic === undefined) return;
    const bdSeq = bdSeqIn(nodePayload(will.payload));
    this.#booksOf(topic.node).node.connects(broker, bdSeq, this.#clock.monotonicMs());
  }

  #arrived(broker: number, message: Message): void {
    const { topic } = message;
    const bytes = topic.length + message.payload.length;
    if (bytes >= MESSAGE_MAX_BYTES) this.#story.breach("P7 bounded", `a message of ${bytes} bytes on ${topic}`);
    this.#story.note(`broker ${broker} ${topic} ${message.payload.length}`);
    const way = this.#wayFrom(broker);
    const node = nodeTopic(topic);
    const nowMs = this.#clock.monotonicMs();
    if (node !== undefined) {
      if (node.type !== "NDEATH" && this.brokers[broker]?.isKnownToLackHost(node.node) === true)
        this.#story.breach("P3 order of a session", `${topic}, though the primary host is away`);
      const heardFromMs = this.brokers[broker]?.heardFromMs(node.node) ?? nowMs;
      this.#booksOf(node.node).node.arrived({ broker, message, nowMs, way, heardFromMs });
    }
    if (!topic.startsWith(JSON_TOPICS)) return;
    const [uplink = ""] = topic.slice(JSON_TOPICS.length).split("/");
    this.#noteRetained(broker, message);
    this.#booksOf(uplink).json.arrived(message, nowMs, way);
  }

  #wayFrom(broker: number): Way {
    const way = this.brokers[broker]?.way();
    if (way === undefined) throw new RangeError(`no broker ${broker}`);
    return this.#below.isLiveHeldUp() ? { ...way, ...HELD_UP } : way;
  }
}

/** Who waits for a host does so for the same one. */
function isSame(uplink: UplinkPlan | undefined, before: UplinkPlan | undefined): boolean {
  return uplink?.sparkplug?.hasPrimaryHost === before?.sparkplug?.hasPrimaryHost;
}

/** What waits for the card to be committed waits for no link. */
const HELD_UP: Pick<Way, "liveMaxMs" | "historyMaxBytes"> = {
  liveMaxMs: Number.POSITIVE_INFINITY,
  historyMaxBytes: () => Number.POSITIVE_INFINITY,
};
