/**
 * The newest samples in memory, by number. What is uncommitted is only here; what is stored or acknowledged stays for
 * a while, so that live sending never waits for the card. Below `base` there is nothing; above it a missing number
 * was given up.
 */
import type { StoredSample } from "./stored-sample.ts";

export interface TailEntry {
  readonly sample: StoredSample;
  /** An estimate of the memory it takes. */
  readonly bytes: number;
  /** `stored`: a block in the file holds it, and will as long as it is in the tail. */
  state: "new" | "committing" | "stored";
}

/** A sample, its entry and its share of the list, in V8; a string is counted on top. */
const SAMPLE_BYTES = 250;
/** Removed entries leave their places at the front of the list until they are this many: moving it costs more. */
const SLACK_ENTRIES = 256;

export class Tail {
  /** Before the head nothing: what was removed must not live on there. */
  #entries: (TailEntry | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #base: number;

  /** @param base the first number to come */
  constructor(base: number) {
    this.#base = base;
  }

  get base(): number {
    return this.#base;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** Numbers ascend. */
  push(sample: StoredSample): void {
    const text = typeof sample.value === "string" ? 2 * sample.value.length : 0;
    this.#entries.push({ sample, bytes: SAMPLE_BYTES + text, state: "new" });
    this.#bytes += SAMPLE_BYTES + text;
  }

  first(): TailEntry | undefined {
    return this.#entries[this.#head];
  }

  /** Entries with numbers from `from` to `to`, ascending. */
  *between(from: number, to: number): Generator<TailEntry> {
    for (let i = this.#indexOf(from); i < this.#entries.length; i++) {
      const entry = this.#entries[i];
      if (entry === undefined || entry.sample.number > to) return;
      yield entry;
    }
  }

  *samples(from: number, to: number): Generator<StoredSample> {
    for (const { sample } of this.between(from, to)) yield sample;
  }

  /** Removes entries at the front as long as `may` says so. */
  trim(may: (entry: TailEntry) => boolean): void {
    for (let entry = this.first(); entry !== undefined && may(entry); entry = this.first()) {
      this.#base = entry.sample.number + 1;
      this.#bytes -= entry.bytes;
      this.#entries[this.#head] = undefined;
      this.#head++;
    }
    if (this.#head < SLACK_ENTRIES || this.#head < this.size) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }

  /** Removes and returns the oldest `count` entries that are new and of the lowest priority there is. */
  giveUp(count: number, rankOf: (entry: TailEntry) => number): TailEntry[] {
    const live = this.#entries.slice(this.#head).filter((entry) => entry !== undefined);
    const open = live.filter((entry) => entry.state === "new");
    const lowest = open.reduce((rank, entry) => Math.min(rank, rankOf(entry)), Infinity);
    const given = new Set(open.filter((entry) => rankOf(entry) === lowest).slice(0, count));
    this.#entries = live.filter((entry) => !given.has(entry));
    this.#head = 0;
    for (const entry of given) this.#bytes -= entry.bytes;
    return [...given];
  }

  #indexOf(number: number): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.sample.number ?? Infinity) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
