/**
 * Sets of whole numbers as ranges: ascending, disjoint, never touching, the last one possibly open (`to` Infinity).
 * Pure functions; what goes in is never changed.
 */
import type { Range } from "../pipeline.ts";

export type Ranges = readonly Range[];

/** Ranges an uplink's progress may have. Beyond it neighbours merge: duplicates, never holes. */
export const MAX_RANGES = 64;

export function contains(ranges: Ranges, number: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range === undefined) return false;
    if (number < range.from) high = middle - 1;
    else if (number > range.to) low = middle + 1;
    else return true;
  }
  return false;
}

/** Whether every number of the range is in the set. */
export function containsAll(ranges: Ranges, { from, to }: Range): boolean {
  return ranges.some((range) => range.from <= from && to <= range.to);
}

export function subtract(ranges: Ranges, cut: Range): Ranges {
  if (cut.to < cut.from) return ranges;
  const rest: Range[] = [];
  for (const range of ranges) {
    if (range.to < cut.from || range.from > cut.to) {
      rest.push(range);
      continue;
    }
    if (range.from < cut.from) rest.push({ from: range.from, to: cut.from - 1 });
    if (range.to > cut.to) rest.push({ from: cut.to + 1, to: range.to });
  }
  return rest;
}

export function add(ranges: Ranges, more: Range): Ranges {
  if (more.to < more.from) return ranges;
  const below: Range[] = [];
  const above: Range[] = [];
  let { from, to } = more;
  for (const range of ranges) {
    if (range.to < from - 1) below.push(range);
    else if (range.from > to + 1) above.push(range);
    else {
      from = Math.min(from, range.from);
      to = Math.max(to, range.to);
    }
  }
  return [...below, { from, to }, ...above];
}

export function union(sets: readonly Ranges[]): Ranges {
  const sorted = sets.flat().sort((a, b) => a.from - b.from);
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

/** At most `max` ranges: those with the fewest numbers between them merge first. */
export function bound(ranges: Ranges, max = MAX_RANGES): Ranges {
  if (ranges.length <= max) return ranges;
  const gaps = ranges.slice(1).map((range, i) => ({ before: i + 1, size: range.from - (ranges[i]?.to ?? 0) }));
  gaps.sort((a, b) => a.size - b.size);
  const closed = new Set(gaps.slice(0, ranges.length - max).map((gap) => gap.before));
  const merged: { from: number; to: number }[] = [];
  ranges.forEach(({ from, to }, i) => {
    const last = merged.at(-1);
    if (last !== undefined && closed.has(i)) last.to = to;
    else merged.push({ from, to });
  });
  return merged;
}

/** The part of the set inside the window. */
export function clip(ranges: Ranges, window: Range): Ranges {
  const inside: Range[] = [];
  for (const { from, to } of ranges) {
    const clipped = { from: Math.max(from, window.from), to: Math.min(to, window.to) };
    if (clipped.from <= clipped.to) inside.push(clipped);
  }
  return inside;
}

/** The numbers of the window that are not in the set. */
export function gaps(ranges: Ranges, window: Range): Ranges {
  return ranges.reduce<Ranges>(subtract, window.to < window.from ? [] : [window]);
}

/** How many numbers of the set are not above `number`. */
export function countUpTo(ranges: Ranges, number: number): number {
  let count = 0;
  for (const { from, to } of ranges) {
    if (from > number) break;
    count += Math.min(to, number) - from + 1;
  }
  return count;
}

/** The smallest number of the set that is not below `number`. */
export function firstFrom(ranges: Ranges, number: number): number | undefined {
  for (const { from, to } of ranges) if (to >= number) return Math.max(from, number);
  return undefined;
}
