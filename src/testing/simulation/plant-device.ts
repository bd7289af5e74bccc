/** A physical device with what is wrong with it: it stays what it is, however gateway.yaml calls it. It records what it held when. */
import type { Value } from "../../core/tag.ts";
import { type Faults, ModbusDevice } from "../modbus-device.ts";
import type { ModbusRequest } from "../modbus-wire.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Chance } from "./chance.ts";
import type { DevicePlan, DeviceTrouble, TagPlan } from "./plan.ts";
import { holdAt, requestOf, valueAt } from "./registers.ts";

const NOISE_BYTES_MAX = 12;

interface Active {
  readonly trouble: DeviceTrouble;
  readonly share: number;
  readonly chance: Chance;
}

export class PlantDevice {
  readonly modbus: ModbusDevice;
  readonly #clock: VirtualClock;
  readonly #plan: DevicePlan;
  readonly #troubles = new Map<number, Active>();
  /** By number of the request: monotonic time, and wall time less it. */
  readonly #servedMs: number[] = [0];
  readonly #wallOffsetMs: number[] = [0];
  #held = false;

  constructor(plan: DevicePlan, clock: VirtualClock) {
    this.#plan = plan;
    this.#clock = clock;
    this.modbus = new ModbusDevice(plan.unitId);
    this.modbus.faults = (request) => this.#serve(request);
    holdAt(this.modbus, plan.tags, 0);
  }

  begin(id: number, active: Active): void {
    this.#troubles.set(id, active);
  }

  end(id: number): void {
    this.#troubles.delete(id);
  }

  /** Gives no reply to anything, for certain. */
  isDead(): boolean {
    return [...this.#troubles.values()].some(({ trouble, share }) => trouble.how === "silent" && share >= 1);
  }

  /** From now on reading changes nothing. */
  hold(): void {
    this.#held = true;
  }

  valueNow(tag: TagPlan): Value {
    return valueAt(tag, this.#plan.unitId, this.#newest());
  }

  /** When the device began to hold this value; undefined where it never did, or the value does not say. */
  heldSince(tag: TagPlan, value: Value): { readonly monotonicMs: number; readonly wallMs: number } | undefined {
    const n = requestOf(tag, this.#plan.unitId, value, this.#newest());
    const monotonicMs = n === undefined ? undefined : this.#servedMs[n];
    if (n === undefined || monotonicMs === undefined) return undefined;
    return { monotonicMs, wallMs: monotonicMs + (this.#wallOffsetMs[n] ?? 0) };
  }

  #newest(): number {
    return this.#servedMs.length - 1;
  }

  #serve(request: ModbusRequest): Faults {
    if (!this.#held) {
      const nowMs = this.#clock.monotonicMs();
      this.#servedMs.push(nowMs);
      this.#wallOffsetMs.push(this.#clock.wallMs() - nowMs);
      holdAt(this.modbus, this.#plan.tags, this.#newest());
    }
    const met = [...this.#troubles.values()].filter(({ share, chance }) => chance.happens(share));
    return Object.assign({ delayMs: this.#plan.answersAfterMs }, ...met.map((active) => faultsOf(active, request)));
  }
}

function faultsOf({ trouble, chance }: Active, { unitId }: ModbusRequest): Faults {
  switch (trouble.how) {
    case "silent":
      return { silent: true };
    case "slow":
    case "late":
      return { delayMs: trouble.delayMs };
    case "twice":
      return { duplicateAfterMs: trouble.afterMs };
    case "wrong unit":
      return trouble.unitId === unitId ? {} : { replyUnitId: trouble.unitId };
    case "cut short":
      return { truncateBytes: chance.between(1, 6) };
    case "a bit flipped":
      return { flipBit: chance.between(0, 255) };
    case "noise before":
      return { noise: Uint8Array.from({ length: chance.between(1, NOISE_BYTES_MAX) }, () => chance.between(0, 255)) };
    case "echo":
      return { echo: true };
    case "exception":
      return { exceptionCode: trouble.exceptionCode };
  }
}
