/**
 * A backlog that is made as it is read, of the same samples again and again under new numbers and times: a bench of
 * what comes behind the outbox pays neither for decoding blocks nor for collecting samples.
 */
import type { TagRef } from "../core/tag.ts";
import type { Batch, Loss, NumberedSample, Range, UplinkQueue } from "../pipeline.ts";

/** Between two reads of one device. */
const SCAN_MS = 1_000;
/** Between the replies of two devices. */
const REPLY_MS = 40;
/** Two decimal places, as of a register that is scaled. */
const VALUE_STEPS = 100_000;
const PLACES = 100;
/** More than ever are on their way at once. */
const RING_SAMPLES = 50_000;
/** Prime to the steps: neighbours differ, and all come up. */
const STRIDE = 7_919;

type Reused = { -readonly [K in keyof NumberedSample]: NumberedSample[K] };

export class MadeBacklog implements UplinkQueue {
  readonly #tags: readonly TagRef[];
  readonly #ring: readonly Reused[];
  readonly #samples: number;
  readonly #fromMs: number;
  readonly #replySamples: number;
  /** Up to here all is acknowledged; beyond, what was acknowledged early. */
  #acknowledged = 0;
  readonly #early = new Map<number, number>();

  /**
   * @param tags so many that the ring holds each equally often; `replySamples` of them in turn come at the same time
   * @param samples of all tags in turn, the last ones shortly before `nowMs`
   */
  constructor(tags: readonly TagRef[], replySamples: number, samples: number, nowMs: number) {
    this.#tags = tags;
    this.#replySamples = replySamples;
    this.#samples = samples;
    this.#ring = Array.from({ length: RING_SAMPLES }, (_, index) => ({
      tag: tags[index % tags.length] as TagRef,
      value: ((index * STRIDE) % VALUE_STEPS) / PLACES,
      status: "Good",
      sourceTimestampMs: 0,
      epoch: 1,
      number: 0,
    }));
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
    const sample = this.#ring[index % RING_SAMPLES] as Reused;
    sample.number = number;
    const scan = Math.floor(index / this.#tags.length);
    const reply = Math.floor((index - scan * this.#tags.length) / this.#replySamples);
    sample.sourceTimestampMs = this.#fromMs + scan * SCAN_MS + reply * REPLY_MS;
    return sample;
  }
}
