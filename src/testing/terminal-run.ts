/** A command of ours under a real terminal, by script(1): what it draws, and the keys that are pressed. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { hostClock } from "../core/clock.ts";
import { Condition } from "./condition.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Nothing that works takes so long, on however busy a machine. */
const LIMIT_MS = 60_000;

export interface TerminalRun {
  /** Everything it wrote, control sequences included. */
  text(): string;
  press(keys: string): void;
  until(what: RegExp): Promise<void>;
  /** Its exit code. */
  ended(): Promise<number | null>;
  kill(): void;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export function runInTerminal(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  { columns, rows }: TerminalSize = { columns: 80, rows: 24 },
): TerminalRun {
  const quoted = [process.execPath, "--import", "tsx", MAIN, ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qefc", `stty cols ${columns} rows ${rows}; exec ${quoted}`, "/dev/null"], {
    cwd: ROOT,
    env: { ...process.env, SHELL: "/bin/sh", TERM: "vt220", ...environment },
    stdio: "pipe",
  });
  const told = new Condition(hostClock);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      told.changed();
    });
  }
  child.stdin.on("error", () => undefined);
  child.once("exit", () => told.changed());
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  return {
    text: () => text,
    press: (keys) => void child.stdin.write(keys),
    async until(what) {
      await told.until(
        `${what} is shown`,
        () => what.test(text) || isOver(),
        LIMIT_MS,
        () => text,
      );
      if (!what.test(text)) throw new Error(`it ended without showing ${what}: ${text}`);
    },
    async ended() {
      await told.until("the command ends", isOver, LIMIT_MS, () => text);
      return child.exitCode;
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
