/** Plain text for a terminal: aligned columns and wrapped lines that never exceed a width. */

const GAP = "  ";
/** A column gives way down to this before the next widest does. */
const COLUMN_CHARS_MIN = 6;

/**
 * Rows as aligned columns. Where they are wider than the terminal, the widest column is cut, with an ellipsis.
 * Columns that are empty in every row are left out.
 */
export function listing(rows: readonly (readonly string[])[], columns: number, indent: number): string {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const total = () => indent + widths.reduce((sum, width) => sum + (width === 0 ? 0 : width + GAP.length), -GAP.length);
  while (total() > columns) {
    const widest = widths.indexOf(Math.max(...widths));
    const width = widths[widest] ?? 0;
    if (width <= COLUMN_CHARS_MIN) break;
    widths[widest] = width - 1;
  }
  return rows.map((row) => `${" ".repeat(indent)}${rowText(row, widths)}\n`).join("");
}

function rowText(row: readonly string[], widths: readonly number[]): string {
  const cells = widths.flatMap((width, column) => (width === 0 ? [] : [cut(row[column] ?? "", width).padEnd(width)]));
  return cells.join(GAP).trimEnd();
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
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
