/** What one check came to, and how it is told. */
import { wrapped } from "../listing.ts";

export type Verdict = "OK" | "WARNING" | "FAULT";

export interface Finding {
  /** Of what: board, clock, port, line, pin, storage, network, broker, service. */
  readonly area: string;
  /** The line, uplink, input or file; empty for the board as a whole. */
  readonly subject: string;
  /** For machines; the same fault always has the same name. */
  readonly name: string;
  readonly verdict: Verdict;
  /** What was found, in one sentence. */
  readonly found: string;
  readonly means?: string;
  readonly todo?: string;
  /** Why it is believed: figures, file contents. */
  readonly evidence?: string;
}

export function ok(area: string, subject: string, found: string): Finding {
  return { area, subject, name: "ok", verdict: "OK", found };
}

/** What a fault is called, and what is said of it. */
export interface Ailment {
  readonly name: string;
  readonly verdict: Exclude<Verdict, "OK">;
  readonly found: string;
  readonly means: string;
  readonly todo: string;
}

export function ailing(area: string, subject: string, ailment: Ailment, evidence?: string): Finding {
  return { area, subject, ...ailment, ...(evidence !== undefined && { evidence }) };
}

/** Exit code 1 belongs to a fault; a warning works. */
export function hasFault(findings: readonly Finding[]): boolean {
  return findings.some(({ verdict }) => verdict === "FAULT");
}

const INDENT = 9;

/** A line a check that went well; of the others also what it means, what to do, and why it is believed. */
export function findingText(finding: Finding, columns: number): string {
  const { verdict, area, subject, found, means, todo, evidence } = finding;
  const where = subject === "" ? area : `${area} ${subject}`;
  const parts = [
    `${where}: ${found}`,
    ...(means === undefined ? [] : [`It means: ${means}`]),
    ...(todo === undefined ? [] : [`Do: ${todo}`]),
    ...(evidence === undefined ? [] : [`Seen: ${evidence}`]),
  ];
  const text = parts.map((part) => wrapped(part, columns, INDENT)).join("");
  return `${verdict.padEnd(INDENT)}${text.slice(INDENT)}`;
}

/** `2 faults, 1 warning, 14 OK` */
export function totalsText(findings: readonly Finding[], isComplete: boolean): string {
  const count = (wanted: Verdict) => findings.filter(({ verdict }) => verdict === wanted).length;
  const [faults, warnings] = [count("FAULT"), count("WARNING")];
  const sound = `${count("OK")} OK`;
  if (faults + warnings === 0 && isComplete) return `Nothing is wrong: ${sound}.\n`;
  const named = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
  const ended = isComplete ? "" : "Ended before all was checked: ";
  return `${ended}${named(faults, "fault")}, ${named(warnings, "warning")}, ${sound}.\n`;
}
