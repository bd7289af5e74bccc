/** Facts are texts: what they say, and how it is written. */
import type { KeptCount } from "../core/kept-count.ts";
import type { LastSeen } from "../core/known-time.ts";
import { PRIORITIES, type TagRef, tagId, VALUE_TYPES } from "../core/tag.ts";
import type { Facts } from "./block-store.ts";
import type { LastKnown } from "./outbox.ts";

export const KNOWN = "known";

/** A fact that is not what we wrote counts as absent: what it says is found out again, or kept in the other file. */
function parse(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function numberIn(text: string | null): number | undefined {
  return wholeNumber(parse(text));
}

function wholeNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}

export function tagsIn(text: string | null): readonly TagRef[] | undefined {
  const value = parse(text);
  if (!Array.isArray(value)) return undefined;
  return value.filter(Array.isArray).map(([device, name, type, priority]) => ({
    id: tagId(`${device}`, `${name}`),
    device: `${device}`,
    name: `${name}`,
    type: VALUE_TYPES.find((known) => known === type) ?? "string",
    priority: PRIORITIES.find((known) => known === priority) ?? "normal",
  }));
}

export function textOf(topics: readonly string[]): string | null {
  return topics.length === 0 ? null : JSON.stringify(topics);
}

export function topicsIn(text: string | null): readonly string[] {
  const value = parse(text);
  return Array.isArray(value) ? value.filter((topic) => typeof topic === "string") : [];
}

export function knownIn(text: string | null): LastKnown {
  const known = recordOf(parse(text));
  const safe = recordOf(known.safe);
  const ms = wholeNumber(safe.ms);
  const epoch = wholeNumber(safe.epoch);
  return {
    safe:
      ms === undefined || epoch === undefined
        ? undefined
        : { ms, epoch, ...(typeof safe.boot === "string" && { boot: safe.boot }) },
    oldestMs: wholeNumber(known.oldestMs),
    ...(known.wasBlind === true && { wasBlind: true }),
  };
}

/** The record of state.db among these facts, as one that a life without its files came after. */
export function withBlindLife(facts: Facts): string {
  const known = recordOf(parse(facts.find(([name]) => name === KNOWN)?.[1] ?? null));
  return JSON.stringify({ ...known, wasBlind: true });
}

/** Counts of inputs; `isClosed`: by a run that ended in order. */
export function countsIn(text: string | null): {
  readonly isClosed: boolean;
  readonly counts: ReadonlyMap<string, KeptCount>;
} {
  const { isClosed, inputs } = recordOf(parse(text));
  const counts = new Map<string, KeptCount>();
  for (const [input, start, edges, certain] of Array.isArray(inputs) ? inputs.filter(Array.isArray) : []) {
    const whole = wholeNumber(edges);
    if (typeof start !== "number" || whole === undefined) continue;
    counts.set(`${input}`, { start, edges: whole, certain: certain === true });
  }
  return { isClosed: isClosed === true, counts };
}

/** The last time seen, of whichever life; undefined where no file knows it. */
export function lastSeenIn(facts: Facts): LastSeen | undefined {
  const { seenMs, boot, monotonicMs } = recordOf(parse(facts.find(([name]) => name === KNOWN)?.[1] ?? null));
  const ms = wholeNumber(seenMs);
  if (ms === undefined) return undefined;
  return { ms, boot: typeof boot === "string" ? boot : "", monotonicMs: wholeNumber(monotonicMs) ?? 0 };
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

export function union(a: readonly string[] | undefined, b: readonly string[]): readonly string[] {
  return [...new Set([...(a ?? []), ...b])];
}
