/** An MQTT broker with the link to it, in memory and in the time of a clock: as far as a Transport can see, the real thing. */
import type { Clock } from "../core/clock.ts";
import {
  type BrokerLimits,
  ConnectFailure,
  type Connection,
  type ConnectRequest,
  type Message,
  type Transport,
} from "../pipeline.ts";
import { type FarEnd, SimulatedConnection } from "./simulated-connection.ts";

export interface SimulatedBrokerOptions {
  readonly clock: Clock;
  readonly limits?: Partial<BrokerLimits>;
  /** Topics that nobody may publish to. */
  readonly deniedTopics?: readonly string[];
  /** One way. */
  readonly latencyMs?: number;
  /** Of the way to the broker. */
  readonly bytesPerS?: number;
  /** What the kernel takes off our hands before it is on the wire. */
  readonly kernelBufferBytes?: number;
  /** Sees every CONNECT packet, refused or not. */
  readonly onConnect?: (request: ConnectRequest) => void;
}

/** @param retained it was there before the subscription */
export type Listener = (message: Message, retained: boolean) => void;

const CONNECT_TIMEOUT_MS = 30_000;
const LIMITS: BrokerLimits = { maxPacketBytes: 1_000_000, maxQos: 2, retainAvailable: true, tellsReasons: true };

export class SimulatedBroker implements Transport, FarEnd {
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  readonly kernelBufferBytes: number;
  /** These may change at any time. */
  latencyMs: number;
  bytesPerS: number;
  ackDelayMs = 0;
  /** Everything published here, wills too, in order. */
  readonly received: Message[] = [];
  readonly retained = new Map<string, Message>();
  /** Every CONNECT, refused or not. */
  readonly requests: ConnectRequest[] = [];
  /** Below it QoS 0 is read and thrown away, as for a client without the right to publish. */
  swallowsBelow: string | undefined;
  readonly #denied: ReadonlySet<string>;
  readonly #onConnect: (request: ConnectRequest) => void;
  readonly #sessions = new Map<string, SimulatedConnection>();
  readonly #listeners = new Set<{ readonly filter: string; readonly listener: Listener }>();
  readonly #held: (() => void)[] = [];
  #refusal: string | undefined;
  #frozen = false;
  #break: { bytesLeft: number; readonly happen: () => void } | undefined;

  constructor(options: SimulatedBrokerOptions) {
    this.clock = options.clock;
    this.limits = { ...LIMITS, ...options.limits };
    this.latencyMs = options.latencyMs ?? 0;
    this.bytesPerS = options.bytesPerS ?? Number.POSITIVE_INFINITY;
    this.kernelBufferBytes = options.kernelBufferBytes ?? 0;
    this.#denied = new Set(options.deniedTopics ?? []);
    this.#onConnect = options.onConnect ?? (() => undefined);
  }

  connect(request: ConnectRequest): Promise<Connection> {
    if (request.willOfConnect === undefined) return this.#connect(request);
    return request.willOfConnect().then((will) => this.#connect({ ...request, will }));
  }

  #connect(request: ConnectRequest): Promise<Connection> {
    this.requests.push(request);
    this.#onConnect(request);
    return new Promise((resolve, reject) => {
      let gaveUp = false;
      const late = this.clock.after(CONNECT_TIMEOUT_MS, () => {
        gaveUp = true;
        reject(new ConnectFailure("the broker does not answer CONNECT; it may be overloaded, or the link frozen"));
      });
      this.pass(2 * this.latencyMs, () => {
        if (gaveUp) return;
        late.cancel();
        if (this.#refusal !== undefined) reject(new ConnectFailure(this.#refusal));
        else resolve(this.#accept(request));
      });
    });
  }

  /** Connections that the broker believes in. */
  connections(): number {
    return this.#sessions.size;
  }

  /** From now on nobody gets in, or everybody again. */
  refuse(reason: string | undefined): void {
    this.#refusal = reason;
  }

  /** Cuts every connection; what is on its way is gone. */
  drop(reason = "the broker closed the connection"): void {
    for (const connection of [...this.#sessions.values()]) this.end(connection, reason);
  }

  /** Nothing passes any more, either way, and nobody is told. */
  freeze(): void {
    this.#frozen = true;
    for (const connection of this.#sessions.values()) connection.expectSilence();
  }

  thaw(): void {
    this.#frozen = false;
    for (const pass of this.#held.splice(0)) {
      if (this.#frozen) this.#held.push(pass);
      else pass();
    }
  }

  /** Once so many more bytes are on the way to this broker, amid the message that they end in. */
  breakAfter(bytes: number, happen: () => void): void {
    this.#break = { bytesLeft: bytes, happen };
  }

  carries(bytes: number, arrive: () => void): boolean {
    const due = this.#break;
    if (due === undefined) return true;
    due.bytesLeft -= bytes;
    if (due.bytesLeft > 0) return true;
    this.#break = undefined;
    due.happen();
    if (this.#frozen) this.#held.push(arrive);
    return !this.#frozen;
  }

  subscribe(filter: string, listener: Listener): () => void {
    const entry = { filter, listener };
    for (const message of this.retained.values()) if (matches(filter, message.topic)) listener(message, true);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  pass(delayMs: number, arrive: () => void): void {
    this.clock.after(delayMs, () => {
      if (this.#frozen) this.#held.push(arrive);
      else arrive();
    });
  }

  publish(message: Message): string | undefined {
    if (message.qos === 0 && this.swallowsBelow !== undefined && message.topic.startsWith(this.swallowsBelow))
      return undefined;
    if (this.#denied.has(message.topic))
      return `the broker refuses messages to ${message.topic}: not authorised (0x87)`;
    this.#route(message);
    return undefined;
  }

  end(connection: SimulatedConnection, reason: string, disconnected = false): void {
    this.#letGo(connection, disconnected);
    connection.ended(reason);
  }

  #letGo(connection: SimulatedConnection, disconnected: boolean): void {
    const { clientId, will } = connection.request;
    if (this.#sessions.get(clientId) !== connection) return;
    this.#sessions.delete(clientId);
    if (!disconnected) this.#route(will);
  }

  #accept(request: ConnectRequest): Connection {
    const old = this.#sessions.get(request.clientId);
    if (old !== undefined) {
      this.#letGo(old, false);
      old.ended("the broker ended the connection: another client connected with this client id", true);
    }
    const connection = new SimulatedConnection(this, request);
    this.#sessions.set(request.clientId, connection);
    return connection;
  }

  #route(message: Message): void {
    this.received.push(message);
    if (message.retain) {
      if (message.payload.length === 0) this.retained.delete(message.topic);
      else this.retained.set(message.topic, message);
    }
    for (const { filter, listener } of [...this.#listeners])
      if (matches(filter, message.topic)) listener(message, false);
  }
}

/** MQTT 5.0, section 4.7. */
function matches(filter: string, topic: string): boolean {
  if (filter === "#") return true;
  if (filter.includes("+")) return matchesByLevel(filter.split("/"), topic.split("/"));
  if (!filter.endsWith("/#")) return filter === topic;
  const prefix = filter.slice(0, -2);
  return topic === prefix || topic.startsWith(`${prefix}/`);
}

/** Filters with a `+` and without `#`. */
function matchesByLevel(filter: readonly string[], topic: readonly string[]): boolean {
  return filter.length === topic.length && filter.every((level, index) => level === "+" || level === topic[index]);
}
