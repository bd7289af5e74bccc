/** When the running service takes its configuration anew: told by SIGHUP, or because the file has changed. */
import { statSync } from "node:fs";
import type { Clock, Timer } from "../core/clock.ts";

/** How often the file is looked at. A change counts once it has stood for as long: an editor may still be writing. */
const LOOK_INTERVAL_MS = 2_000;

export interface ReloadOptions {
  /** gateway.yaml */
  readonly file: string;
  readonly clock: Clock;
}

/** Made before the file is read for the first time: what is asked for until `start` is done then. */
export class ReloadWatch {
  readonly #options: ReloadOptions;
  /** The state of the file that was acted on last, and the one seen last. */
  #loaded: string;
  #seen: string;
  #timer: Timer | undefined;
  #reload: (() => Promise<void>) | undefined;
  #isAsked = false;
  #isRunning = false;

  constructor(options: ReloadOptions) {
    this.#options = options;
    this.#loaded = stampOf(options.file);
    this.#seen = this.#loaded;
  }

  /** @param reload never rejects; called one at a time */
  start(reload: () => Promise<void>): void {
    this.#reload = reload;
    this.#await();
    if (this.#isAsked) void this.#run();
  }

  /** Begins no more reload, whoever asks: nothing may start again what is being stopped. */
  stop(): void {
    this.#reload = undefined;
    this.#timer?.cancel();
  }

  /** By SIGHUP: whether the file has changed or not, one that it names may have. */
  ask(): void {
    this.#isAsked = true;
    if (!this.#isRunning) void this.#run();
  }

  #await(): void {
    this.#timer = this.#options.clock.after(LOOK_INTERVAL_MS, () => {
      this.#look();
      this.#await();
    });
  }

  #look(): void {
    const now = stampOf(this.#options.file);
    const hasSettled = now === this.#seen;
    this.#seen = now;
    if (hasSettled && now !== this.#loaded) this.ask();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isAsked && this.#reload !== undefined) {
      this.#isAsked = false;
      this.#loaded = stampOf(this.#options.file);
      await this.#reload();
    }
    this.#isRunning = false;
  }
}

/** Differs for each version of the file: an editor replaces it, or writes into it. */
function stampOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return "none";
  }
}
