/** What benchmarks gave before, and whether what they give now is worse by more than their own noise. */
import { alignedTable, directionOf, valueText } from "./figure.ts";
import type { Measured } from "./noise.ts";

/** One benchmark as it was measured once. */
export interface BenchBaseline {
  readonly date: string;
  readonly machine: string;
  readonly node: string;
  readonly loadAverage: number;
  readonly figures: Readonly<Record<string, BaselineFigure>>;
}

export interface BaselineFigure {
  readonly value: number;
  readonly unit: string;
  readonly mad: number;
  readonly runs: number;
}

/** By benchmark; the short form of one measures other figures than the long one. */
export type Baseline = Readonly<Record<"long" | "short", Readonly<Record<string, BenchBaseline>>>>;

export interface Comparison {
  readonly figure: Measured;
  readonly before: BaselineFigure | undefined;
  /**
   * `other machine`: figures of time and memory say nothing about the program there.
   * `GONE`: no longer measured, so that nobody would see it get worse.
   */
  readonly outcome: "same" | "better" | "WORSE" | "GONE" | "new" | "other machine" | "";
}

export interface Here {
  readonly machine: string;
  readonly node: string;
}

/** Of a normal distribution, from the median distance. */
const SIGMA_PER_MAD = 1.4826;
const SIGMAS = 4;
/** Runs lie further apart from one day to the next than within one: so much is never called a change. */
const RATIO_MARGIN = 0.05;
const ABSOLUTE_MARGIN = 0.15;
/** Below this a figure is as good as 0. */
const LEAST_MARGIN: Readonly<Record<string, number>> = { ms: 2, ratio: 0.01, "%": 0.5, MB: 1 };
/** Say the same on every machine. */
const PORTABLE = new Set(["ratio", "count", "B/sample", "B/commit", "MB/day"]);

export function compare(
  measured: readonly Measured[],
  baseline: BenchBaseline | undefined,
  here: Here,
): readonly Comparison[] {
  const compared = measured.map((figure) => {
    const known = baseline?.figures[figure.name];
    const before = known?.unit === figure.unit ? known : undefined;
    return { figure, before, outcome: outcomeOf(figure, before, baseline, here) };
  });
  const names = new Set(measured.map(({ name }) => name));
  const gone = Object.entries(baseline?.figures ?? {}).filter(([name]) => !names.has(name));
  return [...compared, ...gone.map(([name, before]) => notMeasured(name, before))];
}

function notMeasured(name: string, before: BaselineFigure): Comparison {
  const figure = { name, value: Number.NaN, unit: before.unit, limit: "", verdict: "" as const, mad: 0, runs: 0 };
  return { figure, before, outcome: "GONE" };
}

function outcomeOf(
  figure: Measured,
  before: BaselineFigure | undefined,
  baseline: BenchBaseline | undefined,
  here: Here,
): Comparison["outcome"] {
  const direction = directionOf(figure);
  if (figure.isContext === true || direction === 0) return "";
  if (before === undefined || baseline === undefined) return "new";
  if (!PORTABLE.has(figure.unit) && !isSameMachine(baseline, here)) return "other machine";
  const gain = (figure.value - before.value) * direction;
  // Without a number on both sides there is nothing to hold it to: a value that never came is worse than any.
  if (!Number.isFinite(figure.value) && Number.isFinite(before.value)) return "WORSE";
  const margin = marginOf(figure, before);
  if (gain < -margin) return figure.verdict === "disturbed" ? "same" : "WORSE";
  return gain > margin ? "better" : "same";
}

/** The noise of both measurements together, and never less than what a day changes. */
export function marginOf({ unit, mad, held }: Measured, before: BaselineFigure): number {
  const noise = SIGMAS * SIGMA_PER_MAD * Math.hypot(mad, before.mad);
  const share = held?.marginShare ?? (PORTABLE.has(unit) ? RATIO_MARGIN : ABSOLUTE_MARGIN);
  return Math.max(noise, share * Math.abs(before.value), LEAST_MARGIN[unit] ?? 0);
}

/** Another patch of Node is the same Node. */
function isSameMachine(baseline: BenchBaseline, here: Here): boolean {
  return baseline.machine === here.machine && majorOf(baseline.node) === majorOf(here.node);
}

function majorOf(version: string): string {
  return version.split(".")[0] ?? "";
}

export function isWorse(comparisons: readonly Comparison[]): boolean {
  return comparisons.some(({ outcome }) => outcome === "WORSE" || outcome === "GONE");
}

export function baselineOf(
  measured: readonly Measured[],
  around: Pick<BenchBaseline, "date" | "machine" | "node" | "loadAverage">,
): BenchBaseline {
  const kept = measured.filter(({ value, isContext }) => isContext !== true && Number.isFinite(value));
  const figures = kept.map(({ name, value, unit, mad, runs }) => {
    return [name, { value: rounded(value), unit, mad: rounded(mad), runs }] as const;
  });
  return { ...around, figures: Object.fromEntries(figures) };
}

export function comparisonText(comparisons: readonly Comparison[]): string {
  const head = ["figure", "now", "±", "unit", "limit", "of it", "", "before", "change", ""];
  const rows = comparisons.map(({ figure, before, outcome }) => [
    figure.name,
    figure.runs === 0 ? "" : valueText(figure.value, figure.unit),
    figure.runs < 2 ? "" : valueText(figure.mad, figure.unit),
    figure.unit,
    figure.limit,
    shareOfLimit(figure),
    figure.verdict,
    before === undefined ? "" : valueText(before.value, figure.unit),
    before === undefined || before.value === 0 || figure.runs === 0 ? "" : percent(figure.value / before.value - 1),
    outcome,
  ]);
  return alignedTable([head, ...rows]);
}

function shareOfLimit({ value, limit }: Measured): string {
  const at = Number(limit.replace(/^[<>=]+ /, ""));
  return limit === "" || at === 0 ? "" : `${((value / at) * 100).toFixed(0)} %`;
}

function percent(share: number): string {
  return `${share >= 0 ? "+" : ""}${(share * 100).toFixed(1)} %`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}
