/** A benchmark several times: what lies in the middle, and how far the runs lie apart. */
import { directionOf, type Figure } from "./figure.ts";

/** A figure over all runs. */
export interface Measured extends Figure {
  /** The median of the distances from the median: a single odd run does not move it. */
  readonly mad: number;
  readonly runs: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (low + (sorted[Math.floor(middle)] ?? low)) / 2;
}

export function medianDistance(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle)));
}

/** One figure a name, in the order of the first run. Limit and verdict are those of the run in the middle, of two the worse. */
export function measuredOver(runs: readonly (readonly Figure[])[]): readonly Measured[] {
  const byName = new Map<string, Figure[]>();
  for (const figure of runs.flat()) byName.set(figure.name, [...(byName.get(figure.name) ?? []), counted(figure)]);
  return [...byName.values()].flatMap((figures) => {
    const bestFirst = figures.toSorted((a, b) => (directionOf(a) === 1 ? b.value - a.value : a.value - b.value));
    const typical = bestFirst[Math.floor(bestFirst.length / 2)];
    if (typical === undefined) return [];
    const values = figures.map(({ value }) => value);
    return [{ ...typical, value: median(values), mad: medianDistance(values), runs: values.length }];
  });
}

/** What never came is worse than any. */
function counted(figure: Figure): Figure {
  if (Number.isFinite(figure.value)) return figure;
  return { ...figure, value: directionOf(figure) === 1 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY };
}
