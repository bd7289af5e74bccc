/**
 * Lines that tools on this machine use for a while. A tool asks at the request desk, and touches its lease, a file, as
 * long as it works: `requests/<lease>.lease`. When the file is gone, or rests, or the time is over, the line is taken back.
 * The process id of the tool would tell less: a hardened service does not see the processes of others.
 */
import { lstat, readdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Timer } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { LineReport } from "../pipeline.ts";
import { type GatewayAnswer, LEASE_END, REQUEST_FOLDER } from "./request-desk.ts";

/** A tool renews its lease so often. */
export const LEASE_RENEWED_EVERY_MS = 1_000;
/** A lease that rests for so long is that of a tool that died. */
const LEASE_RESTS_MAX_MS = 8_000;
/** However alive the tool is. */
export const LENT_MAX_MS = 600_000;
const LOOK_INTERVAL_MS = 1_000;

/** A line as far as it can be lent. */
export interface LendableLine {
  report(): Pick<LineReport, "name" | "path">;
  lend(): Promise<void>;
  takeBack(): void;
}

export interface LineLendingOptions {
  /** The runtime directory. */
  readonly dir: string;
  /** Those of the running configuration. */
  readonly lines: () => readonly LendableLine[];
  readonly clock: Clock;
  readonly log: Log;
}

interface Loan {
  readonly line: LendableLine;
  readonly lease: string;
  readonly untilMs: number;
  /** Modification time of the lease when it was seen last, and since when it has been that, monotonic. */
  touched: number;
  sinceMs: number;
}

export class LineLending {
  readonly #options: LineLendingOptions;
  readonly #folder: string;
  /** By name of the line. */
  readonly #loans = new Map<string, Loan>();
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: LineLendingOptions) {
    this.#options = options;
    this.#folder = join(options.dir, REQUEST_FOLDER);
  }

  /** Whoever borrowed of an earlier life finds its lease gone, and ends. */
  start(): void {
    this.#looking = this.#clear().then(() => this.#look());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  /** Answers when the port is free. */
  async lend(path: string, lease: string): Promise<GatewayAnswer> {
    const line = await this.#lineOn(path);
    if (line === undefined) return { done: false, text: `no line of this gateway is on ${path}` };
    const { name } = line.report();
    if (this.#loans.has(name)) return { done: false, text: `${name} is lent to another tool` };
    const touched = await this.#touched(lease);
    if (touched === undefined) return { done: false, text: `there is no lease ${lease}` };
    const nowMs = this.#options.clock.monotonicMs();
    this.#loans.set(name, { line, lease, untilMs: nowMs + LENT_MAX_MS, touched, sinceMs: nowMs });
    await line.lend();
    const text = `${name} is lent for at most ${LENT_MAX_MS / 60_000} min`;
    return { done: true, text, lent: { line: name, forMs: LENT_MAX_MS } };
  }

  async #look(): Promise<void> {
    for (const [name, loan] of [...this.#loans]) {
      const end = await this.#endOf(loan);
      if (end === undefined) continue;
      this.#loans.delete(name);
      await rm(this.#path(loan.lease), { force: true }).catch(() => undefined);
      loan.line.takeBack();
      this.#options.log.notice(`${name} is taken back: ${end}`);
    }
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(LOOK_INTERVAL_MS, () => {
      this.#looking = this.#look();
    });
  }

  /** Why the loan is over; undefined while it is not. The file's own time may step, so only its changes count. */
  async #endOf(loan: Loan): Promise<string | undefined> {
    const touched = await this.#touched(loan.lease);
    const nowMs = this.#options.clock.monotonicMs();
    if (touched === undefined) return "the tool has ended";
    if (touched !== loan.touched) {
      loan.touched = touched;
      loan.sinceMs = nowMs;
    }
    if (nowMs - loan.sinceMs > LEASE_RESTS_MAX_MS) return "the tool has died";
    return nowMs > loan.untilMs ? "its time is over" : undefined;
  }

  async #touched(lease: string): Promise<number | undefined> {
    return lstat(this.#path(lease)).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
  }

  async #lineOn(path: string): Promise<LendableLine | undefined> {
    const asked = await fileBehind(path);
    for (const line of this.#options.lines()) if ((await fileBehind(line.report().path)) === asked) return line;
    return undefined;
  }

  async #clear(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    const leases = names.filter((name) => name.endsWith(LEASE_END));
    for (const name of leases) await rm(join(this.#folder, name), { force: true }).catch(() => undefined);
  }

  #path(lease: string): string {
    return join(this.#folder, `${lease}${LEASE_END}`);
  }
}

/** Names of a port are links, as those in /dev/serial/by-id. */
export async function fileBehind(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
