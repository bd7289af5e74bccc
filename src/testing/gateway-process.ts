/** The service as a user runs it: a process of its own, told by signals, known by what it writes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hostClock } from "../core/clock.ts";
import { Condition } from "./condition.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const LOG_MAX_CHARACTERS = 256 * 1024;
const START_LIMIT_MS = 60_000;
/** What the command line promises for SIGTERM. */
const STOP_LIMIT_MS = 10_000;

export interface GatewayProcess {
  readonly pid: number;
  /** Its exit code once it has ended, null where a signal ended it; rejects when it does not end in time. */
  ended(): Promise<number | null>;
  /** Everything it wrote, the latest last. */
  log(): string;
  logged(what: RegExp, limitMs?: number): Promise<void>;
  /** Resolves once it says that it runs. */
  started(): Promise<void>;
  /** SIGHUP: it loads its configuration anew. */
  hangUp(): void;
  /** SIGTERM; resolves with the exit code, rejects when it takes longer than promised. */
  stop(): Promise<number | null>;
  /** SIGKILL, as a power cut for the process. */
  kill(): Promise<void>;
}

/** Starts `sallyport run` and resolves once it says that it runs. */
export async function startGateway(
  configFile: string,
  stateDir: string,
  environment: Record<string, string> = {},
): Promise<GatewayProcess> {
  const gateway = runGateway(configFile, stateDir, environment);
  await gateway.started();
  return gateway;
}

/**
 * Starts `sallyport run` without waiting for anything. It ends with this process, however this one ends.
 *
 * @param program what Node is given before `run`: by default the source as it stands
 * @param enter a program that becomes this one, with its arguments
 */
export function runGateway(
  configFile: string,
  stateDir: string,
  environment: Record<string, string> = {},
  program: readonly string[] = ["--import", "tsx", MAIN],
  enter: readonly string[] = [],
): GatewayProcess {
  const args = [...program, "run", "--config", configFile, "--state-dir", stateDir];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...enter, process.execPath, ...args], {
    cwd: join(MAIN, "..", ".."),
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const condition = new Condition(hostClock);
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-LOG_MAX_CHARACTERS);
      condition.changed();
    });
  }
  child.once("exit", () => condition.changed());
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const awaitEnd = async () => {
    await condition.until("the gateway ends", ended, STOP_LIMIT_MS, () => log);
    return child.exitCode;
  };
  const logged = async (what: RegExp, limitMs?: number) => {
    const told = () => what.test(log) || ended();
    await condition.until(`the gateway writes ${what}`, told, limitMs, () => log);
    if (!what.test(log)) throw new Error(`the gateway ended without writing ${what}: ${log}`);
  };
  return {
    pid: child.pid ?? 0,
    log: () => log,
    logged,
    started: () => logged(/started:/, START_LIMIT_MS),
    ended: awaitEnd,
    hangUp: () => void child.kill("SIGHUP"),
    stop() {
      child.kill("SIGTERM");
      return awaitEnd();
    },
    kill: () => killed(child, ended),
  };
}

async function killed(child: ChildProcess, ended: () => boolean): Promise<void> {
  if (ended()) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
