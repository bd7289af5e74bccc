/** What inputs have counted, as state.db keeps it: totals must go on over a restart, and say so where they cannot. */
import type { KeptCount } from "../core/kept-count.ts";
import { countsIn } from "./fact-text.ts";

export const COUNTS = "counts";

/** Inputs that are configured no more are kept this far: one that is only away for a while goes on where it was. */
const COUNTS_MAX = 256;

export class KeptCounts {
  readonly #counts: Map<string, KeptCount>;
  /** What a lost file knew, or the last minute of a run that did not end in order, is in no total. */
  readonly #isLost: boolean;
  /** Known to the card. */
  readonly #stored: Set<string>;

  /** @param isLost what was kept cannot be read any more */
  constructor(text: string | null, isLost: boolean) {
    const { isClosed, counts } = countsIn(text);
    this.#isLost = isLost;
    this.#counts = new Map(
      [...counts].map(([input, count]) => [input, { ...count, certain: count.certain && isClosed }]),
    );
    this.#stored = new Set(this.#counts.keys());
  }

  /** Another start than the one it was counted from begins anew: somebody has read the meter. */
  of(input: string, start: number): KeptCount {
    const kept = this.#counts.get(input);
    if (kept === undefined) return { start, edges: 0, certain: !this.#isLost };
    return kept.start === start ? kept : { start, edges: 0, certain: true };
  }

  /** @returns whether the card does not know of this input yet: a power cut would leave no mark */
  keep(input: string, count: KeptCount): boolean {
    // The latest last: what was not kept for longest goes first.
    this.#counts.delete(input);
    this.#counts.set(input, count);
    for (const oldest of this.#counts.keys()) {
      if (this.#counts.size <= COUNTS_MAX) break;
      this.#counts.delete(oldest);
    }
    const isNew = !this.#stored.has(input);
    this.#stored.add(input);
    return isNew;
  }

  /** Null where nothing is counted. */
  text(isClosed: boolean): string | null {
    if (this.#counts.size === 0) return null;
    const inputs = [...this.#counts].map(([input, { start, edges, certain }]) => [input, start, edges, certain]);
    return JSON.stringify({ isClosed, inputs });
  }
}
