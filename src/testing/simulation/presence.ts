/** Which devices have been there without a doubt, so that a picture of all must show them. */
import type { Clock } from "../../core/clock.ts";
import type { CurrentValues } from "../../pipeline.ts";

/** A picture is made this long before it arrives, at most; longer than a slow link takes. */
const STEADY_AFTER_MS = 60_000;

export class Presence {
  readonly #clock: Clock;
  readonly #doubtedMs = new Map<string, number>();
  #newMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The gateway has started, or has other devices. */
  begin(): void {
    this.#newMs = this.#clock.monotonicMs();
  }

  /** Was taken in of the device. */
  note(device: string, status: string): void {
    if (status === "BadNoCommunication") this.#doubtedMs.set(device, this.#clock.monotonicMs());
  }

  steady(values: CurrentValues | undefined): readonly string[] {
    const sinceMs = this.#clock.monotonicMs() - STEADY_AFTER_MS;
    if (values === undefined || this.#newMs > sinceMs) return [];
    return values
      .devices()
      .map(({ name }) => name)
      .filter((name) => (this.#doubtedMs.get(name) ?? 0) < sinceMs && !values.isLost(name))
      .filter((name) => values.snapshot(name).every(({ status }) => status !== "BadNoCommunication"));
  }
}
