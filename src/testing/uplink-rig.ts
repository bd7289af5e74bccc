/** An uplink between current values set by hand and a simulated broker, watched by a ledger, a reader and the order of sessions. */
import type { UplinkConfig } from "../config/config.ts";
import { createLog, type Log } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import type { Device, Message, Transport } from "../pipeline.ts";
import { createUplink, type Uplink } from "../uplinks/uplink.ts";
import { Ledger } from "./ledger.ts";
import { MemoryQueue } from "./memory-queue.ts";
import { MemoryState } from "./memory-state.ts";
import { Reader } from "./reader.ts";
import { SessionOrder } from "./session-order.ts";
import { deviceOf, SettableValues } from "./settable-values.ts";
import { SimulatedBroker, type SimulatedBrokerOptions } from "./simulated-broker.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { passUntil, passWhile } from "./virtual-wait.ts";
import { parseWire } from "./wire.ts";

export const TOPIC = "plant/gateway";

export interface UplinkRigOptions {
  readonly devices?: readonly Device[];
  readonly broker?: Omit<SimulatedBrokerOptions, "clock">;
  readonly config?: Partial<UplinkConfig>;
  /** Shared by several rigs. */
  readonly clock?: VirtualClock;
  /** In place of the rig's broker. */
  readonly transport?: Transport;
}

export class UplinkRig {
  readonly clock: VirtualClock;
  readonly broker: SimulatedBroker;
  readonly queue: MemoryQueue;
  readonly state = new MemoryState();
  readonly values: SettableValues;
  readonly ledger = new Ledger();
  readonly reader = new Reader(TOPIC);
  readonly order = new SessionOrder(TOPIC);
  readonly log: string[] = [];
  uplink: Uplink;
  readonly #options: UplinkRigOptions;

  constructor(options: UplinkRigOptions = {}) {
    this.#options = options;
    this.clock = options.clock ?? new VirtualClock();
    this.broker = new SimulatedBroker({ clock: this.clock, ...options.broker });
    this.queue = new MemoryQueue(this.clock);
    const devices = options.devices ?? [deviceOf("pump", ["speed", "flow"])];
    this.values = new SettableValues(this.clock, devices, [this.ledger, this.queue]);
    this.uplink = this.#uplink();
    this.broker.subscribe("#", (message, retained) => this.#receive(message, retained));
  }

  start(): Promise<void> {
    this.uplink.start();
    return this.until("connected", () => this.uplink.report().state === "connected");
  }

  /** A new uplink over the same state, outbox and broker. The old one must have stopped. */
  restart(): Promise<void> {
    this.begin();
    return this.until("connected", () => this.uplink.report().state === "connected");
  }

  /** Starts a new uplink, whether it gets anywhere or not. */
  begin(): void {
    this.uplink = this.#uplink();
    this.uplink.start();
  }

  stop(): Promise<void> {
    return passWhile(this.clock, "the uplink has stopped", this.uplink.stop());
  }

  until(what: string, holds: () => boolean, limitMs?: number): Promise<void> {
    return passUntil(this.clock, `${what}: ${this.uplink.report().state}`, holds, limitMs);
  }

  drained(limitMs?: number): Promise<void> {
    return this.until("everything is acknowledged", () => this.queue.depth() === 0, limitMs);
  }

  /** Payloads published on a topic below the prefix, parsed, in order. */
  payloads<T>(below: string): readonly T[] {
    return this.broker.received
      .filter(({ topic, payload }) => topic === `${TOPIC}/${below}` && payload.length > 0)
      .map(({ payload }) => parseWire<T>(payload));
  }

  /** Topics below the prefix in the order of publishing. */
  topics(): readonly string[] {
    return this.broker.received.map(({ topic }) => topic.slice(TOPIC.length + 1));
  }

  #receive(message: Message, retained: boolean): void {
    this.order.arrived(message);
    this.reader.receive(message.topic, message.payload, retained);
    const stage = message.topic.slice(TOPIC.length + 1);
    if (stage === "data" || stage === "history") this.ledger.arrived(stage, parseWire(message.payload));
  }

  #uplink(): Uplink {
    const { broker, clock, queue, state, values } = this;
    return createUplink({
      config: rigConfig(this.#options.config),
      values,
      queue,
      transport: this.#options.transport ?? broker,
      state,
      clock,
      random: seededRandom(1),
      log: this.#log(),
    });
  }

  #log(): Log {
    return createLog({ write: (line) => this.log.push(line.trimEnd()), level: "info", format: "text" });
  }
}

export function rigConfig(changes: Partial<UplinkConfig> = {}): UplinkConfig {
  return {
    name: "cloud",
    servers: ["mqtts://broker:8883"],
    format: "json",
    node: { group: "plant", name: "gateway" },
    clientId: "plant-gateway-cloud",
    mqttVersion: "auto",
    tls: {},
    keepAliveMs: 15_000,
    reconnect: { spreadMs: 1_000, maxMs: 10_000 },
    startAt: "now",
    history: { enabled: true, maxAgeMs: 86_400_000, maxSizeBytes: 1e9, rateBytesPerS: Number.POSITIVE_INFINITY },
    sparkplug: { aliases: false, datatypeInData: false, barrier: "ping" },
    topic: TOPIC,
    id: "{device}/{tag}",
    ...changes,
  };
}
