/** What a soak found, row by row, from its record and its books. */
import { alignedTable } from "../figure.ts";
import { DelayHistogram } from "./delay-histogram.ts";
import type { Look } from "./look.ts";
import { minima, type Point, spanFor, theilSen } from "./trend.ts";

export interface Finding {
  readonly name: string;
  readonly value: number | undefined;
  readonly unit: string;
  /** As printed; empty where nothing is promised. */
  readonly limit: string;
  /** Empty: not judged, as no limit stands or too little was seen. */
  readonly verdict: "pass" | "FAIL" | "";
  readonly note: string;
}

/** What was counted apart from the record. */
export interface Counted {
  readonly served: number;
  readonly faults: number;
  readonly lost: number;
  readonly doubled: number;
  readonly history: number;
  readonly live: number;
  /** How often all had to be there, the start and the end among it; and how often on a machine that was not too busy. */
  readonly recoveries: number;
  readonly recoveriesJudged: number;
  /** After a trouble, until all that was served up to its end had come: of those judged, and of all. */
  readonly recoveryMaxS: number;
  readonly recoveryWorstS: number;
  /** Replies that nobody is asked for, as the machine held prover or gateway up for longer than a device may take. */
  readonly late: number;
}

/** Caches, code and pages of SQLite are gathered meanwhile. */
export const WARM_UP_S = 20 * 60;
/** A shorter life tells nothing of a slope. */
export const JUDGED_MIN_S = 30 * 60;
/** Of the looks at it: what fewer saw is not known, however flat it is. */
const SEEN_MIN = 0.5;
const RSS_MAX_MB_PER_HOUR = 0.5;
const FLAT_MAX_PER_HOUR = 1;
const COUNT_UNIT = "1/h";
const DELAY_P99_MAX_MS = 500;
const RECOVERY_MAX_S = 60;
/** After a trouble history is sent beside what is live, and the line's share of it is not what is asked for. */
const QUIET_S = 10;
/** Where the prover itself was late, the delay is its own. */
const PROVER_LATE_MAX_MS = 100;

export function judge(looks: readonly Look[], counted: Counted): readonly Finding[] {
  const longest = longestLife(looks);
  return [
    trendRow("rss slope", longest, ({ rssBytes }) => inMB(rssBytes), "MB/h", RSS_MAX_MB_PER_HOUR),
    trendRow("heap slope", longest, ({ heapBytes }) => inMB(heapBytes), "MB/h"),
    trendRow("external slope", longest, ({ externalBytes }) => inMB(externalBytes), "MB/h"),
    trendRow("handles slope", longest, ({ handles }) => handles, COUNT_UNIT, FLAT_MAX_PER_HOUR),
    trendRow("timers slope", longest, ({ timers }) => timers, COUNT_UNIT, FLAT_MAX_PER_HOUR),
    greatest("rss peak", looks, ({ rssBytes }) => inMB(rssBytes), "MB"),
    greatest("WAL peak", looks, ({ walBytes }) => inMB(walBytes), "MB"),
    greatest("outbox.db peak", looks, ({ outboxBytes }) => inMB(outboxBytes), "MB"),
    middleRow("loop delay p99, median", looks, ({ loopDelayP99Ms }) => loopDelayP99Ms, "ms"),
    greatest("loop delay p99, worst", looks, ({ loopDelayP99Ms }) => loopDelayP99Ms, "ms"),
    ...delayRows(looks),
    ...recoveryRows(counted),
    atLeast("served", counted.served, "values", 1),
    plain("arrived live", counted.live, "values"),
    plain("arrived as history", counted.history, "values"),
    plain("doubled", counted.doubled, "values"),
    plain("replies not asked for, the machine was late", counted.late, "replies"),
    atMost("lost", counted.lost, "values", 0),
    atMost("faults", counted.faults, "", 0),
  ];
}

/** The looks at the process that lived longest, after its warm-up. */
export function longestLife(looks: readonly Look[]): readonly Look[] {
  const lives = new Map<number, Look[]>();
  for (const look of looks) {
    const known = lives.get(look.life);
    if (known === undefined) lives.set(look.life, [look]);
    else known.push(look);
  }
  const lengthOf = (life: readonly Look[]) => life.at(-1)?.lifeS ?? 0;
  const longest = [...lives.values()].reduce<Look[]>((a, b) => (lengthOf(b) > lengthOf(a) ? b : a), []);
  return longest.filter(({ lifeS }) => lifeS >= WARM_UP_S);
}

type Take = (look: Look) => number | undefined;

export function pointsOf(looks: readonly Look[], take: Take): readonly Point[] {
  return looks.flatMap((look) => {
    const value = take(look);
    return value === undefined ? [] : [{ s: look.s, value }];
  });
}

function trendRow(name: string, looks: readonly Look[], take: Take, unit: string, max?: number): Finding {
  const points = pointsOf(looks, take);
  const trend = theilSen(minima(points, spanFor(points)));
  const limit = max === undefined ? "" : `< ${max}`;
  const lifeS = (looks.at(-1)?.s ?? 0) - (looks[0]?.s ?? 0);
  if (lifeS >= JUDGED_MIN_S && points.length < looks.length * SEEN_MIN) {
    const note = `seen at ${points.length} of ${looks.length} looks`;
    return { name, value: undefined, unit, limit, verdict: max === undefined ? "" : "FAIL", note };
  }
  if (trend === undefined || trend.spanS < JUDGED_MIN_S) {
    return { name, value: trend?.perHour, unit, limit, verdict: "", note: "too short a life to judge" };
  }
  const range = `95 %: ${trend.lowPerHour.toFixed(2)} … ${trend.highPerHour.toFixed(2)}`;
  const note = `${range}; ${trend.points} minima in ${(trend.spanS / 60).toFixed(0)} min`;
  // A count that goes up and down with the load has some slope in any hour: what grows has no other.
  const isGrowing = trend.perHour >= (max ?? Number.POSITIVE_INFINITY) && (unit !== COUNT_UNIT || trend.lowPerHour > 0);
  const verdict = max === undefined ? "" : isGrowing ? "FAIL" : "pass";
  return { name, value: trend.perHour, unit, limit, verdict, note };
}

function recoveryRows({ recoveries, recoveriesJudged, recoveryMaxS, recoveryWorstS }: Counted): readonly Finding[] {
  const name = "all there again after a trouble";
  const note = `${recoveriesJudged} of ${recoveries}; at the others the machine was too busy`;
  if (recoveriesJudged === 0) return [plain(`${name}, not judged`, recoveryWorstS, "s", note)];
  return [
    { ...atMost(name, recoveryMaxS, "s", RECOVERY_MAX_S), note },
    plain("the same, on a busy machine too", recoveryWorstS, "s"),
  ];
}

/** By uplink, over the looks at quiet moments. */
function delayRows(looks: readonly Look[]): readonly Finding[] {
  const uplinks = [...new Set(looks.flatMap(({ delays }) => Object.keys(delays)))];
  const quiet = looks.filter(
    ({ quietS, proverLoopDelayP99Ms }) => quietS >= QUIET_S && proverLoopDelayP99Ms <= PROVER_LATE_MAX_MS,
  );
  return uplinks.flatMap((uplink) => {
    const p50 = new DelayHistogram();
    const p99 = new DelayHistogram();
    let worstMs = 0;
    for (const { delays } of quiet) {
      const one = delays[uplink];
      if (one === undefined || one.values === 0) continue;
      p50.add(one.p50Ms);
      p99.add(one.p99Ms);
      worstMs = Math.max(worstMs, one.maxMs);
    }
    const note = `${p99.count} quiet looks of ${looks.length}`;
    if (p99.count === 0) return [plain(`${uplink}: reply to subscriber, not judged`, undefined, "ms", note)];
    return [
      plain(`${uplink}: reply to subscriber, p50, median of looks`, p50.quantileMs(0.5), "ms", note),
      { ...atMost(`${uplink}: the same, p99, median of looks`, p99.quantileMs(0.5), "ms", DELAY_P99_MAX_MS), note },
      plain(`${uplink}: the same, the slowest value`, worstMs, "ms", note),
    ];
  });
}

function inMB(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / 1e6;
}

function plain(name: string, value: number | undefined, unit: string, note = ""): Finding {
  return { name, value, unit, limit: "", verdict: "", note };
}

function atLeast(name: string, value: number, unit: string, min: number): Finding {
  return { name, value, unit, limit: `>= ${min}`, verdict: value >= min ? "pass" : "FAIL", note: "" };
}

function atMost(name: string, value: number, unit: string, max: number): Finding {
  return { name, value, unit, limit: `<= ${max}`, verdict: value <= max ? "pass" : "FAIL", note: "" };
}

function greatest(name: string, looks: readonly Look[], take: Take, unit: string): Finding {
  const values = pointsOf(looks, take).map(({ value }) => value);
  return plain(name, values.length === 0 ? undefined : Math.max(...values), unit);
}

function middleRow(name: string, looks: readonly Look[], take: Take, unit: string): Finding {
  const values = pointsOf(looks, take)
    .map(({ value }) => value)
    .sort((a, b) => a - b);
  return plain(name, values[Math.floor(values.length / 2)], unit);
}

export function findingsText(findings: readonly Finding[]): string {
  const rows = findings.map(({ name, value, unit, limit, verdict, note }) => [
    name,
    value === undefined ? "-" : Number.isInteger(value) ? `${value}` : value.toFixed(2),
    unit,
    limit && `limit ${limit}`,
    verdict,
    note,
  ]);
  return alignedTable(rows);
}
