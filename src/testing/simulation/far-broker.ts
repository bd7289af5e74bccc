/** One broker with what goes wrong with it, what may be expected of the way to it, and who reads there. */
import type { ConnectRequest, Message } from "../../pipeline.ts";
import { SimulatedBroker } from "../simulated-broker.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Way } from "./delivery-book.ts";
import { type FarReader, JsonReader } from "./far-reader.ts";
import { HostApplication } from "./host-application.ts";
import { NodeReader } from "./node-reader.ts";
import type { BrokerPlan, BrokerTrouble, UplinkPlan } from "./plan.ts";
import { clientIdOf, topicOf } from "./site.ts";

/** A reader that comes and goes is always new to what is retained. */
const GUEST_STAYS_MS = 97_000;
/** A host that is new asks for births, and gets all of the last minutes again. */
const HOST_STAYS_MS = 4 * GUEST_STAYS_MS;
/** A node has heard that its host is away, and what it wrote before has come. */
const HOST_MISSED_WITHIN_MS = 10_000;
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

/** Of the broker itself, and of the way to it. */
type LinkTrouble = Exclude<BrokerTrouble, { kind: "host away" }>;
type Hindrance = Exclude<LinkTrouble, { kind: "broker forgets" | "connections cut" | "not routed" }>;
/** Topics of nodes; what is told otherwise comes through. */
const NODES = "spBv1.0/";

interface Seats {
  readonly isHost: boolean;
  readonly waitsForHost: boolean;
  readonly resident: FarReader;
  guest: FarReader;
  guestSinceMs: number;
}

interface Ears {
  readonly onMessage: (message: Message) => void;
  readonly onConnect: (request: ConnectRequest) => void;
}

export class FarBroker {
  readonly broker: SimulatedBroker;
  readonly host: HostApplication;
  readonly #plan: BrokerPlan;
  readonly #clock: VirtualClock;
  readonly #hindrances = new Map<number, Hindrance>();
  readonly #unrouted = new Set<number>();
  #hangs = 0;
  #troubledMs = 0;
  #frozenSinceMs = Number.POSITIVE_INFINITY;
  #slow: { readonly bytesPerS: number; readonly untilMs: number } = { bytesPerS: Number.POSITIVE_INFINITY, untilMs: 0 };
  readonly #readers = new Map<string, Seats>();

  constructor(plan: BrokerPlan, clock: VirtualClock, { onMessage, onConnect }: Ears) {
    this.#plan = plan;
    this.#clock = clock;
    this.broker = new SimulatedBroker({ clock, ...plan, onConnect });
    this.host = new HostApplication(this.broker, clock);
    this.#apply();
    this.broker.subscribe("#", (message, retained) => {
      if (retained) return;
      onMessage(message);
      for (const { resident, guest } of this.#readers.values()) {
        resident.receive(message, retained);
        guest.receive(message, retained);
      }
      // The books have it; here it would only take memory.
      this.broker.received.length = 0;
      this.broker.requests.length = 0;
    });
  }

  /** Those who read this uplink's topics: one who is always there, and one who comes and goes. */
  readers(uplink: string): readonly FarReader[] {
    const readers = this.#readers.get(uplink);
    return readers === undefined ? [] : [readers.resident, readers.guest];
  }

  /** From now on they read. */
  seat(uplink: UplinkPlan): void {
    const isHost = uplink.sparkplug !== undefined;
    if (this.#readers.get(uplink.name)?.isHost === isHost) return;
    const newReader = () => this.#newReader(uplink.name, isHost);
    const guestSinceMs = this.#clock.monotonicMs();
    const waitsForHost = uplink.sparkplug?.hasPrimaryHost === true;
    const [resident, guest] = [newReader(), newReader()];
    this.#readers.set(uplink.name, { isHost, waitsForHost, resident, guest, guestSinceMs });
  }

  /** Since when whom it is meant for hears it (monotonic); Infinity: nobody does. */
  heardFromMs(node: string): number {
    return this.#readers.get(node)?.waitsForHost === true ? this.host.connectedMs : Number.NEGATIVE_INFINITY;
  }

  /** The host that this node waits for has gone, and nothing keeps the node from knowing. */
  isKnownToLackHost(node: string): boolean {
    if (this.#readers.get(node)?.waitsForHost !== true || this.#hangs + this.#hindrances.size > 0) return false;
    const sinceMs = Math.max(this.host.awaySinceMs, this.#troubledMs);
    return this.#clock.monotonicMs() - sinceMs > HOST_MISSED_WITHIN_MS;
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

  begin(id: number, trouble: LinkTrouble): void {
    switch (trouble.kind) {
      case "broker forgets":
        this.#forget();
        break;
      case "connections cut":
        this.#cut();
        break;
      case "not routed":
        this.#unrouted.add(id);
        this.#route();
        break;
      default:
        this.#hindrances.set(id, trouble);
        this.#apply();
        if (trouble.kind === "flapping") this.#flap(id, trouble.everyMs);
        if (trouble.kind === "breaks at a byte") this.#breakAmid(id, trouble.everyBytes, trouble.hangsMs);
    }
  }

  end(id: number): void {
    if (this.#unrouted.delete(id)) this.#route();
    if (this.#hindrances.delete(id)) this.#apply();
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
      const { isHost, guestSinceMs } = readers;
      if (nowMs - guestSinceMs < (isHost ? HOST_STAYS_MS : GUEST_STAYS_MS)) continue;
      readers.guestSinceMs = nowMs;
      readers.guest = this.#newReader(uplink, isHost);
    }
  }

  #flap(id: number, everyMs: number): void {
    this.#clock.after(everyMs, () => {
      if (!this.#hindrances.has(id)) return;
      this.broker.drop("the connection was reset");
      this.#flap(id, everyMs);
    });
  }

  #breakAmid(id: number, everyBytes: number, hangsMs: number): void {
    this.broker.breakAfter(everyBytes, () => {
      if (!this.#hindrances.has(id)) return;
      if (hangsMs === 0) this.broker.drop("the connection was reset");
      else this.#hang(hangsMs);
      this.#breakAmid(id, everyBytes, hangsMs);
    });
  }

  #hang(forMs: number): void {
    this.#hangs += 1;
    this.#apply();
    this.#clock.after(forMs, () => {
      this.#hangs -= 1;
      this.#apply();
    });
  }

  #cut(): void {
    this.#troubledMs = this.#clock.monotonicMs();
    this.broker.drop();
  }

  /** It starts anew and knows nothing of before; its readers lost their connections, too. */
  #forget(): void {
    this.#troubledMs = this.#clock.monotonicMs();
    this.broker.drop("the broker is restarting");
    this.broker.retained.clear();
    for (const { resident, guest } of this.#readers.values()) {
      resident.disconnected();
      guest.disconnected();
    }
    this.host.connect();
  }

  /** A right to publish counts from the next connection on. */
  #route(): void {
    this.broker.swallowsBelow = this.#unrouted.size > 0 ? NODES : undefined;
    this.#cut();
  }

  #newReader(uplink: string, isHost: boolean): FarReader {
    if (isHost) return new NodeReader(uplink, this.#clock, () => this.host.askForBirths(uplink));
    const reader = new JsonReader(topicOf(uplink));
    for (const message of this.broker.retained.values()) reader.receive(message, true);
    return reader;
  }

  #apply(): void {
    this.#troubledMs = this.#clock.monotonicMs();
    const all = [...this.#hindrances.values()];
    const isGone = all.some(({ kind }) => kind === "broker gone");
    this.broker.refuse(isGone ? "the broker cannot be reached" : undefined);
    if (isGone) this.broker.drop("the broker has died");
    const isFrozen = this.#hangs > 0 || all.some(({ kind }) => kind === "broker frozen");
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
