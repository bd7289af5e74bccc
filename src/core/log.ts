/** A log line for people and for journald, which reads the priority from a `<n>` prefix (sd-daemon(3)). */

export type Level = "error" | "warning" | "notice" | "info" | "debug";

const PRIORITY: Record<Level, number> = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 };

export interface Log {
  error(message: string): void;
  warning(message: string): void;
  notice(message: string): void;
  info(message: string): void;
  debug(message: string): void;
  /** A log whose lines begin with `scope: `. */
  scope(scope: string): Log;
}

export interface LogOptions {
  readonly write: (line: string) => void;
  /** Levels less urgent than this are dropped. */
  readonly level: Level;
  /** journald: with its priority in front. json: `{"level","scope","message"}`, for machines. */
  readonly format: "text" | "journald" | "json";
}

export function createLog(options: LogOptions, scope = ""): Log {
  const emit = (level: Level) => (message: string) => {
    if (PRIORITY[level] > PRIORITY[options.level]) return;
    options.write(`${lineOf(options.format, level, scope, message)}\n`);
  };
  return {
    error: emit("error"),
    warning: emit("warning"),
    notice: emit("notice"),
    info: emit("info"),
    debug: emit("debug"),
    scope: (inner) => createLog(options, scope === "" ? inner : `${scope} ${inner}`),
  };
}

/** A log line is one line: what arrives from outside must not be able to forge a second one. */
function lineOf(format: LogOptions["format"], level: Level, scope: string, message: string): string {
  if (format === "json") return JSON.stringify({ level, scope, message });
  const prefix = format === "journald" ? `<${PRIORITY[level]}>` : level === "info" ? "" : `${level}: `;
  return `${prefix}${scope === "" ? "" : `${scope}: `}${message.replace(/[\r\n]+/g, " ")}`;
}

/** For tests and tools that want silence. */
export const silentLog: Log = createLog({ write: () => undefined, level: "error", format: "text" });
