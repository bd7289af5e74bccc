/**
 * A chain in miniature for tests of the consumer: a device, a gateway, a broker, a bridge that keeps what is sent at
 * QoS 1, a broker behind it. What each says when a link breaks or comes back is what the real ones say.
 */
import type { Message } from "../../pipeline.ts";
import { encodePayload, type Metric } from "../../uplinks/sparkplug/payload.ts";
import { beliefOf, type FarEvent, mustAskForBirth, nextPicture, type Picture, unknownPicture } from "./picture.ts";
import type { Arrival } from "./shown.ts";

export type Format = "json" | "sparkplug";
export type LinkName = "device" | "gateway" | "link" | "bridge" | "consumer";

export const TAG = "pump/value";
const TOPIC = "site/gateway";
const BRIDGE = "bridges/dmz";
const STATUS_PERIOD_MS = 60_000;
/** A message takes this long while a bridge delivers what it kept. */
const DRAIN_MS = 50;

/** What Mosquitto's bridges do when they come back, sometimes. */
export interface Quirks {
  /** What came while the bridge connected goes before what it kept. */
  readonly newestFirst?: boolean;
  /** What the broker keeps as retained is told anew, before or behind what the bridge kept. */
  readonly retained?: "before" | "behind";
}

/** What was true from a moment on; undefined while a link was down. */
interface Truth {
  readonly fromMs: number;
  readonly text: string | undefined;
}

export class MadeChain {
  picture: Picture;
  nowMs = 1_000_000;
  /** Told of each message and event that the consumer gets, after it. */
  onEvent: (event: FarEvent) => void = () => undefined;
  readonly #format: Format;
  readonly #isBridged: boolean;
  readonly #clockErrorMs: number;
  readonly #quirks: Quirks;
  readonly #up = new Set<LinkName>();
  readonly #truths: Truth[] = [];
  readonly #nearRetained = new Map<string, Message>();
  readonly #farRetained = new Map<string, Message>();
  /** What the bridge has yet to deliver. */
  readonly #kept: Message[] = [];
  #value = 0;
  #session = 0;
  #isConnected = false;
  #seq = 0;
  #statusAtMs = 0;
  /** What the gateway's clock told last: its samples are stamped strictly increasing. */
  #stampMs = 0;

  constructor(options: { format: Format; isBridged: boolean; clockErrorMs: number; quirks?: Quirks }) {
    this.#quirks = options.quirks ?? {};
    this.#format = options.format;
    this.#isBridged = options.isBridged;
    this.#clockErrorMs = options.clockErrorMs;
    const from =
      options.format === "json"
        ? ({ format: "json", topic: TOPIC } as const)
        : ({ format: "sparkplug", group: "site", name: "gateway" } as const);
    this.picture = unknownPicture({ from, bridges: options.isBridged ? [BRIDGE] : [] });
  }

  get isKeeping(): boolean {
    return this.#kept.length > 0;
  }

  belief() {
    return beliefOf(this.picture, TAG, this.nowMs);
  }

  /** What was true at some moment from then on; undefined stands for a link that was down. */
  truthsSince(fromMs: number): readonly (string | undefined)[] {
    const first = this.#truths.findLastIndex((truth) => truth.fromMs <= fromMs);
    return this.#truths.slice(Math.max(0, first)).map(({ text }) => text);
  }

  /** The device's value moves, and is read. */
  change(): void {
    if (!this.#up.has("device")) return;
    this.#value += 1;
    this.#sample();
  }

  set(link: LinkName, isUp: boolean): void {
    if (this.#up.has(link) === isUp) return;
    if (isUp) this.#up.add(link);
    else this.#up.delete(link);
    this.#noteTruth();
    if (link === "device") this.#sample();
    else if (link === "bridge") this.#bridgeIs(isUp);
    else if (link === "consumer") this.#consumerIs(isUp);
    else this.#reconnect();
  }

  /** What the consumer asked for arrives at the gateway. */
  ask(): void {
    const canAsk = mustAskForBirth(this.picture) && this.#up.has("bridge");
    if (canAsk && this.#isConnected && this.#format === "sparkplug") this.#announce();
  }

  /** Time passes; a bridge that keeps something delivers meanwhile. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.isKeeping && this.#isOpen() && this.nowMs < untilMs) {
      this.nowMs += DRAIN_MS;
      const next = this.#kept.shift();
      if (next !== undefined) this.#toFar(next);
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
    if (this.#isConnected && this.#format === "json" && this.nowMs - this.#statusAtMs >= STATUS_PERIOD_MS)
      this.#sayAll();
  }

  #isOpen(): boolean {
    return !this.#isBridged || this.#up.has("bridge");
  }

  #noteTruth(): void {
    const isWhole = ["gateway", "link", "consumer"].every((link) => this.#up.has(link as LinkName)) && this.#isOpen();
    const held = `${this.#value} ${this.#up.has("device") ? "Good" : "Bad"}`;
    this.#truths.push({ fromMs: this.nowMs, text: isWhole ? held : undefined });
  }

  #sample(): void {
    this.#noteTruth();
    if (!this.#isConnected) return;
    if (this.#format === "json") this.#send(`${TOPIC}/data`, { seq: ++this.#seq, values: [this.#jsonValue()] });
    else this.#sendSparkplug("DDATA", "pump", [this.#metric()]);
  }

  #reconnect(): void {
    const isConnected = this.#up.has("gateway") && this.#up.has("link");
    if (isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
    if (isConnected) this.#session += 1;
    if (isConnected) this.#announce();
    else this.#toNear(this.#will());
  }

  #announce(): void {
    this.#seq = 0;
    if (this.#format === "json") {
      this.#sayAll();
    } else {
      this.#sendSparkplug("NBIRTH", undefined, [this.#bdSeq()]);
      this.#sendSparkplug("DBIRTH", "pump", [this.#metric()]);
    }
  }

  #sayAll(): void {
    this.#statusAtMs = this.nowMs;
    this.#send(`${TOPIC}/snapshot/pump`, { after: this.#seq, values: [this.#jsonValue()] }, true);
    this.#send(`${TOPIC}/status`, { online: true, seq: this.#seq, devices: { pump: this.#seq } }, true);
  }

  #will(): Message {
    const base = { qos: 1, retain: this.#format === "json" } as const;
    if (this.#format === "sparkplug") {
      return { ...base, topic: "spBv1.0/site/NDEATH/gateway", payload: encodePayload({ metrics: [this.#bdSeq()] }) };
    }
    const told = { online: false, timestamp: this.#gatewayMs(), session: this.#session, epoch: 1 };
    return { ...base, topic: `${TOPIC}/status`, payload: Buffer.from(JSON.stringify(told)) };
  }

  #send(topic: string, content: object, retain = false): void {
    const told = { timestamp: this.#gatewayMs(), session: this.#session, epoch: 1, ...content };
    this.#toNear({ topic, payload: Buffer.from(JSON.stringify(told)), qos: 1, retain });
  }

  #sendSparkplug(type: string, device: string | undefined, metrics: readonly Metric[]): void {
    const topic = ["spBv1.0", "site", type, "gateway", ...(device === undefined ? [] : [device])].join("/");
    const payload = encodePayload({ timestamp: this.#gatewayMs(), metrics, seq: this.#seq });
    this.#seq = (this.#seq + 1) % 256;
    this.#toNear({ topic, payload, qos: 0, retain: false });
  }

  #jsonValue(): object {
    const q = this.#up.has("device");
    return { id: TAG, v: this.#value, q, ...(!q && { s: "Bad" }), t: this.#stamp() };
  }

  #metric(): Metric {
    const quality = { key: "Quality", value: { field: "int", value: this.#up.has("device") ? 192 : 0 } } as const;
    const value = { field: "int", value: this.#value } as const;
    return { name: "value", timestamp: this.#stamp(), properties: [quality], value };
  }

  #bdSeq(): Metric {
    return { name: "bdSeq", value: { field: "long", value: BigInt(this.#session) } };
  }

  #gatewayMs(): number {
    return this.nowMs + this.#clockErrorMs;
  }

  #stamp(): number {
    this.#stampMs = Math.max(this.#stampMs + 1, this.#gatewayMs());
    return this.#stampMs;
  }

  #toNear(message: Message): void {
    if (message.retain) this.#nearRetained.set(message.topic, message);
    if (!this.#isBridged) this.#deliver(message, false);
    else if (message.qos === 0) this.#up.has("bridge") && this.#toFar(message);
    else if (this.#up.has("bridge") && !this.isKeeping) this.#toFar(message);
    else this.#kept.push(message);
  }

  #toFar(message: Message): void {
    if (message.retain) this.#farRetained.set(message.topic, message);
    this.#deliver(message, false);
  }

  #bridgeIs(isUp: boolean): void {
    if (!this.#isBridged) return;
    this.#toFar({ topic: BRIDGE, payload: Buffer.from(isUp ? "1" : "0"), qos: 1, retain: true });
    if (!isUp) return;
    const { newestFirst, retained } = this.#quirks;
    const newest = newestFirst === true ? this.#kept.pop() : undefined;
    if (newest !== undefined) this.#kept.unshift(newest);
    if (retained === "before") this.#kept.unshift(...this.#nearRetained.values());
    if (retained === "behind") this.#kept.push(...this.#nearRetained.values());
  }

  #consumerIs(isUp: boolean): void {
    this.#hear({ type: isUp ? "listening" : "cut off" });
    const retained = this.#isBridged ? this.#farRetained : this.#nearRetained;
    for (const message of retained.values()) this.#deliver(message, true);
  }

  #deliver({ topic, payload }: Message, retained: boolean): void {
    const arrival: Arrival = { topic, payload, retained };
    if (this.#up.has("consumer")) this.#hear({ type: "arrival", arrival });
  }

  #hear(event: FarEvent): void {
    this.picture = nextPicture(this.picture, event, this.nowMs);
    this.onEvent(event);
  }
}
