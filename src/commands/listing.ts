/** Plain text for a terminal: aligned columns and wrapped lines that never exceed a width. */

const GAP = "  ";
/** A column gives way down to this, then the next one does. */
const COLUMN_CHARS_MIN = 6;

/** Lines are not wider, however wide the terminal is, and not narrower. */
const PAGE_COLUMNS_MAX = 80;
const PAGE_COLUMNS_MIN = 40;

export interface ListingOptions {
  readonly columns: number;
  readonly indent: number;
  /** Columns that are cut, with an ellipsis, where the rows are too wide; the first one first. */
  readonly yielding: readonly number[];
}

/** Rows as aligned columns. Columns that are empty in every row are left out. */
export function listing(rows: readonly (readonly string[])[], { columns, indent, yielding }: ListingOptions): string {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const filled = widths.filter((width) => width > 0);
  let excess = indent + filled.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - columns;
  for (const column of yielding) {
    const width = widths[column] ?? 0;
    const given = Math.max(0, Math.min(excess, width - COLUMN_CHARS_MIN));
    widths[column] = width - given;
    excess -= given;
  }
  return rows.map((row) => `${cut(`${" ".repeat(indent)}${rowText(row, widths)}`, columns)}\n`).join("");
}

function rowText(row: readonly string[], widths: readonly number[]): string {
  const cells = widths.flatMap((width, column) => (width === 0 ? [] : [cut(row[column] ?? "", width).padEnd(width)]));
  return cells.join(GAP).trimEnd();
}

/** At most `width` characters, with a mark where something was cut. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Words in lines of at most `columns`, each indented; a longer word has its own line. */
export function wrapped(text: string, columns: number, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each) => `${" ".repeat(indent)}${each}\n`).join("");
}

/** How wide text for people is on this terminal. */
export function pageColumns(terminalColumns: number): number {
  return Math.max(PAGE_COLUMNS_MIN, Math.min(PAGE_COLUMNS_MAX, terminalColumns));
}

/** `1 tag`, `2 tags`. */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
