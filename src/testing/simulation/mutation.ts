import type { Change, DeviceTrouble, Plan, Trouble } from "./plan.ts";
import { hasSmallOutbox } from "./site.ts";

/** A planted mistake: what the simulation must see if it is worth anything. */
export interface Mutation {
  /** What the mutated gateway does wrong. */
  readonly name: string;
  /** The promise that it breaks. */
  readonly breaks: "P3" | "P4" | "P5" | "P6" | "P7" | "P8" | "P9" | "identity";
  /** What must go wrong in a run for it to show at all; other seeds are passed over. */
  readonly needs: readonly Need[];
  readonly edits: readonly Edit[];
}

/**
 * A kind of trouble, or of change, or a site: its outbox meets its limit, or commits before anything is sent, or it is a
 * board without a clock, or it speaks Sparkplug, and waits for its host.
 */
export type Need =
  | Trouble["kind"]
  | DeviceTrouble["how"]
  | Change["what"]
  | "small outbox"
  | "commit first"
  | "board"
  | "sparkplug"
  | "primary host";

export function meets({ site, faults }: Plan, needs: readonly string[]): boolean {
  const met = new Set<string>(faults.flatMap(({ trouble }) => wordsOf(trouble)));
  if (hasSmallOutbox(site)) met.add("small outbox");
  if (site.outbox.commitIntervalMs === 0) met.add("commit first");
  if (site.board !== undefined) met.add("board");
  if (site.uplinks.some(({ sparkplug }) => sparkplug !== undefined)) met.add("sparkplug");
  if (site.uplinks.some(({ sparkplug }) => sparkplug?.hasPrimaryHost === true)) met.add("primary host");
  return needs.every((need) => met.has(need));
}

function wordsOf(trouble: Trouble): readonly string[] {
  if (trouble.kind === "device") return [trouble.kind, trouble.trouble.how];
  return trouble.kind === "reload" ? [trouble.kind, trouble.change.what] : [trouble.kind];
}

export interface Edit {
  /** Below src/. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** @throws where the text does not stand in the file exactly once: the mutation has to be brought up to date */
export function edited(text: string, { file, find, replace }: Edit): string {
  const pieces = text.split(find);
  if (pieces.length !== 2) {
    throw new Error(`src/${file} holds ${pieces.length - 1} times: ${find}`);
  }
  return pieces.join(replace);
}
