/** What a test of a board leaves behind: for whom the board is sold to, or who looks for its fault. */
import type { Verdict } from "./step.ts";

export interface ProtocolEntry {
  readonly step: string;
  readonly verdict: Verdict;
  readonly found: string;
}

export interface Protocol {
  /** As `2026-11-22 08:00`, UTC. */
  readonly date: string;
  readonly serial: string;
  readonly board: string;
  readonly entries: readonly ProtocolEntry[];
}

/** Nothing left out: what was skipped was not shown to work. */
export function hasPassed({ entries }: Protocol): boolean {
  return entries.length > 0 && entries.every(({ verdict }) => verdict === "PASSED");
}

export function protocolText(protocol: Protocol): string {
  const { date, serial, board, entries } = protocol;
  const count = (wanted: Verdict) => entries.filter(({ verdict }) => verdict === wanted).length;
  const totals = `${count("PASSED")} passed, ${count("FAILED")} failed, ${count("SKIPPED")} skipped`;
  return [
    `${date} UTC  serial number ${serial}  ${board}`,
    ...entries.map(({ step, verdict, found }) => `  ${verdict.padEnd(8)} ${step.padEnd(10)} ${found}`),
    `  RESULT: ${hasPassed(protocol) ? "PASSED" : "NOT PASSED"} (${totals})`,
    "",
    "",
  ].join("\n");
}
