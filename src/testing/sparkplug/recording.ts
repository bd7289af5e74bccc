/** What was seen of a gateway's connections, in the order in which it happened. */
import type { Packet } from "mqtt-packet";
import { type Clock, hostClock } from "../../core/clock.ts";
import { Condition } from "../condition.ts";

export type Side = "gateway" | "broker";

/** What whoever drives the gateway did, or knows, at a moment. Times need no more: the entries stand in order. */
export type Mark =
  | { readonly what: "device fell silent" | "device answers again"; readonly device: string }
  /** From here on, and until here, no device's values change. */
  | { readonly what: "values stand" | "values move" }
  /** Not the one that the gateway waits for. */
  | { readonly what: "another host is online"; readonly server: string }
  | { readonly what: "told to stop" | "killed" }
  /** As if so many CONNECTs had been before: a number goes round only after months. */
  | { readonly what: "bdSeq was set"; readonly to: bigint };

export type Happening =
  | { readonly kind: "opened"; readonly connection: number; readonly server: string }
  | {
      readonly kind: "packet";
      readonly connection: number;
      readonly from: Side;
      /** Undefined: it is no MQTT packet. */
      readonly packet: Packet | undefined;
      /** False: the observer swallowed it, wholly or in part. */
      readonly passed: boolean;
    }
  | { readonly kind: "closed"; readonly connection: number; readonly by: Side | "observer" }
  | { readonly kind: "mark"; readonly mark: Mark };

export type Entry = Happening & {
  /** UTC, of the observer. */
  readonly atMs: number;
};

const ENTRIES_MAX = 1_000_000;

export class Recording {
  readonly #entries: Entry[] = [];
  readonly #clock: Clock;
  readonly #condition: Condition;
  #connections = 0;

  constructor(clock: Clock = hostClock) {
    this.#clock = clock;
    this.#condition = new Condition(clock);
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  nextConnection(): number {
    this.#connections += 1;
    return this.#connections;
  }

  add(happening: Happening): void {
    if (this.#entries.length === ENTRIES_MAX) throw new Error("the recording is full");
    this.#entries.push({ ...happening, atMs: this.#clock.wallMs() });
    this.#condition.changed();
  }

  mark(mark: Mark): void {
    this.add({ kind: "mark", mark });
  }

  /** Rejects with `what` where it does not come true within the limit. */
  until(what: string, holds: (entries: readonly Entry[]) => boolean, limitMs?: number): Promise<void> {
    return this.#condition.until(
      what,
      () => holds(this.#entries),
      limitMs,
      () => this.#lastWords(),
    );
  }

  #lastWords(): string {
    const shown = this.#entries.slice(-LAST_WORDS).map((entry) => {
      if (entry.kind !== "packet") return entry.kind;
      const topic = entry.packet?.cmd === "publish" ? ` ${entry.packet.topic}` : "";
      return `${entry.from}: ${entry.packet?.cmd ?? "no packet"}${topic}${entry.passed ? "" : " (swallowed)"}`;
    });
    return `(${this.#entries.length} entries, the last: ${shown.join(", ")})`;
  }
}

const LAST_WORDS = 20;
