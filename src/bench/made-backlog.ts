/** A backlog that is made as it is read, so that a bench of what comes behind the outbox pays for nothing else. */
import type { TagRef } from "../core/tag.ts";
import type { Batch, Loss, NumberedSample, Range, UplinkQueue } from "../pipeline.ts";

/** Between two reads of one device. */
const SCAN_MS = 1_000;
/** Two decimal places, as of a register that is scaled. */
const VALUE_STEPS = 100_000;
const PLACES = 100;
/** Prime to the steps: neighbours differ, and all come up. */
const STRIDE = 7_919;

export class MadeBacklog implements UplinkQueue {
  readonly #tags: readonly TagRef[];
  readonly #samples: number;
  readonly #fromMs: number;
  /** Up to here all is acknowledged; beyond, what was acknowledged early. */
  #acknowledged = 0;
  readonly #early = new Map<number, number>();

  /** @param samples so many, of the tags in turn, the last ones sampled at `nowMs` */
  constructor(tags: readonly TagRef[], samples: number, nowMs: number) {
    this.#tags = tags;
    this.#samples = samples;
    this.#fromMs = nowMs - Math.ceil(samples / tags.length) * SCAN_MS;
  }

  newest(): number {
    return this.#samples;
  }

  dated(): number {
    return this.#samples;
  }

  pending(): readonly Range[] {
    return [{ from: this.#acknowledged + 1, to: Number.POSITIVE_INFINITY }];
  }

  depth(): number {
    return this.#samples - this.#acknowledged;
  }

  oldestMs(): undefined {
    return undefined;
  }

  async read(from: number, upTo: number, maxSamples: number): Promise<Batch> {
    const to = Math.min(upTo, this.#samples, from + maxSamples - 1);
    const samples: NumberedSample[] = [];
    for (let number = from; number <= to; number++) samples.push(this.#sample(number));
    return { covers: { from, to }, samples };
  }

  readLive(from: number, to: number, maxSamples: number): Promise<Batch> {
    return this.read(from, to, maxSamples);
  }

  acknowledge({ from, to }: Range): void {
    this.#early.set(from, to);
    for (;;) {
      const next = this.#early.get(this.#acknowledged + 1);
      if (next === undefined) return;
      this.#early.delete(this.#acknowledged + 1);
      this.#acknowledged = next;
    }
  }

  rewind(): void {
    throw new Error("nobody asks a backlog that is made for a bench to go back");
  }

  losses(): readonly Loss[] {
    return [];
  }

  acknowledgeLoss(): void {
    // There is none.
  }

  onAppend(): () => void {
    return () => undefined;
  }

  #sample(number: number): NumberedSample {
    const index = number - 1;
    const tag = this.#tags[index % this.#tags.length] as TagRef;
    const value = ((index * STRIDE) % VALUE_STEPS) / PLACES;
    const sourceTimestampMs = this.#fromMs + Math.floor(index / this.#tags.length) * SCAN_MS;
    return { tag, value, status: "Good", sourceTimestampMs, epoch: 1, number };
  }
}
