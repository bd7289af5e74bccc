/** A measured figure, the limit it is held to, and the table of them. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** As printed; empty where none is promised. */
  readonly limit: string;
  readonly verdict: "pass" | "FAIL" | "";
}

const DIGITS: Record<string, number> = { ms: 1, MB: 1, "%": 1, "µs/sample": 2, "B/sample": 1 };

export function told(name: string, value: number, unit: string): Figure {
  return { name, value, unit, limit: "", verdict: "" };
}

export function atLeast(name: string, value: number, unit: string, min: number): Figure {
  return { name, value, unit, limit: `>= ${min}`, verdict: value >= min ? "pass" : "FAIL" };
}

export function atMost(name: string, value: number, unit: string, max: number): Figure {
  return { name, value, unit, limit: `<= ${max.toFixed(0)}`, verdict: value <= max ? "pass" : "FAIL" };
}

export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, limit, verdict }) => {
    return [name, value.toFixed(DIGITS[unit] ?? 0), unit, limit && `limit ${limit}`, verdict];
  });
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const padded = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)));
  return padded.map((cells) => `${cells.join("  ").trimEnd()}\n`).join("");
}
