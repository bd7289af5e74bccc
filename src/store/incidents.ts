/** What was found amiss with the files in this run: errors in the log, and the latest of them for the self-tag. */
import type { Log } from "../core/log.ts";

/** Of a file that is damaged in many places the last ones say enough. */
const KEPT_MAX = 3;

export class Incidents {
  readonly #log: Log;
  #latest: readonly string[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  tell(what: string): void {
    this.#log.error(what);
    this.#latest = [...this.#latest.filter((known) => known !== what), what].slice(-KEPT_MAX);
  }

  /** The latest last; empty as long as all was in order. */
  text(): string {
    return this.#latest.join("; ");
  }
}
