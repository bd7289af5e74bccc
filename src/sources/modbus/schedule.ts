/**
 * Who is read next. Pure. The earliest deadline goes first; reads keep to a grid of their period, spread over it. What a
 * line cannot carry makes it fall behind: then its whole timetable is put off, so every read loses in proportion and
 * none is made up for. Lost devices are probed, all of a line together for at most a twentieth of it.
 */
import { assert } from "../../core/errors.ts";

/** A lost device is not probed more often. */
export const PROBE_INTERVAL_MIN_MS = 10_000;

/** Share of the line that all its lost devices together may cost. */
export const PROBE_SHARE = 0.05;

/** One read in its rhythm. */
interface Slot {
  readonly key: number;
  readonly device: string;
  readonly periodMs: number;
  /** The grid: this moment and every period from it. */
  readonly gridMs: number;
  /** When it is due next. */
  readonly dueMs: number;
  /** Not sent before, though due: a retry that waits, a reply that may still come. */
  readonly notBeforeMs: number;
  /** Failed attempts of the running period. */
  readonly attempts: number;
}

interface LostDevice {
  readonly device: string;
  /** The device's cheapest read. */
  readonly key: number;
  readonly dueMs: number;
}

export interface Schedule {
  readonly slots: readonly Slot[];
  /** The longest waiting first. */
  readonly lost: readonly LostDevice[];
  /** No probe before, so that probes keep to their share. */
  readonly probesFromMs: number;
  /** Periods without a read, added up over all reads, with fractions. */
  readonly missedPeriods: number;
}

export interface ScheduledRead {
  readonly key: number;
  readonly device: string;
  readonly periodMs: number;
}

export type Job =
  | { readonly kind: "read"; readonly key: number; readonly attempts: number }
  | { readonly kind: "probe"; readonly key: number; readonly device: string }
  /** Nothing before that time; Infinity: nothing at all. */
  | { readonly kind: "idle"; readonly untilMs: number };

/** Everything is read at once, then on the grid: equal periods are spread evenly over one. */
export function startSchedule(reads: readonly ScheduledRead[], nowMs: number): Schedule {
  const total = new Map<number, number>();
  for (const { periodMs } of reads) total.set(periodMs, (total.get(periodMs) ?? 0) + 1);
  const placed = new Map<number, number>();
  const slots = reads.map((read) => {
    const place = placed.get(read.periodMs) ?? 0;
    placed.set(read.periodMs, place + 1);
    return slotOf(read, nowMs + (read.periodMs * place) / (total.get(read.periodMs) ?? 1), nowMs);
  });
  return { slots, lost: [], probesFromMs: nowMs, missedPeriods: 0 };
}

export function nextJob(schedule: Schedule, nowMs: number): Job {
  const lost = new Set(schedule.lost.map((l) => l.device));
  let best: { readonly job: Job; readonly deadlineMs: number } | undefined;
  let untilMs = Number.POSITIVE_INFINITY;
  for (const slot of schedule.slots) {
    if (lost.has(slot.device)) continue;
    const readyMs = Math.max(slot.dueMs, slot.notBeforeMs);
    const deadlineMs = slot.dueMs + slot.periodMs;
    if (readyMs > nowMs) untilMs = Math.min(untilMs, readyMs);
    else if (best === undefined || deadlineMs < best.deadlineMs) {
      best = { job: { kind: "read", key: slot.key, attempts: slot.attempts }, deadlineMs };
    }
  }
  for (const { device, key, dueMs } of schedule.lost) {
    const readyMs = Math.max(dueMs, schedule.probesFromMs);
    if (readyMs > nowMs) untilMs = Math.min(untilMs, readyMs);
    // Probes keep to their share by themselves, so they need not wait for it as well.
    else if (best === undefined || readyMs < best.deadlineMs)
      best = { job: { kind: "probe", key, device }, deadlineMs: readyMs };
  }
  return best?.job ?? { kind: "idle", untilMs };
}

/**
 * The read has its result for this period, good or not. Periods that passed while it was held, or tried again, it has
 * missed alone. What comes later than a whole period after its deadline shows that the line is behind.
 */
export function finished(schedule: Schedule, key: number, nowMs: number): Schedule {
  let missed = 0;
  let behindMs = 0;
  const next = change(schedule, key, (slot) => {
    const { periodMs } = slot;
    const readyMs = Math.max(slot.dueMs, slot.notBeforeMs);
    behindMs = nowMs - (readyMs + 2 * periodMs);
    const dueMs = gridAfter(slot, readyMs + periodMs / 2);
    missed = Math.round((dueMs - gridAfter(slot, slot.dueMs + periodMs / 2)) / periodMs);
    return { ...slot, dueMs, notBeforeMs: dueMs, attempts: 0 };
  });
  const counted = { ...next, missedPeriods: next.missedPeriods + missed };
  return behindMs > 0 ? putOff(counted, behindMs) : counted;
}

/** The timetable as a whole, later: the order of deadlines stays, and each read misses its share. */
function putOff(schedule: Schedule, byMs: number): Schedule {
  const missed = askedPerMs(schedule) * byMs;
  const slots = schedule.slots.map((s) => ({ ...s, gridMs: s.gridMs + byMs, dueMs: s.dueMs + byMs }));
  return { ...schedule, slots, missedPeriods: schedule.missedPeriods + missed };
}

/** Reads that are asked for in a millisecond, of devices that are not lost. */
export function askedPerMs({ slots, lost }: Schedule): number {
  const gone = new Set(lost.map((l) => l.device));
  return slots.reduce((sum, slot) => sum + (gone.has(slot.device) ? 0 : 1 / slot.periodMs), 0);
}

/** The read failed and is tried again within its period. */
export function retried(schedule: Schedule, key: number, notBeforeMs: number): Schedule {
  return change(schedule, key, (slot) => ({ ...slot, notBeforeMs, attempts: slot.attempts + 1 }));
}

/** The read, or the probe, must not be sent before that time. No attempt is counted. */
export function held(schedule: Schedule, key: number, notBeforeMs: number): Schedule {
  const moved = change(schedule, key, (slot) => ({ ...slot, notBeforeMs }));
  return {
    ...moved,
    lost: moved.lost.map((l) => (l.key === key ? { ...l, dueMs: Math.max(l.dueMs, notBeforeMs) } : l)),
  };
}

/** From now on in this rhythm. */
export function slowed(schedule: Schedule, key: number, periodMs: number, nowMs: number): Schedule {
  const dueMs = nowMs + periodMs;
  return change(schedule, key, (slot) => {
    return { ...slot, periodMs, gridMs: nowMs, dueMs, notBeforeMs: dueMs, attempts: 0 };
  });
}

/** Other reads in place of this one, due at once. */
export function replaced(schedule: Schedule, key: number, reads: readonly ScheduledRead[], nowMs: number): Schedule {
  const gridMs = schedule.slots.find((s) => s.key === key)?.gridMs ?? nowMs;
  const kept = schedule.slots.filter((s) => s.key !== key);
  return { ...schedule, slots: [...kept, ...reads.map((read) => slotOf(read, gridMs, nowMs))] };
}

/** One read in place of these, due when the first of them would have been. */
export function joined(schedule: Schedule, keys: readonly number[], read: ScheduledRead): Schedule {
  const pieces = schedule.slots.filter((s) => keys.includes(s.key));
  const [first] = pieces.toSorted((a, b) => a.dueMs - b.dueMs);
  assert(first !== undefined, "nothing to be joined");
  const whole = { ...first, ...read, notBeforeMs: first.dueMs, attempts: 0 };
  return { ...schedule, slots: [...schedule.slots.filter((s) => !pieces.includes(s)), whole] };
}

/** Stops the device's reads; its probe takes their place. */
export function deviceLost(schedule: Schedule, device: string, probeKey: number, nowMs: number): Schedule {
  const others = schedule.lost.filter((l) => l.device !== device);
  return { ...schedule, lost: [...others, { device, key: probeKey, dueMs: nowMs + PROBE_INTERVAL_MIN_MS }] };
}

/** The probe had no answer and took so long. */
export function probed(schedule: Schedule, device: string, nowMs: number, costMs: number): Schedule {
  const probe = schedule.lost.find((l) => l.device === device);
  if (probe === undefined) return schedule;
  const others = schedule.lost.filter((l) => l.device !== device);
  const intervalMs = Math.max(costMs / PROBE_SHARE, PROBE_INTERVAL_MIN_MS / schedule.lost.length);
  return {
    ...schedule,
    lost: [...others, { ...probe, dueMs: nowMs + PROBE_INTERVAL_MIN_MS }],
    probesFromMs: nowMs + intervalMs,
  };
}

/** Full service again, at once. */
export function deviceReturned(schedule: Schedule, device: string, nowMs: number): Schedule {
  const slots = schedule.slots.map((slot) =>
    slot.device === device ? { ...slot, dueMs: nowMs, notBeforeMs: nowMs, attempts: 0 } : slot,
  );
  return { ...schedule, slots, lost: schedule.lost.filter((l) => l.device !== device) };
}

function slotOf(read: ScheduledRead, gridMs: number, nowMs: number): Slot {
  return { ...read, gridMs, dueMs: nowMs, notBeforeMs: nowMs, attempts: 0 };
}

function gridAfter(slot: Slot, atMs: number): number {
  return slot.gridMs + Math.ceil((atMs - slot.gridMs) / slot.periodMs) * slot.periodMs;
}

function change(schedule: Schedule, key: number, to: (slot: Slot) => Slot): Schedule {
  return { ...schedule, slots: schedule.slots.map((slot) => (slot.key === key ? to(slot) : slot)) };
}
