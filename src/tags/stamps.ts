import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";

/** Where epochs come from: stored, so that none is ever given twice. */
export interface Epochs {
  epoch(): number;
  raiseEpoch(): number;
}

/** A backward step of the wall clock up to this is bridged by counting on; a longer one begins a new epoch. */
const BACKWARD_STEP_MAX_MS = 1_000;

/**
 * Turns monotonic time into stamps. Within an epoch the wall clock has never been seen more than
 * BACKWARD_STEP_MAX_MS behind its own best, so a stamp that counts on is never further off than that.
 */
export class Stamps {
  readonly #clock: Clock;
  readonly #epochs: Epochs;
  readonly #log: Log;
  #epoch: number;
  /** Wall minus monotonic time, now and at its highest in this epoch. */
  #offsetMs: number;
  #highestOffsetMs: number;

  constructor(clock: Clock, epochs: Epochs, log: Log) {
    this.#clock = clock;
    this.#epochs = epochs;
    this.#log = log;
    this.#epoch = epochs.epoch();
    this.#offsetMs = clock.wallMs() - clock.monotonicMs();
    this.#highestOffsetMs = this.#offsetMs;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Looks at the wall clock; to be called before stamping. Forward steps need nothing: stamps only rise. */
  observe(): void {
    this.#offsetMs = this.#clock.wallMs() - this.#clock.monotonicMs();
    const backMs = this.#highestOffsetMs - this.#offsetMs;
    if (backMs > BACKWARD_STEP_MAX_MS) {
      this.#epoch = this.#epochs.raiseEpoch();
      this.#log.warning(`the clock stepped back by ${Math.round(backMs / 1_000)} s; epoch ${this.#epoch} begins`);
    }
    if (backMs > BACKWARD_STEP_MAX_MS || backMs < 0) this.#highestOffsetMs = this.#offsetMs;
  }

  /**
   * The best-known time became the right one, by so much. A step back counts as one with the next look, so that whoever
   * was shown the times before takes what follows for newer.
   */
  settled(shiftMs: number, mustRise: boolean): void {
    this.#highestOffsetMs += Math.max(0, shiftMs);
    if (!mustRise) return;
    this.#epoch = this.#epochs.raiseEpoch();
    this.#log.notice(`the clock is settled; epoch ${this.#epoch} begins`);
  }

  /** The wall time of a monotonic moment as last observed, whole milliseconds. */
  at(monotonicMs: number): number {
    return Math.round(this.#offsetMs + monotonicMs);
  }
}
