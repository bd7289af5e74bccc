/** The options of a benchmark: one that would have it measure nothing is refused, for nothing found wrong looks like a pass. */
import process from "node:process";
import { readArguments } from "../commands/arguments.ts";
import { EXIT, UserError } from "../core/errors.ts";

/** What `read` makes of the options; what it throws is told with the usage, and ends the process. */
export function readCommandLine<T>(usage: string, read: () => T): T {
  try {
    return readArguments(`usage: ${usage}`, read);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT.usage);
  }
}

/** @param option as it is written */
export function countOf(option: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new Error(`${option} ${text}: give a whole number from 1`);
}

/** Of minutes, hours or the like. */
export function lengthOf(option: string, text: string): number {
  const length = Number(text);
  if (Number.isFinite(length) && length > 0) return length;
  throw new Error(`${option} ${text}: give a number above 0`);
}

/** Some of these, separated by commas; absent: all. */
export function someOf<Name extends string>(
  option: string,
  text: string | undefined,
  names: readonly Name[],
): readonly Name[] {
  const words = text?.split(",") ?? names;
  const unknown = words.find((word) => !names.some((name) => name === word));
  if (unknown !== undefined) throw new Error(`${option} ${unknown}: give some of ${names.join(",")}`);
  return names.filter((name) => words.includes(name));
}
