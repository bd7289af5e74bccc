/** Debian 13 with systemd in a container (systemd-nspawn), sharing this machine's network. Needs root. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { hostClock, sleep } from "../../core/clock.ts";

const SUITE = "trixie";
/** What the unit needs of an image: systemd, what SocketBindDeny goes by, and what Node is linked with. */
const PACKAGES = "systemd,systemd-sysv,libbpf1,libstdc++6,perl-base";
const BOOT_LIMIT_MS = 60_000;
const LOOK_MS = 200;

const run = promisify(execFile);

/** Unpacks Debian with these packages into `root`; fetched once a month, and kept under that name. */
export async function unpackDebian(root: string, packages = PACKAGES, name: string = SUITE): Promise<void> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "sallyport-unit");
  const month = new Date(hostClock.wallMs()).toISOString().slice(0, 7);
  const archive = join(cache, `${name}-${month}.tar`);
  if (!existsSync(archive)) {
    await mkdir(cache, { recursive: true });
    const fresh = `${archive}.${process.pid}`;
    await run("mmdebstrap", ["--quiet", "--variant=minbase", `--include=${packages}`, "--format=tar", SUITE, fresh]);
    await rename(fresh, archive);
  }
  await mkdir(root, { recursive: true });
  await run("tar", ["--extract", `--file=${archive}`, `--directory=${root}`, "--exclude=./dev/*"]);
}

export interface ContainerOptions {
  readonly root: string;
  /** Files and devices of this machine, by their place inside. */
  readonly readOnly: Readonly<Record<string, string>>;
  readonly devices: Readonly<Record<string, string>>;
}

export class Container {
  readonly #child: ChildProcess;
  readonly #leader: number;

  private constructor(child: ChildProcess, leader: number) {
    this.#child = child;
    this.#leader = leader;
  }

  /** Returns when systemd says that it is up. */
  static async boot({ root, readOnly, devices }: ContainerOptions): Promise<Container> {
    const args = [
      ...["--quiet", "--register=no", "--keep-unit", "--boot", `--directory=${root}`, "--console=pipe"],
      ...Object.entries(readOnly).map(([inside, path]) => `--bind-ro=${path}:${inside}`),
      ...Object.entries(devices).map(([inside, path]) => `--bind=${path}:${inside}`),
    ];
    // /sys can be written to, as on a board: else nothing would show that the unit keeps the service from it.
    const env = { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1", SYSTEMD_NSPAWN_API_VFS_WRITABLE: "1" };
    const child = spawn("systemd-nspawn", args, { env, stdio: "ignore" });
    await once(child, "spawn");
    try {
      const leader = await leaderOf(child);
      const container = new Container(child, leader);
      await container.until("systemd is up", async () => /^(running|degraded)/.test(await container.#state()));
      return container;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** Runs a program inside; rejects where it ends with another code than 0. */
  async run(program: string, ...args: string[]): Promise<string> {
    const inside = ["--target", String(this.#leader), "--all", "--", program, ...args];
    const { stdout, stderr } = await run("nsenter", inside);
    return stdout + stderr;
  }

  async until(what: string, holds: () => Promise<boolean>, limitMs = BOOT_LIMIT_MS): Promise<void> {
    const sinceMs = hostClock.monotonicMs();
    while (!(await holds())) {
      if (this.#child.exitCode !== null) throw new Error(`the container ended by itself, before ${what}`);
      if (hostClock.monotonicMs() - sinceMs > limitMs) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
      await sleep(hostClock, LOOK_MS);
    }
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    await this.run("systemctl", "--force", "--force", "poweroff").catch(() => undefined);
    const kill = hostClock.after(BOOT_LIMIT_MS, () => this.#child.kill("SIGKILL"));
    await exited;
    kill.cancel();
  }

  /** It ends with a code of its own for each answer. */
  #state(): Promise<string> {
    return this.run("systemctl", "is-system-running").catch((error: { stdout?: string }) => error.stdout ?? "");
  }
}

/** The container's first process, once its systemd runs. */
async function leaderOf(child: ChildProcess): Promise<number> {
  const sinceMs = hostClock.monotonicMs();
  while (hostClock.monotonicMs() - sinceMs < BOOT_LIMIT_MS && child.exitCode === null) {
    const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").catch(() => "");
    for (const pid of children.trim().split(/\s+/).filter(Boolean)) {
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      if (/systemd\0|\/init\0/.test(command) && !command.startsWith("systemd-nspawn")) return Number(pid);
    }
    await sleep(hostClock, LOOK_MS);
  }
  throw new Error("the container did not start");
}
