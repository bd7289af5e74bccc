/** Tables as lines of text; what changed since the last page is marked, and shown inverse where there is a terminal. */
import type { Table } from "./registers-view.ts";

const GAP = "  ";
const CHANGED = ">";
const INVERSE = "\x1b[7m";
const PLAIN = "\x1b[0m";

export class Page {
  readonly #isTerminal: boolean;
  /** By table and row, as they were shown last. */
  #shown: ReadonlyMap<string, readonly string[]> = new Map();
  #changes = 0;

  constructor(isTerminal: boolean) {
    this.#isTerminal = isTerminal;
  }

  /** Cells of the last page that were another before. */
  get changes(): number {
    return this.#changes;
  }

  lines(tables: readonly Table[]): readonly string[] {
    const before = this.#shown;
    const next = new Map<string, readonly string[]>();
    this.#changes = 0;
    const lines = tables.flatMap((table, index) => {
      const widths = table.head.map((head, i) =>
        Math.max(head.length, ...table.rows.map(({ cells }) => cells[i]?.length ?? 0)),
      );
      const rows = table.rows.map(({ key, cells }) => {
        const id = `${index} ${key}`;
        next.set(id, cells);
        return this.#row(cells, before.get(id) ?? cells, widths);
      });
      const head = ` ${aligned(table.head, widths).join(GAP)}`.trimEnd();
      return [...(table.title === "" ? [] : ["", ` ${table.title}`]), head, ...rows];
    });
    this.#shown = next;
    return lines;
  }

  #row(cells: readonly string[], before: readonly string[], widths: readonly number[]): string {
    const changed = cells.map((cell, i) => cell !== before[i]);
    this.#changes += changed.filter(Boolean).length;
    const texts = aligned(cells, widths).map((text, i) =>
      changed[i] && this.#isTerminal ? `${INVERSE}${text}${PLAIN}` : text,
    );
    return `${changed.includes(true) ? CHANGED : " "}${texts.join(GAP)}`.trimEnd();
  }
}

function aligned(cells: readonly string[], widths: readonly number[]): readonly string[] {
  return cells.map((cell, i) => cell.padEnd(widths[i] ?? 0));
}
