/** A benchmark several times: what lies in the middle, and how far the runs lie apart. */
import type { Figure } from "./figure.ts";

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

/** One figure a name, in the order of the first run. Its limit and verdict are those of the run in the middle. */
export function measuredOver(runs: readonly (readonly Figure[])[]): readonly Measured[] {
  const byName = new Map<string, Figure[]>();
  for (const figure of runs.flat()) byName.set(figure.name, [...(byName.get(figure.name) ?? []), figure]);
  return [...byName.values()].flatMap((figures) => {
    const sorted = figures.toSorted((a, b) => a.value - b.value);
    const typical = sorted[Math.floor(sorted.length / 2)];
    if (typical === undefined) return [];
    const values = figures.map(({ value }) => value);
    return [{ ...typical, value: median(values), mad: medianDistance(values), runs: values.length }];
  });
}
