/** A host application's picture of one Sparkplug node: what it takes for current, and what it asks for when it cannot know. */
import type { Clock } from "../../core/clock.ts";
import type { Message } from "../../pipeline.ts";
import type { Currency, ReaderTag } from "../reader.ts";
import type { FarReader } from "./far-reader.ts";
import { NodeListener, nodeTopic } from "./node-listener.ts";

/** Hosts wait for births that may be on their way before they ask. */
const ASKS_AFTER_MS = 2_000;
const CURRENT: Currency = { current: true, reason: "" };

export class NodeReader implements FarReader {
  readonly showsNoLost = true;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #ask: () => void;
  readonly #listener = new NodeListener();
  readonly #devices = new Map<string, Map<string, ReaderTag>>();
  #isAsking = false;

  /** @param ask for births: a Rebirth */
  constructor(node: string, clock: Clock, ask: () => void) {
    this.#node = node;
    this.#clock = clock;
    this.#ask = ask;
  }

  receive(message: Message): void {
    const topic = nodeTopic(message.topic);
    if (topic?.node !== this.#node) return;
    if (!this.#listener.isAlive && topic.type !== "NBIRTH") {
      if (topic.type !== "NDEATH") this.#askSoon();
      return;
    }
    const { type, device, values } = this.#listener.hear(topic, message);
    if (type === "NBIRTH" || type === "NDEATH") {
      if (type === "NBIRTH" || !this.#listener.isAlive) this.#devices.clear();
    }
    if (type.endsWith("BIRTH")) this.#devices.set(device, new Map());
    if (type === "DDEATH") this.#devices.delete(device);
    const tags = this.#devices.get(device);
    for (const { id, value, status, t, epoch, isHistorical, isTransient } of values) {
      if (isHistorical) continue;
      tags?.set(id, {
        id,
        value,
        good: status === "Good",
        status,
        timestampMs: t,
        epoch,
        unsynced: isTransient,
      });
    }
  }

  disconnected(): void {
    this.#listener.forget();
    this.#devices.clear();
  }

  online(): boolean {
    return this.#listener.isAlive;
  }

  devices(): readonly string[] {
    return [...this.#devices.keys()];
  }

  currency(device: string): Currency {
    if (this.#devices.has(device)) return CURRENT;
    return { current: false, reason: this.online() ? "it is not born" : "the node is dead, or unknown" };
  }

  tags(device: string): readonly ReaderTag[] {
    return [...(this.#devices.get(device)?.values() ?? [])];
  }

  tag(id: string): ReaderTag | undefined {
    const device = id.slice(0, id.indexOf("/"));
    return this.#devices.get(device)?.get(id);
  }

  #askSoon(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#clock.after(ASKS_AFTER_MS, () => {
      this.#isAsking = false;
      if (!this.#listener.isAlive) this.#ask();
    });
  }
}
