/** What systemd is told of the service, by sd_notify(3): ready, how it is, alive, stopping. */
import { execFile } from "node:child_process";
import type { Clock, Timer } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

/** Node has no datagram sockets of the Unix kind; systemd's own program does it, for some milliseconds each. */
const PROGRAM = "systemd-notify";
const PROGRAM_LIMIT_MS = 5_000;

/** The watchdog is told thrice in its time: one call that is late or fails costs nothing. */
const CALLS_A_WATCHDOG = 3;
const BEAT_MAX_MS = 10_000;
const BEAT_MIN_MS = 500;
/** `systemctl status` shows one line. */
const STATUS_CHARS = 200;

/** Sends variables such as `READY=1`; rejects where that fails. */
export type Notify = (variables: readonly string[]) => Promise<void>;

export interface ServiceManagerOptions {
  /** Of systemd: where it listens, and how often it wants to hear. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly notify?: Notify;
}

export interface ServiceManager {
  /** Takes no longer than it must: what goes on meanwhile, before the service is ready. */
  starting(status: string): Promise<void>;
  /** It runs. From now on the watchdog hears of it as long as its event loop turns. */
  ready(status: () => string): Promise<void>;
  stopping(): Promise<void>;
}

/** Does nothing where no service manager listens. */
export function createServiceManager(options: ServiceManagerOptions): ServiceManager {
  return new Beat(options);
}

class Beat implements ServiceManager {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #notify: Notify | undefined;
  readonly #watchdogMs: number | undefined;
  #timer: Timer | undefined;
  #calling: Promise<void> = Promise.resolve();
  #told = "";
  #stopped = false;
  #failed = false;

  constructor({ env, clock, log, notify = notifyBy(env) }: ServiceManagerOptions) {
    const watchdogUs = Number(env.WATCHDOG_USEC);
    this.#clock = clock;
    this.#log = log;
    this.#notify = env.NOTIFY_SOCKET === undefined ? undefined : notify;
    this.#watchdogMs = watchdogUs > 0 ? watchdogUs / 1_000 : undefined;
  }

  starting(status: string): Promise<void> {
    return this.#tell([statusOf(status)]);
  }

  async ready(status: () => string): Promise<void> {
    await this.#tell(["READY=1", ...this.#watchdog(), statusOf(status())]);
    this.#again(status);
  }

  async stopping(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#tell(["STOPPING=1", statusOf("stopping")]);
  }

  #again(status: () => string): void {
    if (this.#notify === undefined || this.#stopped) return;
    const beatMs = (this.#watchdogMs ?? Number.POSITIVE_INFINITY) / CALLS_A_WATCHDOG;
    this.#timer = this.#clock.after(Math.max(BEAT_MIN_MS, Math.min(BEAT_MAX_MS, beatMs)), () => {
      const now = statusOf(status());
      const variables = [...this.#watchdog(), ...(now === this.#told ? [] : [now])];
      void this.#tell(variables).then(() => this.#again(status));
    });
  }

  #watchdog(): readonly string[] {
    return this.#watchdogMs === undefined ? [] : ["WATCHDOG=1"];
  }

  /** One call after the other: a late status must not overtake a newer one. */
  #tell(variables: readonly string[]): Promise<void> {
    this.#calling = this.#calling.then(() => this.#call(variables));
    return this.#calling;
  }

  async #call(variables: readonly string[]): Promise<void> {
    if (this.#notify === undefined || variables.length === 0) return;
    try {
      await this.#notify(variables);
      this.#told = variables.find((variable) => variable.startsWith("STATUS=")) ?? this.#told;
      if (this.#failed) this.#log.notice(`${PROGRAM} works again`);
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#log.warning(`the service manager cannot be told anything: ${messageOf(error)}`);
      this.#failed = true;
    }
  }
}

/** Variables end at a line break, and the text has words of brokers in it. */
function statusOf(text: string): string {
  return `STATUS=${text.replace(/[\r\n]+/g, " ").slice(0, STATUS_CHARS)}`;
}

function notifyBy(env: ServiceManagerOptions["env"]): Notify {
  const { PATH, NOTIFY_SOCKET } = env;
  return (variables) =>
    new Promise((resolve, reject) => {
      const options = { env: { PATH, NOTIFY_SOCKET }, timeout: PROGRAM_LIMIT_MS, killSignal: "SIGKILL" as const };
      execFile(PROGRAM, variables, options, (error) => (error === null ? resolve() : reject(error)));
    });
}
