/** A peer's program: started, looked at, ended by its own id. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import type { Command } from "./peer.ts";

const LOG_MAX_CHARACTERS = 64 * 1024;

export interface PeerProcess {
  readonly pid: number;
  isRunning(): boolean;
  /** What it wrote, the latest last. */
  log(): string;
  kill(): Promise<void>;
}

/** It ends with this process, however this one ends. */
export function startPeer({ program, args, cwd, environment }: Command): PeerProcess {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...args], {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-LOG_MAX_CHARACTERS);
    });
  }
  return {
    pid: child.pid ?? 0,
    isRunning: () => isRunning(child),
    log: () => log,
    async kill() {
      if (!isRunning(child)) return;
      const ended = once(child, "close");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
