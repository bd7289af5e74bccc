/** The last some hundred response times, coarsely: enough to tell what is usual from what is rare. Bounded. */

/** Each bucket reaches a tenth further than the one before: an answer is right to a twentieth. */
const BUCKET_RATIO = 1.1;
const FIRST_BUCKET_MS = 1;
/** Up to 14 s, longer than any response that is waited for by default; what is longer counts as that. */
const BUCKETS = 100;

/** From so many on, half of each bucket is forgotten, so that a change of the device shows. */
const KEPT_MAX = 1_024;

export class ResponseTimes {
  readonly #buckets = new Uint16Array(BUCKETS);
  #kept = 0;

  add(durationMs: number): void {
    const bucket = Math.ceil(Math.log(durationMs / FIRST_BUCKET_MS) / Math.log(BUCKET_RATIO));
    const at = Math.min(Math.max(bucket, 0), BUCKETS - 1);
    this.#buckets[at] = (this.#buckets[at] ?? 0) + 1;
    this.#kept += 1;
    if (this.#kept >= KEPT_MAX) this.#forgetHalf();
  }

  /** A time that the share was not longer than, by the middle of its bucket; 0 before the first one. */
  percentileMs(share: number): number {
    let left = Math.ceil(this.#kept * share);
    if (left === 0) return 0;
    for (const [at, count] of this.#buckets.entries()) {
      left -= count;
      if (left <= 0) return FIRST_BUCKET_MS * BUCKET_RATIO ** (at - 0.5);
    }
    return 0;
  }

  #forgetHalf(): void {
    this.#kept = 0;
    for (const [at, count] of this.#buckets.entries()) {
      const left = count >> 1;
      this.#buckets[at] = left;
      this.#kept += left;
    }
  }
}
