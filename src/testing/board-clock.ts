/** The clock of a board without a battery: true time goes on, the board's own begins somewhere with each boot. */
import type { TimeSigns } from "../clock/time-signs.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface BoardBoot {
  readonly bootId: string;
  /** What the board takes for the time at its boot; default: what it is. */
  readonly wallMs?: number;
  readonly notBeforeMs?: number;
}

export class BoardClock implements Clock, TimeSigns {
  readonly #truth: VirtualClock;
  readonly #boot: BoardBoot;
  readonly #bootedMs: number;
  /** What the board's wall clock is ahead of the truth. */
  offMs: number;
  synchronised = false;
  /** The kernel set its clock by one. */
  hasRtc = false;

  constructor(truth: VirtualClock, boot: BoardBoot) {
    this.#truth = truth;
    this.#boot = boot;
    this.#bootedMs = truth.monotonicMs();
    this.offMs = boot.wallMs === undefined ? 0 : boot.wallMs - truth.wallMs();
  }

  /** The time service steps the clock to the right time and says so. */
  synchronise(): void {
    this.offMs = 0;
    this.synchronised = true;
  }

  wallMs(): number {
    return this.#truth.wallMs() + this.offMs;
  }

  monotonicMs(): number {
    return this.#truth.monotonicMs() - this.#bootedMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#truth.after(delayMs, callback);
  }

  bootId(): string {
    return this.#boot.bootId;
  }

  isSynchronised(): boolean {
    return this.synchronised;
  }

  rtcMs(): number | undefined {
    return this.hasRtc ? this.wallMs() : undefined;
  }

  notBeforeMs(): number {
    return this.#boot.notBeforeMs ?? 0;
  }
}
