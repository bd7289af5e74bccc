/** What happened in a run, as lines to read and as one hash to compare. */
import { createHash } from "node:crypto";
import type { Invariant } from "./invariant.ts";

export interface Breach {
  readonly invariant: Invariant;
  readonly atMs: number;
  readonly what: string;
}

interface Line {
  readonly atMs: number;
  readonly text: string;
}

/** Of the many lines of a long run the last ones are kept: what led to the breach. */
const LINES_MAX = 4_000;
const BREACHES_MAX = 20;

export class Story {
  readonly breaches: Breach[] = [];
  readonly #nowMs: () => number;
  readonly #hash = createHash("sha256");
  readonly #root: string;
  #lines: Line[] = [];

  /** @param root the folder of the run, which has another name each time */
  constructor(nowMs: () => number, root: string) {
    this.#nowMs = nowMs;
    this.#root = root;
  }

  tell(told: string): void {
    const atMs = this.#nowMs();
    const text = told.replaceAll(this.#root, "…");
    this.#hash.update(`${atMs} ${text}\n`);
    this.#lines.push({ atMs, text });
    if (this.#lines.length > 2 * LINES_MAX) this.#lines = this.#lines.slice(-LINES_MAX);
  }

  /** Not for reading, but two runs of one seed must agree on it. */
  note(text: string): void {
    this.#hash.update(`${text.replaceAll(this.#root, "…")}\n`);
  }

  breach(invariant: Invariant, what: string): void {
    this.tell(`✗ ${invariant}: ${what}`);
    if (this.breaches.length < BREACHES_MAX) this.breaches.push({ invariant, atMs: this.#nowMs(), what });
  }

  hash(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }

  lines(): readonly string[] {
    return this.#lines.slice(-LINES_MAX).map(({ atMs, text }) => `${clockTime(atMs)}  ${text}`);
  }
}

/** 83456 → "01:23.456", the time since the beginning. */
export function clockTime(atMs: number): string {
  const minutes = Math.floor(atMs / 60_000);
  const seconds = ((atMs % 60_000) / 1_000).toFixed(3).padStart(6, "0");
  return `${String(minutes).padStart(2, "0")}:${seconds}`;
}
