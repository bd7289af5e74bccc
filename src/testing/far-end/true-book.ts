/** Every good value that ever arrived at a consumer, live or as history, held against what counting devices served. */
import { decodePayload, type Metric } from "../../uplinks/sparkplug/payload.ts";
import type { ServedReply } from "../counting-plant.ts";
import { isLoss, parseWire, type ValuesOnWire } from "../wire.ts";
import type { Arrival } from "./shown.ts";

const GOOD = 192;

export class TrueBook {
  readonly #counts = new Map<string, Set<number>>();
  readonly #format: "json" | "sparkplug";
  readonly #topic: string;

  /** @param topic the prefix of a JSON uplink */
  constructor(format: "json" | "sparkplug", topic: string) {
    this.#format = format;
    this.#topic = topic;
  }

  arrived({ topic, payload }: Arrival): void {
    if (this.#format === "sparkplug") this.#sparkplug(topic.split("/"), payload);
    else if ([`${this.#topic}/data`, `${this.#topic}/history`].includes(topic)) this.#json(parseWire(payload));
  }

  /** The counts of a tag that were served within that time and never arrived. */
  missing(id: string, served: readonly ServedReply[], fromMs: number, toMs: number): readonly number[] {
    const arrived = this.#counts.get(id);
    const within = served.filter(({ wallMs }) => fromMs <= wallMs && wallMs <= toMs);
    return within.map(({ count }) => count).filter((count) => arrived?.has(count) !== true);
  }

  #json({ values }: ValuesOnWire): void {
    for (const value of values) if (value.q && !isLoss(value)) this.#note(value.id, value.v);
  }

  #sparkplug([namespace, , type, , device = ""]: readonly string[], payload: Uint8Array): void {
    if (namespace !== "spBv1.0" || (type !== "DDATA" && type !== "DBIRTH")) return;
    for (const metric of decodePayload(payload).metrics) {
      if (isGood(metric)) this.#note(`${device}/${metric.name}`, metric.value?.value);
    }
  }

  #note(id: string, value: unknown): void {
    if (typeof value !== "number") return;
    const counts = this.#counts.get(id) ?? new Set();
    this.#counts.set(id, counts.add(value));
  }
}

function isGood({ properties = [] }: Metric): boolean {
  return Number(properties.find(({ key }) => key === "Quality")?.value?.value ?? GOOD) === GOOD;
}
