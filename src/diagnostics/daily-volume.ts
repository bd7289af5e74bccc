const HOUR_MS = 3_600_000;
const HOURS = 24;

/** How much a rising total has risen within the last day, in steps of an hour. Since the start where that is shorter. */
export class DailyVolume {
  /** The total at the full hours since the start, oldest first, at most a day of them. */
  readonly #marks: number[] = [];
  #nextMarkMs = Number.NEGATIVE_INFINITY;

  /** Takes note of the total, and tells the volume. */
  note(total: number, monotonicMs: number): number {
    if (monotonicMs >= this.#nextMarkMs) {
      this.#marks.push(total);
      if (this.#marks.length > HOURS) this.#marks.shift();
      this.#nextMarkMs = monotonicMs + HOUR_MS;
    }
    return total - (this.#marks[0] ?? total);
  }
}
