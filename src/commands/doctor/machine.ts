/** What this machine shows of itself in files. Nothing is changed, and what cannot be read is simply not known. */
import { accessSync, constants, readdirSync, readFileSync, readlinkSync, realpathSync, statfsSync } from "node:fs";
import { join, resolve } from "node:path";

export interface Machine {
  /** The text of a file without spaces and zeros at its end; empty where it cannot be read. */
  text(path: string): string;
  /** Names in a folder, sorted; none where it cannot be read. */
  names(folder: string): readonly string[];
  /** Where a link leads; undefined where there is none, or it may not be seen. */
  link(path: string): string | undefined;
  /** The file behind all links; undefined: there is none. */
  real(path: string): string | undefined;
  mayUse(path: string): boolean;
  /** Of the partition that holds it. */
  space(path: string): Space | undefined;
}

export interface Space {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** @param root another one than that of the file system, for tests: links in it are relative */
export function createMachine(root = "/"): Machine {
  const within = (path: string) => join(root, path);
  const outside = (path: string) => (root === "/" ? path : path.replace(root.replace(/\/$/, ""), ""));
  return {
    text: (path) => attempt(() => readFileSync(within(path), "utf8").replace(/[\s\0]+$/, "")) ?? "",
    names: (folder) => attempt(() => readdirSync(within(folder)).sort()) ?? [],
    link: (path) => attempt(() => readlinkSync(within(path))),
    real: (path) => attempt(() => outside(realpathSync(within(path)))),
    mayUse(path) {
      const allowed = attempt(() => {
        accessSync(within(path), constants.R_OK | constants.W_OK);
        return true;
      });
      return allowed ?? false;
    },
    space(path) {
      return attempt(() => {
        const { bavail, blocks, bsize } = statfsSync(within(path));
        return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
      });
    },
  };
}

/** Ids of processes that have this file open, as far as this user may see. */
export function holdersOf(machine: Machine, file: string): readonly number[] {
  return processIds(machine).filter((pid) => {
    return machine.names(`/proc/${pid}/fd`).some((fd) => machine.link(`/proc/${pid}/fd/${fd}`) === file);
  });
}

export interface GatewayProcess {
  readonly pid: number;
  /** What it was told as --config, absolute where the process may be looked into. */
  readonly config: string;
}

/** Processes that are `sallyport run`, whoever started them. */
export function gatewayProcesses(machine: Machine): readonly GatewayProcess[] {
  return processIds(machine).flatMap((pid) => {
    const args = machine.text(`/proc/${pid}/cmdline`).split("\0");
    const isOurs = args.some((arg) => /(^|\/)(sallyport(\.mjs)?|src\/main\.ts)$/.test(arg));
    const config = args.find((_, i) => args[i - 1] === "--config") ?? args.find((arg) => arg.startsWith("--config="));
    if (!isOurs || !args.includes("run") || config === undefined) return [];
    const path = config.replace(/^--config=/, "");
    return [{ pid, config: resolve(machine.link(`/proc/${pid}/cwd`) ?? "/", path) }];
  });
}

function processIds(machine: Machine): readonly number[] {
  return machine
    .names("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
