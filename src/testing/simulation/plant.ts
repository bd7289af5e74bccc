/** What stands before the gateway: the lines of the site with their devices, and the wires of its pins. */
import type { LineConfig } from "../../config/config.ts";
import { tagId } from "../../core/tag.ts";
import { type SimulatedLine, simulatedLine } from "../simulated-line.ts";
import { SimulatedPins } from "../simulated-pins.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { Chance } from "./chance.ts";
import { DeadTime } from "./dead-time.ts";
import { InputWire } from "./input-wire.ts";
import type { DeviceTrouble, LinePlan, SitePlan, TagPlan } from "./plan.ts";
import { PlantDevice } from "./plant-device.ts";
import { PIN_CHIP } from "./site.ts";

interface PlantLine {
  readonly plan: LinePlan;
  readonly devices: readonly PlantDevice[];
  readonly deadTime: DeadTime;
  current: SimulatedLine | undefined;
  gone: number;
}

/** A tag of gateway.yaml and the device it is read from. */
export interface Wired {
  readonly device: PlantDevice;
  readonly tag: TagPlan;
}

export class Plant {
  readonly pins: SimulatedPins;
  readonly #seed: number;
  readonly #clock: VirtualClock;
  readonly #lines = new Map<string, PlantLine>();
  readonly #inputs: ReadonlyMap<number, InputWire>;
  #byName = new Map<string, PlantDevice>();
  #wired = new Map<string, Wired>();
  #inputsByTag = new Map<string, InputWire>();
  #isHeld = false;

  constructor(seed: number, site: SitePlan, clock: VirtualClock) {
    this.#seed = seed;
    this.#clock = clock;
    this.pins = new SimulatedPins(clock, { [PIN_CHIP]: site.inputs.length });
    for (const plan of site.lines) {
      const devices = plan.devices.map((device) => new PlantDevice(device, clock));
      this.#lines.set(plan.name, { plan, devices, deadTime: new DeadTime(plan), current: undefined, gone: 0 });
    }
    this.#inputs = new Map(
      site.inputs.map((plan) => [plan.pin, new InputWire(plan, this.pins, clock, new Chance(seed, `pin ${plan.pin}`))]),
    );
    this.name(site);
  }

  /** The names that gateway.yaml gives to what is there. */
  name(site: SitePlan): void {
    this.#byName = new Map();
    this.#wired = new Map();
    for (const line of site.lines) {
      for (const { name, unitId, tags } of line.devices) {
        const device = this.#lines.get(line.name)?.devices.find(({ modbus }) => modbus.unitId === unitId);
        if (device === undefined) continue;
        this.#byName.set(name, device);
        for (const tag of tags) this.#wired.set(tagId(name, tag.name), { device, tag });
      }
    }
    this.#inputsByTag = new Map();
    for (const { name, pin } of site.inputs) {
      const wire = this.#inputs.get(pin);
      if (wire !== undefined) this.#inputsByTag.set(tagId("inputs", name), wire);
    }
  }

  /** The port of a line as one life of the gateway has it. */
  openLine(config: LineConfig): SimulatedLine {
    const line = this.#line(config.name);
    const devices = line.devices.map(({ modbus }) => modbus);
    const opened = simulatedLine({ clock: this.#clock, devices, serial: config.serial });
    line.current = opened;
    if (line.gone > 0) opened.unplug();
    line.deadTime.restart(this.#clock.monotonicMs());
    opened.onWritten = ([unitId = 0]) => {
      const device = line.devices.find(({ modbus }) => modbus.unitId === unitId);
      line.deadTime.asked(unitId, device?.isDead() === true, this.#clock.monotonicMs());
    };
    return opened;
  }

  beginTrouble(id: number, device: string, trouble: DeviceTrouble, share: number): void {
    this.#byName.get(device)?.begin(id, { trouble, share, chance: new Chance(this.#seed, `fault ${id}`) });
  }

  /** Of whatever device it was. */
  endTrouble(id: number): void {
    for (const { devices } of this.#lines.values()) for (const device of devices) device.end(id);
  }

  pullAdapter(name: string): void {
    const line = this.#line(name);
    line.gone += 1;
    line.current?.unplug();
  }

  pushAdapter(name: string): void {
    const line = this.#line(name);
    line.gone -= 1;
    if (line.gone > 0) return;
    line.current?.plugIn();
    line.deadTime.restart(this.#clock.monotonicMs());
  }

  input(pin: number): InputWire | undefined {
    return this.#inputs.get(pin);
  }

  wiredInput(tag: string): InputWire | undefined {
    return this.#inputsByTag.get(tag);
  }

  wired(tag: string): Wired | undefined {
    return this.#wired.get(tag);
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Nothing changes any more. */
  hold(): void {
    this.#isHeld = true;
    for (const { devices } of this.#lines.values()) for (const device of devices) device.hold();
    for (const wire of this.#inputs.values()) wire.hold();
  }

  /** Lines that gave more than their share to dead devices, in words. */
  overspent(): readonly string[] {
    return [...this.#lines.values()].flatMap(({ deadTime }) => deadTime.overspent());
  }

  #line(name: string): PlantLine {
    const line = this.#lines.get(name);
    if (line === undefined) throw new Error(`the plant has no line ${name}`);
    return line;
  }
}
