/** What happens to the gateway of a soak and when, drawn from a seed. */
import type { Random } from "../../core/random.ts";

export const TROUBLES = [
  "device dead",
  "device garbled",
  "adapter gone",
  "broker stopped",
  "link frozen",
  "link cut",
  "link slow",
  "gateway restarted",
] as const;

export type Trouble = (typeof TROUBLES)[number];

export interface PlannedTrouble {
  readonly kind: Trouble;
  readonly atMs: number;
  readonly forMs: number;
  /** Line and device, from 0, where it is about one. */
  readonly line: number;
  readonly device: number;
  /** Broker or link, from 0, where it is about one. */
  readonly uplink: number;
}

export interface PlanSize {
  readonly durationMs: number;
  readonly lines: number;
  readonly devicesPerLine: number;
  readonly uplinks: number;
}

const FORM_MS: Readonly<Record<Trouble, readonly [min: number, max: number]>> = {
  "device dead": [5_000, 60_000],
  "device garbled": [5_000, 40_000],
  "adapter gone": [3_000, 30_000],
  "broker stopped": [3_000, 90_000],
  "link frozen": [3_000, 60_000],
  "link cut": [0, 0],
  "link slow": [10_000, 60_000],
  "gateway restarted": [0, 0],
};
const QUIET_MIN_MS = 10_000;
const QUIET_MAX_MS = 60_000;
/** All must be well again at the end. */
const LAST_QUIET_MS = 60_000;
/** In short runs troubles are shorter, too: several kinds shall be seen. */
const TROUBLE_MAX_SHARE = 0.1;
const QUIET_MAX_SHARE = 0.05;
/** A gateway is started anew only at the two ends: memory is judged by the long life in between. */
const ENDS_SHARE = 1 / 8;

/** Ordered, one after the other. The first and the last eighth of the time hold a restart each. */
export function drawPlan(size: PlanSize, random: Random): readonly PlannedTrouble[] {
  const { durationMs } = size;
  const lastMs = durationMs - Math.min(LAST_QUIET_MS, durationMs / 12);
  const planned: PlannedTrouble[] = [];
  let atMs = drawQuietMs(durationMs, random);
  const restarted = { early: false, late: false };
  while (atMs < lastMs) {
    const end = atMs < durationMs * ENDS_SHARE ? "early" : atMs > durationMs * (1 - ENDS_SHARE) ? "late" : undefined;
    const kind = end !== undefined && !restarted[end] ? "gateway restarted" : drawKind(end !== undefined, random);
    if (end !== undefined && kind === "gateway restarted") restarted[end] = true;
    const [minMs, maxMs] = FORM_MS[kind];
    const forMs = Math.min(minMs + random.next() * (maxMs - minMs), durationMs * TROUBLE_MAX_SHARE, lastMs - atMs);
    planned.push({
      kind,
      atMs: Math.round(atMs),
      forMs: Math.round(forMs),
      line: drawBelow(size.lines, random),
      device: drawBelow(size.devicesPerLine, random),
      uplink: drawBelow(size.uplinks, random),
    });
    atMs += forMs + drawQuietMs(durationMs, random);
  }
  return planned;
}

function drawQuietMs(durationMs: number, random: Random): number {
  const maxMs = Math.max(QUIET_MIN_MS, Math.min(QUIET_MAX_MS, durationMs * QUIET_MAX_SHARE));
  return QUIET_MIN_MS + random.next() * (maxMs - QUIET_MIN_MS);
}

function drawKind(mayRestart: boolean, random: Random): Trouble {
  const kinds = TROUBLES.filter((kind) => mayRestart || kind !== "gateway restarted");
  return kinds[drawBelow(kinds.length, random)] ?? "device dead";
}

function drawBelow(count: number, random: Random): number {
  return Math.floor(random.next() * count);
}

export function troubleWords({ kind, forMs, line, device, uplink }: PlannedTrouble): string {
  const who =
    kind === "gateway restarted"
      ? ""
      : kind.startsWith("device")
        ? ` d${line + 1}-${device + 1}`
        : kind.startsWith("adapter")
          ? ` line ${line + 1}`
          : ` ${uplink + 1}`;
  return `${kind}${who}${forMs > 0 ? `, ${(forMs / 1_000).toFixed(0)} s` : ""}`;
}
