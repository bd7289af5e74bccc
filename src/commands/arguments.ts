/** The command line of one command: what is wrong with it is told in words, with the usage behind. */
import { EXIT, isOurBug, messageOf, UserError } from "../core/errors.ts";

const QUOTED = /'([^']*)'/;

/**
 * What `read` makes of the arguments.
 * @throws UserError with the words of whatever `read` throws, and the usage
 */
export function readArguments<T>(usage: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    // Node's own words on arguments are TypeErrors with a code.
    if (isOurBug(error) && codeOf(error) === undefined) throw error;
    throw new UserError(`${wordsOf(error)}\n\n${usage}`, EXIT.usage);
  }
}

/** Node's sentences on options are long, and give advice that fits no command of ours. */
function wordsOf(error: unknown): string {
  const words = messageOf(error);
  const named = QUOTED.exec(words)?.[1] ?? "";
  const option = named.replace(/^-\w, /, "").replace(/ <value>$/, "");
  switch (codeOf(error)) {
    case "ERR_PARSE_ARGS_UNKNOWN_OPTION":
      return `there is no option ${option}`;
    case "ERR_PARSE_ARGS_INVALID_OPTION_VALUE":
      if (words.includes("does not take")) return `${option} takes no value`;
      return `${option} needs a value; write one that begins with "-" as ${option}=-5`;
    case "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL":
      return `"${named}" is one word too many`;
    default:
      return words;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
