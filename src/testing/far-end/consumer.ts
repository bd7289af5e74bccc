/** The reference consumer at a real broker: a subscriber that keeps the picture of one gateway, and asks where it must. */
import { readFile } from "node:fs/promises";
import mqtt from "mqtt";
import { hostClock } from "../../core/clock.ts";
import { encodePayload } from "../../uplinks/sparkplug/payload.ts";
import type { Certificates } from "../certificates.ts";
import { Condition } from "../condition.ts";
import {
  type Belief,
  beliefOf,
  type FarEvent,
  mustAskForBirth,
  nextPicture,
  type Picture,
  type Route,
  unknownPicture,
} from "./picture.ts";
import type { Arrival } from "./shown.ts";

export interface ConsumerOptions {
  readonly url: string;
  readonly certificates: Certificates;
  readonly clientId: string;
  readonly route: Route;
  /** Sees each message before it is believed. */
  readonly onArrival?: (arrival: Arrival) => void;
  /** The picture has changed. */
  readonly onChange?: () => void;
}

const RECONNECT_MS = 100;
/** Of an answer nothing is known but that it comes; a gateway that is flooded with requests answers every 5 s. */
const ASK_AGAIN_MS = 2_000;
const BOOLEAN = 11;

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #client: mqtt.MqttClient;
  readonly #condition = new Condition(hostClock);
  #picture: Picture;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  private constructor(options: ConsumerOptions, client: mqtt.MqttClient) {
    this.#options = options;
    this.#client = client;
    this.#picture = unknownPicture(options.route);
    client.on("connect", () => this.#listen());
    client.on("close", () => this.#hear({ type: "cut off" }));
    client.on("error", () => undefined);
    client.on("message", (topic, payload, { retain }) => {
      const arrival = { topic, payload, retained: retain };
      options.onArrival?.(arrival);
      this.#hear({ type: "arrival", arrival });
    });
  }

  /** It connects, and connects again, by itself. */
  static async start(options: ConsumerOptions): Promise<Consumer> {
    const { url, certificates, clientId } = options;
    const client = mqtt.connect(url, {
      ca: await readFile(certificates.ca),
      cert: await readFile(certificates.historian.certificate),
      key: await readFile(certificates.historian.key),
      protocolVersion: 5,
      clientId,
      clean: true,
      reconnectPeriod: RECONNECT_MS,
    });
    return new Consumer(options, client);
  }

  belief(id: string): Belief {
    return beliefOf(this.#picture, id, hostClock.wallMs());
  }

  /** Resolves when this holds of the picture; rejects after the limit. */
  until(what: string, holds: () => boolean, limitMs: number, seen: () => string): Promise<void> {
    return this.#condition.until(`${this.#options.clientId}: ${what}`, holds, limitMs, seen);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client.endAsync(true);
  }

  #listen(): void {
    const { from, bridges } = this.#options.route;
    this.#hear({ type: "listening" });
    const own = from.format === "json" ? `${from.topic}/#` : `spBv1.0/${from.group}/+/${from.name}/#`;
    this.#client.subscribe([own, ...bridges], { qos: 1 });
  }

  #hear(event: FarEvent): void {
    if (this.#isClosed) return;
    this.#picture = nextPicture(this.#picture, event, hostClock.wallMs());
    this.#ask();
    this.#options.onChange?.();
    this.#condition.changed();
  }

  #ask(): void {
    const { from } = this.#options.route;
    const nowMs = hostClock.monotonicMs();
    if (this.#isClosed || from.format === "json" || !mustAskForBirth(this.#picture)) return;
    if (nowMs - this.#askedAtMs < ASK_AGAIN_MS) return;
    this.#askedAtMs = nowMs;
    const rebirth = {
      name: "Node Control/Rebirth",
      datatype: BOOLEAN,
      value: { field: "boolean", value: true },
    } as const;
    const payload = encodePayload({ timestamp: hostClock.wallMs(), metrics: [rebirth] });
    this.#client.publish(`spBv1.0/${from.group}/NCMD/${from.name}`, Buffer.from(payload), { qos: 0 });
    hostClock.after(ASK_AGAIN_MS, () => this.#ask());
  }
}
