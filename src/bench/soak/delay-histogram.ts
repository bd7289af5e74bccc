/** Delays by their logarithm: any number of them in the same memory, each told within 9 %. */

const BUCKETS_PER_DOUBLING = 8;
/** Up to about an hour. */
const BUCKETS = BUCKETS_PER_DOUBLING * 22;

export class DelayHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  add(delayMs: number): void {
    const bucket = delayMs <= 1 ? 0 : Math.ceil(Math.log2(delayMs) * BUCKETS_PER_DOUBLING);
    const place = Math.min(BUCKETS - 1, bucket);
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#count += 1;
    this.#maxMs = Math.max(this.#maxMs, delayMs);
  }

  /** At most so much is that share of them; 0 where there are none. */
  quantileMs(share: number): number {
    let left = this.#count * share;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return this.#count === 0 ? 0 : Math.min(this.#maxMs, 2 ** (bucket / BUCKETS_PER_DOUBLING));
    }
    return this.#maxMs;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#maxMs = 0;
  }
}
