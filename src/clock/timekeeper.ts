/** The gateway's clock: looks at the signs of a good time, and is the best-known time as long as there is none. */
import type { Config } from "../config/config.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { unreachable } from "../core/errors.ts";
import type { BootOffset, ClockState, ClockTrust, KnownTime, RememberedTime } from "../core/known-time.ts";
import type { Log } from "../core/log.ts";
import { type ClockEffect, type ClockEvent, INITIAL_LADDER, type LadderState, stepLadder } from "./clock-ladder.ts";
import type { TimeSigns } from "./time-signs.ts";

const LOOK_INTERVAL_MS = 1_000;

export interface TimekeeperOptions {
  readonly config: Config["clock"];
  /** The host's. */
  readonly clock: Clock;
  /** Absent where nothing shows whether the time is good. */
  readonly signs?: TimeSigns;
  /** Where the kernel's boot has no name: one that no other boot has. */
  readonly bootName: () => string;
  readonly log: Log;
}

/** Puts it on the card, as far as that takes it, before it is in force. @param nowMs the time as it will be known */
export type StoreOffset = (offset: BootOffset, nowMs: number) => Promise<void>;

export interface Timekeeper extends Clock, KnownTime {
  state(): ClockState;
  /** First look. Where the clock is good at once, all is settled when it resolves. */
  begin(store: StoreOffset): Promise<void>;
  /** Calls back in the moment from which stamps are UTC, with how far they are from the best-known time before. */
  onSettled(listener: (shiftMs: number) => void): void;
  /** Goes on looking. */
  start(): void;
  stop(): void;
}

export function createTimekeeper(options: TimekeeperOptions): Timekeeper {
  return new ClockWatch(options);
}

class ClockWatch implements Timekeeper {
  readonly boot: string;
  readonly #options: TimekeeperOptions;
  #ladder: LadderState = INITIAL_LADDER;
  /** In force: it follows the ladder once what must be stored is. */
  #trust: ClockTrust = "none";
  #notBeforeMs: number;
  #offsetMs: number;
  #store: StoreOffset = async () => undefined;
  #onSettled: (shiftMs: number) => void = () => undefined;
  #settling = false;
  #timer: Timer | undefined;

  constructor(options: TimekeeperOptions) {
    const { clock, signs, bootName, config } = options;
    this.#options = options;
    this.boot = signs?.bootId() ?? (config.source === "auto" ? bootName() : "");
    this.#notBeforeMs = signs?.notBeforeMs() ?? 0;
    // Program and card may be younger than the kernel's start: they tell of this moment, not of that one.
    this.#offsetMs = Math.round(this.#notBeforeMs - clock.monotonicMs());
    if (config.source === "auto") return;
    this.#offsetMs = offsetOf(clock);
    this.#trust = "good";
    void this.#step({ type: "known", trust: "good", isHost: true });
  }

  remember({ seen, knownOffsetMs, fixed }: RememberedTime): void {
    if (seen !== undefined) this.#notBeforeMs = Math.max(this.#notBeforeMs, seen.ms);
    if (this.#trust !== "none") return;
    const inThisBoot = seen?.boot === this.boot ? Math.round(seen.ms - seen.monotonicMs) : undefined;
    // A kernel that started after the time last seen has shown so much more by now.
    this.#offsetMs = knownOffsetMs ?? inThisBoot ?? Math.max(this.#offsetMs, seen?.ms ?? 0);
    if (fixed === undefined) return;
    this.#offsetMs = fixed.offsetMs;
    this.#trust = fixed.isCertain ? "good" : "waited";
    void this.#step({ type: "known", trust: this.#trust, isHost: false });
  }

  async begin(store: StoreOffset): Promise<void> {
    this.#store = store;
    if (this.#trust !== "none") {
      await store({ offsetMs: this.#offsetMs, isCertain: this.#trust === "good" }, this.wallMs());
    }
    if (this.#options.config.source === "auto") await this.#look();
  }

  onSettled(listener: (shiftMs: number) => void): void {
    this.#onSettled = listener;
  }

  start(): void {
    if (this.#options.config.source === "host") return;
    this.#timer = this.#options.clock.after(LOOK_INTERVAL_MS, () => {
      this.start();
      void this.#look();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  state(): ClockState {
    // What is being settled is not settled.
    return this.#trust === "none" ? "unsynced" : this.#ladder.rung;
  }

  trust(): ClockTrust {
    return this.#trust;
  }

  offsetMs(): number {
    return this.#offsetMs;
  }

  wallMs(): number {
    const { clock } = this.#options;
    const knownMs = Math.round(this.#offsetMs + clock.monotonicMs());
    if (this.#trust === "good") return clock.wallMs();
    return this.#trust === "none" ? knownMs : Math.max(knownMs, clock.wallMs());
  }

  monotonicMs(): number {
    return this.#options.clock.monotonicMs();
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#options.clock.after(delayMs, callback);
  }

  async #look(): Promise<void> {
    if (this.#settling) return;
    const { clock, signs } = this.#options;
    const service = signs?.isSynchronised() === true;
    const rtcMs = service ? undefined : signs?.rtcMs();
    await this.#step({ type: "look", hostMs: clock.wallMs(), service, rtcMs, notBeforeMs: this.#notBeforeMs });
  }

  #step(event: ClockEvent): Promise<void> {
    const { clock, config } = this.#options;
    const [ladder, effects] = stepLadder(this.#ladder, event, clock.monotonicMs(), config.waitAtMostMs);
    this.#ladder = ladder;
    return this.#perform(effects);
  }

  async #perform(effects: readonly ClockEffect[]): Promise<void> {
    for (const effect of effects) {
      switch (effect.type) {
        case "tell":
          this.#options.log[effect.level](effect.message);
          break;
        case "settle":
          await this.#settle(effect.trust);
          break;
        default:
          unreachable(effect);
      }
    }
  }

  /** A boot that was dated by the host's time stays so: only what comes after is better. */
  async #settle(trust: Exclude<ClockTrust, "none">): Promise<void> {
    if (this.#trust !== "none") {
      this.#trust = trust;
      return;
    }
    const { clock } = this.#options;
    const hostOffsetMs = offsetOf(clock);
    const isCertain = trust === "good";
    const offsetMs = isCertain ? hostOffsetMs : Math.max(this.#offsetMs, hostOffsetMs);
    this.#settling = true;
    await this.#store({ offsetMs, isCertain }, Math.round(offsetMs + clock.monotonicMs()));
    this.#settling = false;
    const shiftMs = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs;
    this.#trust = trust;
    this.#onSettled(shiftMs);
  }
}

function offsetOf(clock: Clock): number {
  return Math.round(clock.wallMs() - clock.monotonicMs());
}
