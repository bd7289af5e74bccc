/**
 * The testable assertions of Sparkplug B 3.0 that bind an edge node, and those that bind whoever sends it commands, each
 * with the check that holds us to it. The ids are the specification's, the words are ours.
 */
import { readFile } from "node:fs/promises";
import { Report, type Verdict, verdictOf } from "./check.ts";
import { CHECKS } from "./checks.ts";
import type { Story } from "./story.ts";

export interface Assertion {
  readonly id: string;
  readonly level: string;
  readonly words: string;
  /** Of `CHECKS`. Where the assertion does not apply it holds the reason to be true. */
  readonly check: string;
  /** Why it does not apply; empty where it does. */
  readonly without: string;
}

export interface Judgement {
  readonly assertion: Assertion;
  readonly verdict: Verdict | "not applicable";
  /** How many times the rule was held against something. */
  readonly seen: number;
  readonly broken: readonly string[];
}

export const TABLES = ["edge", "inbound"] as const;
export type Table = (typeof TABLES)[number];

export async function readAssertions(table: Table): Promise<readonly Assertion[]> {
  const text = await readFile(new URL(`./${table}-assertions.tsv`, import.meta.url), "utf8");
  const [, ...rows] = text.trimEnd().split("\n");
  return rows.map((row) => {
    const [id = "", level = "", words = "", check = "", without = ""] = row.split("\t");
    return { id, level, words, check, without };
  });
}

export function judge(assertions: readonly Assertion[], stories: readonly Story[]): readonly Judgement[] {
  const reports = new Map<string, Report>();
  for (const { check } of assertions) if (!reports.has(check)) reports.set(check, reportOf(check, stories));
  return assertions.map((assertion) => {
    const report = reports.get(assertion.check) ?? new Report();
    const verdict = verdictOf(report);
    const excused = assertion.without !== "" && verdict === "pass";
    return { assertion, verdict: excused ? "not applicable" : verdict, seen: report.seen, broken: report.broken };
  });
}

export function reportOf(check: string, stories: readonly Story[]): Report {
  const report = new Report();
  const run = CHECKS.get(check);
  if (run === undefined) throw new Error(`there is no check ${check}`);
  run(stories, report);
  return report;
}

/** As Markdown. */
export function tableOf(judgements: readonly Judgement[]): string {
  const rows = judgements.map(({ assertion: { id, level, words, check, without }, verdict, seen }) => {
    const result = verdict === "not applicable" ? `not applicable: ${without}` : verdict;
    return `| ${id} | ${level} | ${words} | ${check} | ${seen} | ${result} |`;
  });
  return ["| id | level | in our words | check | seen | result |", "|---|---|---|---|---|---|", ...rows].join("\n");
}

/** One line: how many of each verdict. */
export function summaryOf(judgements: readonly Judgement[]): string {
  const count = (verdict: Judgement["verdict"]) => judgements.filter((j) => j.verdict === verdict).length;
  const parts = (["pass", "not applicable", "fail", "not seen"] as const).map(
    (verdict) => `${count(verdict)} ${verdict}`,
  );
  return `${judgements.length} assertions: ${parts.join(", ")}`;
}
