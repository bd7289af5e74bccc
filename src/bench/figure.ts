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

export function told(name: string, value: number, unit: string): Figure {
  return { name, value, unit, limit: "", verdict: "" };
}

export function context(name: string, value: number, unit: string): Figure {
  return { ...told(name, value, unit), isContext: true };
}

export function atLeast(name: string, value: number, unit: string, min: number): Figure {
  return { name, value, unit, limit: `>= ${shown(min)}`, verdict: value >= min ? "pass" : "FAIL" };
}

export function atMost(name: string, value: number, unit: string, max: number): Figure {
  return { name, value, unit, limit: `<= ${shown(max)}`, verdict: value <= max ? "pass" : "FAIL" };
}

export function below(name: string, value: number, unit: string, max: number): Figure {
  return { name, value, unit, limit: `< ${shown(max)}`, verdict: value < max ? "pass" : "FAIL" };
}

/** How a benchmark ends: its figures as a table, or as JSON. */
export function reportText(report: FigureReport, json = false): string {
  if (json) return `${JSON.stringify(report, undefined, 2)}\n`;
  return `load average ${report.loadAverage.toFixed(1)}\n\n${tableOf(report.figures)}`;
}

export function hasMissed(figures: readonly Figure[]): boolean {
  return figures.some(({ verdict }) => verdict === "FAIL");
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
