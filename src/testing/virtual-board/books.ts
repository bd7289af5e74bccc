/** What arrived of a board at the broker, held against what its devices served: what is missing, and whether that may be. */
import { CountBook, type Hole } from "../count-book.ts";
import type { WireMessage } from "../ledger.ts";
import { COMMIT_INTERVAL_MS, type Outside, SCAN_RATE_MS, TAGS_PER_DEVICE, TOPIC } from "./outside.ts";

/** P4: what is not acknowledged may be this old before its commit begins. */
const UNCOMMITTED_MS = 1.25 * COMMIT_INTERVAL_MS;
/** The commit that was running, on an emulated disk. */
const COMMIT_MS = 2_000;
/** Before a cut, in which a board that stood still counts as one. */
const LOOK_BACK_MS = 10_000;
const SHOWN = 5;

export interface BooksSummary {
  readonly served: number;
  readonly live: number;
  readonly history: number;
  readonly told: number;
}

/** What the devices served, and what a subscriber got. */
interface Seen {
  readonly served: Outside["served"];
  readonly subscriber: Pick<Outside["subscriber"], "messages">;
}

/** Those messages of the board that carry values, in their order. */
export function* valuesIn(messages: Seen["subscriber"]["messages"]): Generator<ValuesArrived> {
  for (const { topic, payload } of messages) {
    const kind = topic.slice(TOPIC.length + 1);
    if (kind !== "data" && kind !== "history") continue;
    yield { kind, wire: JSON.parse(Buffer.from(payload).toString()) as WireMessage };
  }
}

interface ValuesArrived {
  readonly kind: "data" | "history";
  readonly wire: WireMessage;
}

interface CutMoment {
  readonly wallMs: number;
  /** What was served before that must be there. */
  readonly boundMs: number;
}

export class Books {
  readonly #outside: Seen;
  readonly #counts = new CountBook(["unclean stop"]);
  readonly #cuts: CutMoment[] = [];
  /** The last value of each tag, as it arrived. */
  readonly #latest = new Map<string, unknown>();
  #read = 0;
  #session = 0;
  #live = 0;
  #history = 0;

  constructor(outside: Seen) {
    this.#outside = outside;
  }

  /** Takes in what has arrived since. */
  read(): void {
    const { messages } = this.#outside.subscriber;
    for (const { kind, wire } of valuesIn(messages.slice(this.#read))) {
      if (kind === "data") {
        this.#live += wire.values.length;
        this.#session = Math.max(this.#session, wire.session);
        for (const { id, v } of wire.values) this.#latest.set(id, v);
      }
      if (kind === "history") this.#history += wire.values.length;
      this.#counts.arrived(wire);
    }
    this.#read = messages.length;
  }

  /** Of the connection that the last live value came by. */
  get session(): number {
    return this.#session;
  }

  get history(): number {
    return this.#history;
  }

  latest(tag: string): unknown {
    return this.#latest.get(tag);
  }

  cutAt(wallMs: number): void {
    this.#cuts.push({ wallMs, boundMs: wallMs - UNCOMMITTED_MS - COMMIT_MS - this.#stoodStillMs(wallMs) });
  }

  /** Whether all that was served before is at the broker, or told as lost. */
  caughtUp(beforeMs: number): boolean {
    return this.#counts.caughtUp(this.#outside.served, TAGS_PER_DEVICE, beforeMs);
  }

  /** Of what was served in between, all that has not arrived. */
  missing(fromMs = 0, beforeMs = Number.POSITIVE_INFINITY): readonly Hole[] {
    const holes = this.#counts.holes(this.#outside.served, TAGS_PER_DEVICE);
    return holes.filter(({ servedAtMs }) => fromMs <= servedAtMs && servedAtMs < beforeMs);
  }

  /** What must not be: values that are missing, save those of the moments before a cut, which must be told. */
  faults(beforeMs?: number): readonly string[] {
    this.read();
    const nearCut = ({ servedAtMs }: Hole) =>
      this.#cuts.some(({ wallMs, boundMs }) => boundMs <= servedAtMs && servedAtMs <= wallMs);
    const holes = this.missing(0, beforeMs);
    const tooOld = holes.filter((hole) => !nearCut(hole));
    const untold = holes.filter((hole) => nearCut(hole) && !hole.told);
    return [
      ...(tooOld.length > 0 ? [`lost beyond the bound: ${holesText(tooOld)}`] : []),
      ...(untold.length > 0 ? [`lost without a word: ${holesText(untold)}`] : []),
    ];
  }

  /**
   * An emulator that gets no time stops for seconds, and its board with it, commits and all. From outside that shows in
   * how much later than its time a device was asked: the longest of this is not the gateway's to answer for.
   */
  #stoodStillMs(cutMs: number): number {
    let longestMs = 0;
    for (const log of this.#outside.served.values()) {
      const recent = log.map(({ wallMs }) => wallMs).filter((wallMs) => cutMs - wallMs <= LOOK_BACK_MS);
      for (const [index, wallMs] of recent.entries())
        longestMs = Math.max(longestMs, (recent[index + 1] ?? cutMs) - wallMs);
    }
    return Math.max(0, longestMs - SCAN_RATE_MS);
  }

  summary(): BooksSummary {
    const replies = [...this.#outside.served.values()].reduce((sum, log) => sum + log.length, 0);
    const told = this.missing().filter((hole) => hole.told).length;
    return { served: replies * TAGS_PER_DEVICE, live: this.#live, history: this.#history, told };
  }
}

export function holesText(holes: readonly Hole[]): string {
  const untoldFirst = holes.toSorted((one, other) => Number(one.told) - Number(other.told));
  const shown = untoldFirst.slice(0, SHOWN).map(({ id, count, servedAtMs, told }) => {
    return `${id} ${count} of ${new Date(servedAtMs).toISOString()}${told ? ", told" : ""}`;
  });
  return `${holes.length} (${shown.join("; ")})`;
}
