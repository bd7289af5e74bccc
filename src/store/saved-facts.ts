/**
 * What the outbox keeps as facts in its file, as text and back. A text that is not ours costs its fact, not the file:
 * it is named, so that what it said can be told as lost.
 *
 *     clean         whether the last stop was clean
 *     safe          the safe time: everything taken in before it was committed or acknowledged by all
 *     runMs         running time of the gateway over all its starts
 *     uplink/NAME   progress of an uplink
 *     loss/NAME/ID  a loss it has not acknowledged
 *     boot/ID       numbers of what a kernel boot took in without knowing the time, and when that was
 */

import type { BootOffset } from "../core/known-time.ts";
import { PRIORITIES } from "../core/tag.ts";
import type { LossReason, Moment } from "../pipeline.ts";
import type { Facts } from "./block-store.ts";
import { type Dictionary, priorityOf, rankOf } from "./dictionary.ts";
import type { LossRecord } from "./losses.ts";
import { bound, type Ranges, union } from "./ranges.ts";
import { DamagedBytes } from "./varint.ts";

/** Everything stamped before it was committed or acknowledged by all. */
export interface SafeTime extends Moment {
  /** `ms` is the best-known time of this boot. */
  readonly boot?: string;
}

/** Undated samples of a kernel boot. */
export interface SavedBoot {
  /** Their numbers, both inclusive; `to` is below `from` where there are none. */
  readonly from: number;
  readonly to: number;
  /** By which they are shown as long as nothing better is known. */
  readonly knownOffsetMs: number;
  readonly fixed: BootOffset | undefined;
}

export interface SavedProgress {
  readonly pending: Ranges;
  /** By rank of priority: samples below were given up for this uplink's own limits. Absent ranks: none. */
  readonly floors: readonly number[];
  /** When the uplink was found to be configured no more, in running time. */
  readonly parkedRunMs: number | undefined;
}

/** A fact that cannot be read. */
export interface BadFact {
  readonly name: string;
  /** Whose loss it was. */
  readonly loser: string | undefined;
  readonly problem: string;
}

export interface SavedOutbox {
  readonly wasClean: boolean;
  readonly safe: SafeTime | undefined;
  readonly runMs: number;
  /** Undefined: what the uplink waits for cannot be read. */
  readonly uplinks: ReadonlyMap<string, SavedProgress | undefined>;
  readonly losses: ReadonlyMap<string, readonly LossRecord[]>;
  readonly boots: ReadonlyMap<string, SavedBoot>;
  readonly bad: readonly BadFact[];
  /** Nothing was ever committed to the file. */
  readonly isNew: boolean;
}

export const FACT = {
  clean: "clean",
  safe: "safe",
  runMs: "runMs",
  uplink: (name: string): string => `uplink/${name}`,
  loss: (name: string, id: number): string => `loss/${name}/${id}`,
  boot: (id: string): string => `boot/${id}`,
} as const;

/** Complete, or it does not compile. */
const REASONS: Record<LossReason, true> = {
  "unclean stop": true,
  "outbox full": true,
  "too old": true,
  "damaged file": true,
  "type changed": true,
  "history off": true,
};
const MIXED = -1;

export function savedOutbox(facts: Facts, dictionary: Dictionary): SavedOutbox {
  const uplinks = new Map<string, SavedProgress | undefined>();
  const losses = new Map<string, LossRecord[]>();
  const boots = new Map<string, SavedBoot>();
  const single = new Map<string, string>();
  const bad: BadFact[] = [];
  const read = <T>(name: string, text: string, as: (text: string) => T): T | undefined => {
    try {
      return as(text);
    } catch (thrown) {
      if (!(thrown instanceof DamagedBytes)) throw thrown;
      const [kind, uplink] = name.split("/");
      bad.push({ name, loser: kind === "loss" ? uplink : undefined, problem: thrown.message });
      return undefined;
    }
  };
  const readSingle = <T>(name: string, as: (text: string) => T): T | undefined => {
    const text = single.get(name);
    return text === undefined ? undefined : read(name, text, as);
  };
  for (const [name, text] of facts) {
    const [kind, uplink, id] = name.split("/");
    if (text === null) continue;
    if (kind === "uplink" && uplink !== undefined) uplinks.set(uplink, read(name, text, progressOf));
    else if (kind === "loss" && uplink !== undefined) {
      if (!uplinks.has(uplink)) uplinks.set(uplink, undefined);
      const loss = read(name, text, () => lossOf(text, Number(id), dictionary));
      if (loss !== undefined) losses.set(uplink, [...(losses.get(uplink) ?? []), loss]);
    } else if (kind === "boot" && uplink !== undefined) {
      const boot = read(name, text, bootOf);
      if (boot !== undefined) boots.set(uplink, boot);
    } else single.set(name, text);
  }
  return {
    wasClean: (single.get(FACT.clean) ?? "true") === "true",
    safe: readSingle(FACT.safe, safeOf),
    runMs: readSingle(FACT.runMs, (text) => numberOf(parse(text))) ?? 0,
    uplinks,
    losses,
    boots,
    bad,
    isNew: !single.has(FACT.safe),
  };
}

export function progressText({ pending, floors, parkedRunMs }: SavedProgress): string {
  const ranges = pending.map(({ from, to }) => [from, to === Infinity ? null : to]);
  return JSON.stringify({
    pending: ranges,
    ...(floors.length > 0 && { floors }),
    ...(parkedRunMs !== undefined && { parkedRunMs }),
  });
}

function progressOf(text: string): SavedProgress {
  const { pending, floors, parkedRunMs } = recordOf(parse(text));
  const ranges = arrayOf(pending).map((pair) => {
    const [from, to] = arrayOf(pair);
    return { from: numberOf(from), to: to === null ? Infinity : numberOf(to) };
  });
  return {
    pending: bound(union([ranges.filter(({ from, to }) => from <= to)])),
    floors: floors === undefined ? [] : arrayOf(floors).map(numberOf),
    parkedRunMs: parkedRunMs === undefined ? undefined : numberOf(parkedRunMs),
  };
}

export function lossText(loss: LossRecord, dictionary: Dictionary): string {
  return JSON.stringify({
    reason: loss.reason,
    epoch: loss.epoch,
    ...(loss.toEpoch !== loss.epoch && { toEpoch: loss.toEpoch }),
    priority: loss.priority === "mixed" ? MIXED : rankOf(loss.priority),
    fromMs: loss.fromMs,
    toMs: loss.toMs,
    fromBoot: loss.fromBoot,
    toBoot: loss.toBoot,
    tags: loss.tags.map(({ tag, count }) => [dictionary.keyOf(tag), rankOf(tag.priority), count]),
  });
}

function lossOf(text: string, id: number, dictionary: Dictionary): LossRecord {
  const saved = recordOf(parse(text));
  const { reason } = saved;
  if (!isReason(reason)) throw new DamagedBytes(`the reason of a loss is ${String(reason)}`);
  const rank = numberOf(saved.priority);
  return {
    id: numberOf(id),
    reason,
    epoch: numberOf(saved.epoch),
    toEpoch: numberOf(saved.toEpoch ?? saved.epoch),
    priority: PRIORITIES[rank] ?? "mixed",
    fromMs: numberOf(saved.fromMs),
    toMs: numberOf(saved.toMs),
    ...bootIn("fromBoot", saved.fromBoot),
    ...bootIn("toBoot", saved.toBoot),
    tags: arrayOf(saved.tags).map((entry) => {
      const [key, tagRank, count] = arrayOf(entry);
      const tag = dictionary.tagOf(numberOf(key), priorityOf(numberOf(tagRank)));
      if (tag === undefined) throw new DamagedBytes(`tag ${String(key)} is not in the dictionary`);
      return { tag, count: count === null ? null : numberOf(count) };
    }),
  };
}

function bootIn<K extends string>(key: K, value: unknown): { readonly [P in K]?: string } {
  return typeof value === "string" ? ({ [key]: value } as { readonly [P in K]?: string }) : {};
}

export function bootText({ from, to, knownOffsetMs, fixed }: SavedBoot): string {
  return JSON.stringify({ from, to, knownOffsetMs, ...fixed });
}

function bootOf(text: string): SavedBoot {
  const saved = recordOf(parse(text));
  const isFixed = saved.offsetMs !== undefined;
  return {
    from: numberOf(saved.from),
    to: numberOf(saved.to),
    knownOffsetMs: numberOf(saved.knownOffsetMs),
    fixed: isFixed ? { offsetMs: numberOf(saved.offsetMs), isCertain: saved.isCertain === true } : undefined,
  };
}

function isReason(value: unknown): value is LossReason {
  return typeof value === "string" && Object.hasOwn(REASONS, value);
}

export function safeText(safe: SafeTime): string {
  return JSON.stringify(safe);
}

function safeOf(text: string): SafeTime {
  const { ms, epoch, boot } = recordOf(parse(text));
  return { ms: numberOf(ms), epoch: numberOf(epoch), ...bootIn("boot", boot) };
}

export function laterSafe(a: SafeTime | undefined, b: SafeTime | undefined): SafeTime | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return isEarlier(b, a) ? a : b;
}

/** In the order of identities. Within a start the time is unknown first and known then. */
export function isEarlier(a: SafeTime, b: SafeTime): boolean {
  if (a.epoch !== b.epoch) return a.epoch < b.epoch;
  return a.boot === b.boot ? a.ms < b.ms : a.boot !== undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DamagedBytes(`a fact reads ${text.slice(0, 40)}`);
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new DamagedBytes("a fact is no record");
  return { ...value };
}

function arrayOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new DamagedBytes("a fact is no list");
  return value;
}

function numberOf(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new DamagedBytes("a fact is no number");
  return value;
}
