/** Whether something grows: a line through the quietest moments of each span, that a few odd ones cannot turn. */

export interface Point {
  readonly s: number;
  readonly value: number;
}

export interface Trend {
  readonly perHour: number;
  /** Nineteen times of twenty it is between these, where the points are independent. */
  readonly lowPerHour: number;
  readonly highPerHour: number;
  readonly points: number;
  readonly spanS: number;
}

const S_PER_HOUR = 3_600;
/** The pairs are their square: enough for any line. */
const POINTS_MAX = 400;
const Z_95 = 1.96;
/** V8 collects all of a heap of 50 MB each 70 to 100 s under the soak's load: each span sees the floor several times. */
const SPAN_MIN_S = 300;

/** The least value of each span, at its time: what is taken for a moment and given back does not count. */
export function minima(points: readonly Point[], spanS: number): readonly Point[] {
  const least = new Map<number, Point>();
  for (const point of points) {
    const span = Math.floor(point.s / spanS);
    const known = least.get(span);
    if (known === undefined || point.value < known.value) least.set(span, point);
  }
  return [...least.values()];
}

/** The span that leaves so many minima, and is no shorter than tells the floor. */
export function spanFor(points: readonly Point[]): number {
  const wholeS = (points.at(-1)?.s ?? 0) - (points[0]?.s ?? 0);
  return Math.max(SPAN_MIN_S, Math.ceil(wholeS / POINTS_MAX));
}

/** The median of the slopes of all pairs (Theil, Sen); undefined for fewer than three points. */
export function theilSen(points: readonly Point[]): Trend | undefined {
  const first = points[0];
  const last = points.at(-1);
  if (points.length < 3 || first === undefined || last === undefined) return undefined;
  const slopes: number[] = [];
  for (const [i, from] of points.entries()) {
    for (const to of points.slice(i + 1)) {
      if (to.s !== from.s) slopes.push((to.value - from.value) / (to.s - from.s));
    }
  }
  slopes.sort((a, b) => a - b);
  const n = points.length;
  const halfRanks = (Z_95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)) / 2;
  const at = (rank: number) => slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))] ?? 0;
  const middle = (slopes.length - 1) / 2;
  return {
    perHour: ((at(Math.floor(middle)) + at(Math.ceil(middle))) / 2) * S_PER_HOUR,
    lowPerHour: at(middle - halfRanks) * S_PER_HOUR,
    highPerHour: at(middle + halfRanks) * S_PER_HOUR,
    points: n,
    spanS: last.s - first.s,
  };
}
