/** When the running service takes its configuration anew: told by SIGHUP, or because the file has changed. */
import { statSync } from "node:fs";
import type { Clock, Timer } from "../core/clock.ts";

/** How often the file is looked at. A change counts once it has stood for as long: an editor may still be writing. */
const LOOK_INTERVAL_MS = 2_000;

export interface ReloadOptions {
  /** gateway.yaml */
  readonly file: string;
  /** Never rejects; one at a time. */
  readonly reload: () => Promise<void>;
  readonly clock: Clock;
}

export class ReloadWatch {
  readonly #options: ReloadOptions;
  /** The state of the file that was acted on last, and the one seen last. */
  #loaded: string;
  #seen: string;
  #timer: Timer | undefined;
  #running = false;
  #isAskedAgain = false;

  constructor(options: ReloadOptions) {
    this.#options = options;
    this.#loaded = stampOf(options.file);
    this.#seen = this.#loaded;
  }

  start(): void {
    this.#timer = this.#options.clock.after(LOOK_INTERVAL_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** By SIGHUP: whether the file has changed or not, one that it names may have. */
  ask(): void {
    this.#loaded = stampOf(this.#options.file);
    this.#isAskedAgain = this.#running;
    if (!this.#running) void this.#run();
  }

  #look(): void {
    const now = stampOf(this.#options.file);
    const hasSettled = now === this.#seen;
    this.#seen = now;
    if (hasSettled && now !== this.#loaded) this.ask();
  }

  async #run(): Promise<void> {
    this.#running = true;
    do {
      this.#isAskedAgain = false;
      await this.#options.reload();
    } while (this.#isAskedAgain);
    this.#running = false;
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
