/**
 * Errors are sorted by who must act:
 * - the user: UserError, exit code by sysexits, never retried;
 * - the world (a broker, an adapter, a card): ordinary Errors where they happen, turned into a status
 *   or retried with back-off, and told;
 * - us: an assertion. It ends the process; systemd starts it again.
 */

/** Exit codes of sysexits.h. */
export const EXIT = { ok: 0, failed: 1, usage: 64, unavailable: 69, software: 70, io: 74, configuration: 78 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Something only the user can mend. The message says what is wrong and what to do. */
export class UserError extends Error {
  readonly exitCode: ExitCode;
  constructor(message: string, exitCode: ExitCode) {
    super(message);
    this.name = "UserError";
    this.exitCode = exitCode;
  }
}

/** One mistake in a configuration file. */
export interface Problem {
  readonly file: string;
  /** 1-based; 1 where the place is the file as a whole. */
  readonly line: number;
  readonly column: number;
  /** Full path, as `uplinks.cloud.keepAlive`; empty for the file as a whole. */
  readonly key: string;
  readonly wrong: string;
  readonly remedy: string;
}

/** Characters that steer a terminal, turn what follows around, or make a line of their own. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

export function problemText(p: Problem): string {
  const key = p.key === "" ? "" : ` ${p.key}:`;
  return `${p.file}:${p.line}:${p.column}${key} ${p.wrong}; ${p.remedy}`;
}

/** What a file holds is told as it stands there, and does nothing where it is shown. */
function plain(text: string): string {
  return text.replaceAll(CONTROL, (char) => `\\u${char.codePointAt(0)?.toString(16).padStart(4, "0")}`);
}

/** All that is wrong with a configuration, at once. */
export class ConfigurationError extends UserError {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    const told = problems.map((problem) => {
      const { key, wrong, remedy } = problem;
      return { ...problem, key: plain(key), wrong: plain(wrong), remedy: plain(remedy) };
    });
    super(told.map(problemText).join("\n"), EXIT.configuration);
    this.name = "ConfigurationError";
    this.problems = told;
  }
}

/** Our own bug. Not meant to be caught: it ends the process. */
export class AssertionFailure extends Error {
  constructor(message: string) {
    super(`bug in sallyport: ${message}`);
    this.name = "AssertionFailure";
  }
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/**
 * Whether a mistake of ours threw this. Whoever catches faults of the world (a broker, a card) throws it on: taken for
 * one of them, it would be retried for ever and never be found.
 */
export function isOurBug(thrown: unknown): boolean {
  return OUR_BUGS.some((kind) => thrown instanceof kind);
}

const OUR_BUGS = [AssertionFailure, TypeError, RangeError, ReferenceError] as const;

/** For the end of a total switch. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unexpected ${String(value)}`);
}

/** The message of anything thrown; libraries throw things that are no Error. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  if (typeof thrown === "object" && thrown !== null && "message" in thrown) return String(thrown.message);
  return String(thrown);
}
