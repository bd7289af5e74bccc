import type { Value } from "../../core/tag.ts";
import type { SimulatedPins } from "../simulated-pins.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Chance } from "./chance.ts";
import type { InputPlan } from "./plan.ts";
import { PIN_CHIP } from "./site.ts";

const CHATTER_EVERY_MS = 7;
/** What the gateway may take, beyond the debounce time, to tell of a level. */
const TELLING_MS = 50;
const REMEMBERED_LEVELS = 500;

/** What is connected to one pin: a contact that opens and closes, and now and then chatters. */
export class InputWire {
  readonly #plan: InputPlan;
  readonly #pins: SimulatedPins;
  readonly #clock: VirtualClock;
  readonly #chance: Chance;
  readonly #address: { readonly chip: string; readonly line: number };
  /** Electrical levels and since when, the newest last. */
  readonly #levels: { readonly level: boolean; readonly sinceMs: number }[] = [{ level: false, sinceMs: 0 }];
  #rises = 0;
  #lives = 0;
  #chattering = 0;
  #gone = 0;
  #deaf = 0;
  #deafUntilMs = Number.NEGATIVE_INFINITY;
  #held = false;

  constructor(plan: InputPlan, pins: SimulatedPins, clock: VirtualClock, chance: Chance) {
    this.#plan = plan;
    this.#pins = pins;
    this.#clock = clock;
    this.#chance = chance;
    this.#address = { chip: PIN_CHIP, line: plan.pin };
    this.#schedule();
  }

  chatter(on: boolean): void {
    this.#chattering += on ? 1 : -1;
  }

  deafen(on: boolean): void {
    this.#deaf += on ? 1 : -1;
    this.#deafUntilMs = this.#clock.monotonicMs();
  }

  takeAway(unheard: boolean): void {
    if (this.#gone++ > 0) return;
    this.#pins[unheard ? "breakUnheard" : "takeAway"](this.#address, "the chip is gone");
  }

  putBack(): void {
    if (--this.#gone === 0) this.#pins.putBack(this.#address);
  }

  hold(): void {
    this.#held = true;
  }

  /** A new life goes on where the last one ended. */
  countOn(): void {
    this.#lives += 1;
  }

  levelNow(): boolean {
    return (this.#levels.at(-1)?.level === true) !== this.#plan.activeLow;
  }

  /** Why this value cannot have been true of the contact just now; empty where it can. */
  doubt(value: Value): string {
    if (this.#plan.counts) {
      // Where active is low, each fall of the level is a rise of the contact: as many, but for one in each life.
      const most = this.#rises + this.#lives;
      return typeof value === "number" && value <= most ? "" : `${value} pulses counted of at most ${most}`;
    }
    const nowMs = this.#clock.monotonicMs();
    const isDeaf = this.#deaf > 0 || nowMs - this.#deafUntilMs < this.#plan.scanRateMs;
    const sinceMs = nowMs - this.#plan.debounceMs - TELLING_MS - (isDeaf ? this.#plan.scanRateMs : 0);
    const seen = this.#levels.filter((_, i) => (this.#levels[i + 1]?.sinceMs ?? Number.POSITIVE_INFINITY) >= sinceMs);
    const isSeen = seen.some(({ level }) => (level !== this.#plan.activeLow) === value);
    return isSeen ? "" : `the contact has not been ${value} for longer than its debounce time`;
  }

  #schedule(): void {
    const everyMs = this.#chattering > 0 ? CHATTER_EVERY_MS : this.#plan.changesEveryMs;
    this.#clock.after(everyMs * (0.5 + this.#chance.next()), () => {
      if (this.#held) return;
      this.#turn();
      this.#schedule();
    });
  }

  #turn(): void {
    const level = this.#levels.at(-1)?.level !== true;
    if (level !== this.#plan.activeLow) this.#rises += 1;
    this.#levels.push({ level, sinceMs: this.#clock.monotonicMs() });
    if (this.#levels.length > REMEMBERED_LEVELS) this.#levels.shift();
    this.#pins[this.#deaf > 0 ? "driveUnheard" : "drive"](this.#address, level);
  }
}
