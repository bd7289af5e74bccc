/** A measured figure, the limit it is held to, and the table of them. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** As printed; empty where none is promised. */
  readonly limit: string;
  /** `disturbed`: missed, but so did what it is held against: the machine is too busy to tell. */
  readonly verdict: "pass" | "FAIL" | "disturbed" | "";
  /** Of the machine, of somebody else's program, or of the run itself: told for those who read, not ours to keep. */
  readonly isContext?: true;
  readonly held?: Held;
}

/** How a figure is held to what it was, where its unit does not say that. */
export interface Held {
  readonly better: "more" | "less";
  /** By so large a share it differs between machines: that is never called a change. */
  readonly marginShare: number;
}

/** What a benchmark prints with `--json`; it may hold more. */
export interface FigureReport {
  readonly loadAverage: number;
  readonly figures: readonly Figure[];
}

const DIGITS: Record<string, number> = {
  ms: 1,
  MB: 1,
  "%": 1,
  ratio: 3,
  "µs/sample": 2,
  "B/sample": 2,
  "messages/s": 3,
};
/** A limit from here on is printed whole. */
const WHOLE_FROM = 100;
const HIGHER_IS_BETTER = new Set(["samples/s", "values/s"]);
const LOWER_IS_BETTER = new Set(["ms", "MB", "%", "µs/sample", "ns/sample", "B/sample", "B/commit", "MB/day"]);

export function told(name: string, value: number, unit: string): Figure {
  return { name, value, unit, limit: "", verdict: "" };
}

export function heldTo(name: string, value: number, unit: string, held: Held): Figure {
  return { ...told(name, value, unit), held };
}

export function context(name: string, value: number, unit: string): Figure {
  return { ...told(name, value, unit), isContext: true };
}

export function atLeast(name: string, value: number, unit: string, min: number): Figure {
  return { name, value, unit, limit: `>= ${shown(min)}`, verdict: verdictOf(value, value >= min) };
}

export function atMost(name: string, value: number, unit: string, max: number): Figure {
  return { name, value, unit, limit: `<= ${shown(max)}`, verdict: verdictOf(value, value <= max) };
}

export function below(name: string, value: number, unit: string, max: number): Figure {
  return { name, value, unit, limit: `< ${shown(max)}`, verdict: verdictOf(value, value < max) };
}

export function between(name: string, value: number, unit: string, min: number, max: number): Figure {
  const limit = `${valueText(min, unit)} to ${valueText(max, unit)}`;
  return { name, value, unit, limit, verdict: verdictOf(value, min <= value && value <= max) };
}

/** What never came is no number: the greatest of none lies below any limit. */
function verdictOf(value: number, holds: boolean): Figure["verdict"] {
  return holds && Number.isFinite(value) ? "pass" : "FAIL";
}

/** 1: more is better; -1: less is; 0: neither. */
export function directionOf({ limit, unit, held }: Pick<Figure, "limit" | "unit" | "held">): 1 | 0 | -1 {
  if (held !== undefined) return held.better === "more" ? 1 : -1;
  if (limit.startsWith(">")) return 1;
  if (limit.startsWith("<")) return -1;
  if (HIGHER_IS_BETTER.has(unit)) return 1;
  return LOWER_IS_BETTER.has(unit) ? -1 : 0;
}

/** How a benchmark ends: its figures as a table, or as JSON. */
export function reportText(report: FigureReport, json = false): string {
  if (json) return `${JSON.stringify(report, undefined, 2)}\n`;
  return `load average ${report.loadAverage.toFixed(1)}\n\n${tableOf(report.figures)}`;
}

/** What `reportText` wrote as JSON. That has no word for a value that never came, so it stands there as null. */
export function parseReport(json: string): FigureReport {
  return JSON.parse(json, (key, value) => (key === "value" && value === null ? Number.NaN : value));
}

/** Where nothing was measured nothing holds. */
export function hasMissed(figures: readonly Figure[]): boolean {
  return figures.length === 0 || figures.some(({ verdict }) => verdict === "FAIL");
}

export function tableOf(figures: readonly Figure[]): string {
  return alignedTable(
    figures.map(({ name, value, unit, limit, verdict }) => {
      return [name, valueText(value, unit), unit, limit && `limit ${limit}`, verdict];
    }),
  );
}

export function valueText(value: number, unit: string): string {
  return value.toFixed(DIGITS[unit] ?? 0);
}

/** Columns as wide as they must be, a row a line. */
export function alignedTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const padded = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)));
  return padded.map((cells) => `${cells.join("  ").trimEnd()}\n`).join("");
}

function shown(limit: number): string {
  return limit >= WHOLE_FROM ? limit.toFixed(0) : String(Number(limit.toFixed(2)));
}
