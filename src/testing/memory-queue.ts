/** An outbox for one uplink, in memory and without limits: the seam at its plainest. */
import { type Clock, sleep } from "../core/clock.ts";
import type { Batch, Intake, Loss, NumberedSample, Range, Sample, UplinkQueue } from "../pipeline.ts";

/** As the outbox waits after a failed read. */
const RETRY_MS = 1_000;

export class MemoryQueue implements UplinkQueue, Intake {
  readonly #clock: Clock;
  /** By number, from 1 on. */
  readonly #samples: NumberedSample[] = [];
  #pending: readonly Range[] = [{ from: 1, to: Number.POSITIVE_INFINITY }];
  #losses: readonly Loss[] = [];
  readonly #listeners = new Set<() => void>();
  /** What comes from the file takes this long. */
  fileDelayMs = 0;
  /** The file cannot be read. */
  unreadable = false;
  /** Times that something was asked for. */
  reads = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  append(samples: readonly Sample[]): void {
    for (const sample of samples) {
      this.#samples.push({ ...sample, number: this.newest() + 1, takenInMs: this.#clock.monotonicMs() });
    }
    for (const listener of [...this.#listeners]) listener();
  }

  /** As if everything so far had left memory: it comes from the file, without the time of being taken in. */
  spill(): void {
    for (const [index, { takenInMs: _, ...sample }] of this.#samples.entries()) this.#samples[index] = sample;
  }

  lose(loss: Loss): void {
    this.#losses = [...this.#losses, loss];
    for (const listener of [...this.#listeners]) listener();
  }

  newest(): number {
    return this.#samples.length;
  }

  dated(): number {
    return this.newest();
  }

  pending(): readonly Range[] {
    return this.#pending;
  }

  depth(): number {
    return this.#pending.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to, this.newest()) - from + 1), 0);
  }

  oldestMs(): number | undefined {
    const [first] = this.#pending;
    return first === undefined ? undefined : this.#samples[first.from - 1]?.sourceTimestampMs;
  }

  async read(from: number, upTo: number, maxSamples: number): Promise<Batch> {
    this.reads += 1;
    const to = Math.max(from - 1, Math.min(upTo, this.newest()));
    const found: NumberedSample[] = [];
    for (let number = Math.max(1, from); number <= to && found.length <= maxSamples; number++) {
      const sample = this.#samples[number - 1];
      if (sample !== undefined && this.#isPending(number)) found.push(sample);
    }
    const samples = found.slice(0, maxSamples);
    if (samples.some(({ takenInMs }) => takenInMs === undefined)) await sleep(this.#clock, this.fileDelayMs);
    if (this.unreadable) {
      await sleep(this.#clock, RETRY_MS);
      return { covers: { from, to: from - 1 }, samples: [] };
    }
    return { covers: { from, to: samples.length < found.length ? (samples.at(-1)?.number ?? to) : to }, samples };
  }

  readLive(from: number, to: number, maxSamples: number): Promise<Batch> {
    return this.read(from, to, maxSamples);
  }

  acknowledge(given: Range): void {
    const range = { from: given.from, to: Math.min(given.to, this.newest()) };
    this.#pending = this.#pending.flatMap(({ from, to }) =>
      [
        { from, to: Math.min(to, range.from - 1) },
        { from: Math.max(from, range.to + 1), to },
      ].filter((left) => left.from <= left.to),
    );
  }

  rewind(from: number): void {
    const kept = this.#pending
      .filter((range) => range.from < from)
      .map((range) => ({ from: range.from, to: Math.min(range.to, from - 1) }));
    this.#pending = [...kept, { from, to: Number.POSITIVE_INFINITY }];
  }

  losses(): readonly Loss[] {
    return this.#losses;
  }

  acknowledgeLoss(id: number): void {
    this.#losses = this.#losses.filter((loss) => loss.id !== id);
  }

  onAppend(listener: () => void): () => void {
    // A function given twice is two listeners.
    const call = () => listener();
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  #isPending(number: number): boolean {
    return this.#pending.some(({ from, to }) => from <= number && number <= to);
  }
}
