/** Comma-separated values (RFC 4180): quotes, line breaks inside them; a semicolon where the first line has more of these. */

const ROWS_MAX = 50_000;

/** @throws Error where a quote does not end or it is too long */
export function parseCsv(text: string): string[][] {
  const source = text.replace(/^\ufeff/, "");
  const [first = ""] = source.split("\n", 1);
  const separator = first.split(";").length > first.split(",").length ? ";" : ",";
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let isQuoted = false;
  for (let at = 0; at < source.length; at++) {
    const char = source[at];
    if (isQuoted) {
      if (char !== '"') field += char;
      else if (source[at + 1] === '"') field += source[at++];
      else isQuoted = false;
    } else if (char === '"') isQuoted = true;
    else if (char === separator) {
      row.push(field);
      field = "";
    } else if (char === "\n") {
      rows.push([...row, field.replace(/\r$/, "")]);
      if (rows.length > ROWS_MAX) throw new Error(`more than ${ROWS_MAX} rows; split the file`);
      row = [];
      field = "";
    } else field += char;
  }
  if (isQuoted) throw new Error("a quotation mark is never closed");
  if (field !== "" || row.length > 0) rows.push([...row, field]);
  return rows.filter((each) => each.some((cell) => cell.trim() !== ""));
}
