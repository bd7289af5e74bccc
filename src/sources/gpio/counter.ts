/** Counting as a pure step. Edges are counted whole and scaled once, so that rounding never adds up. */

export interface Count {
  readonly edges: number;
  /** False once edges may have been missed: the total is then a lower bound. */
  readonly certain: boolean;
}

export interface CounterSettings {
  readonly edge: "rising" | "falling" | "both";
  /** The total before the first edge. */
  readonly start: number;
  readonly scale: number;
}

/** The count after a debounced change to `level`. */
export function countChange(count: Count, level: boolean, edge: CounterSettings["edge"]): Count {
  const counts = edge === "both" || level === (edge === "rising");
  return counts ? { ...count, edges: count.edges + 1 } : count;
}

export function totalOf(count: Count, settings: CounterSettings): number {
  return settings.start + count.edges * settings.scale;
}
