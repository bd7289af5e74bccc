import type { Clock } from "../core/clock.ts";
import type { Pin, PinAddress, PinDriver, PinEvents } from "../sources/gpio/pin-driver.ts";

interface SimulatedPin {
  level: boolean;
  /** Why the pin cannot be used; empty while it can. */
  fault: string;
  readonly watchers: Set<PinEvents>;
}

/** Chips with pins that change level when told. Levels outlive closing, as those of real wires do. */
export class SimulatedPins implements PinDriver {
  readonly #clock: Clock;
  readonly #chips: ReadonlyMap<string, readonly SimulatedPin[]>;

  /** @param chips label of each chip, and how many lines it has */
  constructor(clock: Clock, chips: Readonly<Record<string, number>>) {
    this.#clock = clock;
    const pins = (lines: number) =>
      Array.from({ length: lines }, (): SimulatedPin => ({ level: false, fault: "", watchers: new Set() }));
    this.#chips = new Map(Object.entries(chips).map(([label, lines]) => [label, pins(lines)]));
  }

  async open(address: PinAddress, events: PinEvents): Promise<Pin> {
    const pin = this.#pin(address);
    if (pin.fault !== "") throw new Error(pin.fault);
    pin.watchers.add(events);
    return {
      async read() {
        if (pin.fault !== "") throw new Error(pin.fault);
        return pin.level;
      },
      async close() {
        pin.watchers.delete(events);
      },
    };
  }

  /** Puts the pin at a level. What it is at already makes no edge. */
  drive(address: PinAddress, level: boolean): void {
    const pin = this.#pin(address);
    if (pin.level === level) return;
    pin.level = level;
    if (pin.fault !== "") return;
    for (const { edge } of [...pin.watchers]) edge(level, this.#clock.monotonicMs());
  }

  /** Puts the pin at a level without anybody hearing of the edge, as a pulse too short for the kernel does. */
  driveUnheard(address: PinAddress, level: boolean): void {
    this.#pin(address).level = level;
  }

  /** Takes the pin away: open ones are told as lost, others cannot be opened. */
  takeAway(address: PinAddress, reason: string): void {
    const pin = this.#pin(address);
    pin.fault = reason;
    for (const { lost } of [...pin.watchers]) lost(reason);
  }

  /** Makes reads fail without telling anybody. */
  breakUnheard(address: PinAddress, reason: string): void {
    this.#pin(address).fault = reason;
  }

  putBack(address: PinAddress): void {
    this.#pin(address).fault = "";
  }

  /** How many hold the pin open. */
  holders(address: PinAddress): number {
    return this.#pin(address).watchers.size;
  }

  #pin(address: PinAddress): SimulatedPin {
    const chip = this.#chips.get(address.chip);
    if (chip === undefined) throw new Error(`no GPIO chip has the label ${address.chip}`);
    const pin = chip[address.line];
    if (pin === undefined) throw new Error(`GPIO chip ${address.chip} has no line ${address.line}`);
    return pin;
  }
}
