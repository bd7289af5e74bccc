/**
 * What was acknowledged lately, in memory: a broker may have read what its subscriber never got. Whoever finds that
 * something is missing gets all of it again, as history: twice rather than never.
 */
import type { NumberedSample, UnsyncedCopy } from "../pipeline.ts";

/** Two keep-alives of a host, after which a broker knows that it is gone. */
export const WINDOW_MS = 120_000;
export const WINDOW_MAX_BYTES = 16_000_000;
/** What a sample takes in memory, about, but for a text as its value. */
const SAMPLE_BYTES = 200;

/** What was acknowledged together. */
interface Kept {
  readonly samples: readonly NumberedSample[];
  readonly bytes: number;
  readonly atMs: number;
}

export class RollingWindow {
  #kept: Kept[] = [];
  #owed: NumberedSample[] = [];
  /** So many that were owed before those are not any more: delivered, or cut. */
  #gone = 0;
  /** Kept ones before this are too old. */
  #first = 0;
  #bytes = 0;

  /** These were acknowledged now; times are monotonic. What has no identity yet is not kept. */
  keep(samples: readonly (NumberedSample | UnsyncedCopy)[], nowMs: number): void {
    const dated = samples.filter((sample): sample is NumberedSample => sample.unsynced !== true);
    if (dated.length === 0) return;
    const bytes = dated.reduce((sum, sample) => sum + bytesOf(sample), 0);
    this.#kept.push({ samples: dated, bytes, atMs: nowMs });
    this.#bytes += bytes;
    this.#forget(nowMs);
  }

  /** All that is kept is owed again. */
  owe(nowMs: number): void {
    this.#forget(nowMs);
    this.#owed = [...this.#owed, ...this.#kept.slice(this.#first).flatMap(({ samples }) => samples)];
    this.#dropOwed(surplusOf(this.#owed));
    this.#kept = [];
    this.#first = 0;
    this.#bytes = 0;
  }

  /**
   * What is owed again, oldest first, from a place on in the order of owing; 0 for all of it. Places stay what they are
   * while others are delivered, or cut because too much is owed.
   */
  owed(from: number, maxSamples: number): { readonly from: number; readonly samples: readonly NumberedSample[] } {
    const first = Math.max(0, from - this.#gone);
    return { from: this.#gone + first, samples: this.#owed.slice(first, first + maxSamples) };
  }

  /** All that is owed before this place was acknowledged. */
  delivered(to: number): void {
    this.#dropOwed(Math.max(0, to - this.#gone));
  }

  #dropOwed(count: number): void {
    this.#owed.splice(0, count);
    this.#gone += count;
  }

  #forget(nowMs: number): void {
    for (let oldest = this.#kept[this.#first]; oldest !== undefined; oldest = this.#kept[this.#first]) {
      if (nowMs - oldest.atMs <= WINDOW_MS && this.#bytes <= WINDOW_MAX_BYTES) break;
      this.#bytes -= oldest.bytes;
      this.#first += 1;
    }
    // Moved up now and then: each time would cost as much as is kept.
    if (this.#first * 2 <= this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#first);
    this.#first = 0;
  }
}

function bytesOf({ value }: NumberedSample): number {
  return SAMPLE_BYTES + (typeof value === "string" ? 2 * value.length : 0);
}

/** How many of the first are too much. */
function surplusOf(owed: readonly NumberedSample[]): number {
  let bytes = 0;
  for (let index = owed.length - 1; index >= 0; index -= 1) {
    const sample = owed[index];
    if (sample !== undefined) bytes += bytesOf(sample);
    if (bytes > WINDOW_MAX_BYTES) return index + 1;
  }
  return 0;
}
