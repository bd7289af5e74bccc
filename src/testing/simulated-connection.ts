import type { Clock } from "../core/clock.ts";
import type { BrokerLimits, Connection, ConnectionEnd, ConnectRequest, Message } from "../pipeline.ts";

/** What a connection needs of the broker and of the link to it. */
export interface FarEnd {
  readonly clock: Clock;
  readonly limits: BrokerLimits;
  /** One way. */
  readonly latencyMs: number;
  /** Of the way to the broker. */
  readonly bytesPerS: number;
  /** What the kernel takes off our hands before it is on the wire. */
  readonly kernelBufferBytes: number;
  /** How long the broker keeps a message before it acknowledges it. */
  readonly ackDelayMs: number;
  /** Nothing passes, either way. */
  readonly frozen: boolean;
  /** So many bytes are to come through, and the link may break within them. False: it hangs, and `arrive` waits for it. */
  carries(bytes: number, arrive: () => void): boolean;
  /** Runs `arrive` at the other end after `delayMs`, or once the link has thawed. */
  pass(delayMs: number, arrive: () => void): void;
  /** Takes a message, or says why not. */
  publish(message: Message): string | undefined;
  /** Returns the way to end it. */
  subscribe(filter: string, listener: (message: Message, retained: boolean) => void): () => void;
  /** The broker's side of the end. Without a DISCONNECT it sends the will. */
  end(connection: SimulatedConnection, reason: string, disconnected?: boolean): void;
}

interface Unacknowledged {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Fixed and variable header of a PUBLISH without its topic, about. */
const HEADER_BYTES = 8;
/** A broker notices a silent client after one and a half times this, and a client the broker. */
const SILENCE_KEEP_ALIVES = 1.5;
const CLOSE_TIMEOUT_MS = 3_000;
/** What waits for a frozen link. */
const NEVER_MS = Number.POSITIVE_INFINITY;
/** Beyond it nothing more is taken. */
const UNSENT_MAX_BYTES = 16 * 1024 * 1024;

/** One connection to a simulated broker. Its link carries one byte after the other, at the rate of the broker. */
export class SimulatedConnection implements Connection {
  readonly limits: BrokerLimits;
  readonly closed: Promise<ConnectionEnd>;
  readonly request: ConnectRequest;
  readonly #broker: FarEnd;
  readonly #unacknowledged = new Set<Unacknowledged>();
  /** What is not on the wire yet, and when it will be. */
  #unsent: { readonly onWireMs: number; readonly bytes: number }[] = [];
  readonly #subscriptions = new Map<string, () => void>();
  #listener: (message: Message) => void = () => undefined;
  #lineFreeMs = 0;
  #reason: string | undefined;
  #closing = false;
  #resolveClosed: (end: ConnectionEnd) => void = () => {};

  constructor(broker: FarEnd, request: ConnectRequest) {
    this.#broker = broker;
    this.request = request;
    this.limits = broker.limits;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  publish(message: Message): Promise<void> {
    const refusal = this.#refusal(message);
    if (refusal !== undefined) return Promise.reject(new Error(refusal));
    return new Promise((resolve, reject) => {
      const entry = { resolve, reject };
      if (message.qos === 0) resolve();
      else this.#unacknowledged.add(entry);
      const bytes = bytesOf(message);
      const arrive = () => {
        if (!this.#passes(bytes, arrive)) return;
        const refused = this.#broker.publish(message);
        this.#broker.pass(this.#broker.ackDelayMs + this.#broker.latencyMs, () => {
          if (!this.#unacknowledged.delete(entry)) return;
          if (refused === undefined) resolve();
          else reject(new Error(refused));
        });
      };
      this.#broker.pass(this.#transmit(bytes), arrive);
    });
  }

  subscribe(filters: Readonly<Record<string, 0 | 1>>): Promise<readonly string[]> {
    return this.#answered(() => {
      for (const filter of Object.keys(filters)) {
        const unsubscribe = this.#broker.subscribe(filter, (message, retain) => {
          this.#broker.pass(this.#broker.latencyMs, () => this.#receive({ ...message, retain }));
        });
        this.#subscriptions.set(filter, unsubscribe);
      }
      return [];
    });
  }

  unsubscribe(filters: readonly string[]): Promise<void> {
    return this.#answered(() => {
      for (const filter of filters) this.#subscriptions.get(filter)?.();
    });
  }

  onMessage(listener: (message: Message) => void): void {
    this.#listener = listener;
  }

  ping(): Promise<void> {
    return this.#answered(() => undefined);
  }

  /** Something that the broker does when it reads it, and answers. */
  #answered<T>(act: () => T): Promise<T> {
    if (this.#reason !== undefined) return Promise.reject(new Error(`not connected: ${this.#reason}`));
    return new Promise((resolve, reject) => {
      const entry = { resolve: () => undefined, reject };
      this.#unacknowledged.add(entry);
      const arrive = () => {
        if (!this.#passes(HEADER_BYTES, arrive)) return;
        const result = act();
        this.#broker.pass(this.#broker.ackDelayMs + this.#broker.latencyMs, () => {
          if (this.#unacknowledged.delete(entry)) resolve(result);
        });
      };
      this.#broker.pass(this.#transmit(HEADER_BYTES), arrive);
    });
  }

  #passes(bytes: number, arrive: () => void): boolean {
    const isThere = () => this.#reason === undefined;
    return isThere() && this.#broker.carries(bytes, arrive) && isThere();
  }

  #receive(message: Message): void {
    if (this.#reason === undefined) this.#listener(message);
  }

  bufferedBytes(): number {
    if (this.#reason !== undefined) return 0;
    const nowMs = this.#broker.clock.monotonicMs();
    const { frozen } = this.#broker;
    this.#unsent = this.#unsent.filter(({ onWireMs }) => (onWireMs === NEVER_MS ? frozen : onWireMs > nowMs));
    const bytes = this.#unsent.reduce((sum, unsent) => sum + unsent.bytes, 0);
    return Math.max(0, bytes - this.#broker.kernelBufferBytes);
  }

  async close(will?: "send will"): Promise<void> {
    if (!this.#closing && this.#reason === undefined) {
      this.#closing = true;
      this.#broker.pass(this.#transmit(HEADER_BYTES), () => this.#broker.end(this, CLOSED, will === undefined));
      const timer = this.#broker.clock.after(CLOSE_TIMEOUT_MS, () => this.ended(CLOSED));
      await this.closed;
      timer.cancel();
    }
    await this.closed;
  }

  destroy(): void {
    const { frozen, clock } = this.#broker;
    this.ended("cut by the gateway");
    if (!frozen) this.#broker.end(this, "");
    // The broker never hears of it and has to notice by itself.
    else clock.after(this.request.keepAliveMs * SILENCE_KEEP_ALIVES, () => this.#broker.end(this, ""));
  }

  /** This side is without power from one moment to the next: nobody is told, and the broker finds out by itself. */
  vanish(): void {
    if (this.#reason !== undefined) return;
    this.#reason = "gone";
    this.#unacknowledged.clear();
    for (const unsubscribe of this.#subscriptions.values()) unsubscribe();
    const { clock } = this.#broker;
    clock.after(this.request.keepAliveMs * SILENCE_KEEP_ALIVES, () => this.#broker.end(this, ""));
  }

  /** Messages handed over and not acknowledged. */
  inFlight(): number {
    return this.#unacknowledged.size;
  }

  /** The link is frozen from now on: the keep-alive will tell. */
  expectSilence(): void {
    const silentMs = this.request.keepAliveMs * SILENCE_KEEP_ALIVES;
    this.#broker.clock.after(silentMs, () => {
      if (this.#broker.frozen) this.#broker.end(this, `the broker has not answered for ${silentMs / 1000} s`);
    });
  }

  /** This side's end of the connection. */
  ended(reason: string, takenOver = false): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    for (const { reject } of this.#unacknowledged) reject(new Error(`not acknowledged: ${reason}`));
    this.#unacknowledged.clear();
    for (const unsubscribe of this.#subscriptions.values()) unsubscribe();
    this.#resolveClosed({ reason, takenOver });
  }

  #refusal(message: Message): string | undefined {
    if (this.#reason !== undefined || this.#closing) return `not connected: ${this.#reason ?? CLOSED}`;
    const { maxPacketBytes, maxQos, retainAvailable } = this.limits;
    const bytes = bytesOf(message);
    if (bytes > maxPacketBytes)
      return `a message of ${bytes} bytes is larger than the broker's limit of ${maxPacketBytes}`;
    if (message.qos > maxQos) return `the broker does not offer QoS ${message.qos}`;
    const unsentBytes = this.bufferedBytes();
    if (unsentBytes > UNSENT_MAX_BYTES) return `the link is too slow: ${unsentBytes} bytes are waiting to be sent`;
    if (message.retain && !retainAvailable) return "the broker does not keep retained messages";
    return undefined;
  }

  /** Puts bytes on the line; the time until they are at the far end. */
  #transmit(bytes: number): number {
    const { clock, bytesPerS, latencyMs } = this.#broker;
    const nowMs = clock.monotonicMs();
    const onWireMs = Math.max(nowMs, this.#lineFreeMs) + (bytes / bytesPerS) * 1000;
    this.#lineFreeMs = onWireMs;
    if (this.#broker.frozen) this.#unsent.push({ onWireMs: NEVER_MS, bytes });
    else if (onWireMs > nowMs) this.#unsent.push({ onWireMs, bytes });
    return onWireMs - nowMs + latencyMs;
  }
}

const CLOSED = "closed by the gateway";

function bytesOf({ topic, payload }: Message): number {
  return HEADER_BYTES + topic.length + payload.length;
}
