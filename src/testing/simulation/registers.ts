/**
 * What a device holds after its n-th request: a function of n and of the register, so that a value tells which request
 * it was read by. Written apart from the codec that the gateway uses.
 */
import type { Value } from "../../core/tag.ts";
import type { ModbusDevice } from "../modbus-device.ts";
import type { TagPlan } from "./plan.ts";

/** Registers and units differ at every n that a run reaches. */
const PER_ADDRESS = 97;
const PER_UNIT = 1_009;
const BEYOND_DOUBLES = 1n << 53n;

/** Makes the registers of these tags those of the n-th request. */
export function holdAt(device: ModbusDevice, tags: readonly TagPlan[], n: number): void {
  for (const tag of tags) device.set(tag.table, tag.address, ...wordsOf(tag, countOf(tag, device.unitId, n)));
}

/** What a tag reads as while the device holds the registers of its n-th request. */
export function valueAt(tag: TagPlan, unitId: number, n: number): Value {
  const count = countOf(tag, unitId, n);
  if (tag.table === "coil" || tag.table === "discreteInput") return isOn(count);
  switch (tag.type) {
    case "bool":
      return isOn(count);
    case "uint64":
      return BEYOND_DOUBLES + BigInt(count);
    case "uint16":
      return scaled(tag, count & 0xffff);
    default:
      return scaled(tag, count);
  }
}

/** The newest request up to `n` that this value may stem from; undefined where there is none, or it does not say. */
export function requestOf(tag: TagPlan, unitId: number, value: Value, n: number): number | undefined {
  if (typeof value === "boolean") return undefined;
  for (let back = 0; back <= n && back <= SEARCHED_REQUESTS; back++) {
    if (valueAt(tag, unitId, n - back) === value) return n - back;
  }
  return undefined;
}

/** Further back, a value is older than any that may still be shown as good. */
const SEARCHED_REQUESTS = 500;

function countOf(tag: TagPlan, unitId: number, n: number): number {
  return n + tag.address * PER_ADDRESS + unitId * PER_UNIT;
}

/** Toggles each second request, so that each value is held for a while. */
function isOn(count: number): boolean {
  return (count & 2) !== 0;
}

function scaled(tag: TagPlan, raw: number): number {
  return tag.scale === undefined ? raw : raw * tag.scale;
}

/** Registers in the order of the standard, the high word first. */
function wordsOf(tag: TagPlan, count: number): readonly number[] {
  if (tag.table === "coil" || tag.table === "discreteInput") return [isOn(count) ? 1 : 0];
  switch (tag.type) {
    case "bool":
      return [isOn(count) ? 1 : 0];
    case "uint32":
      return [count >>> 16, count & 0xffff];
    case "uint64": {
      const whole = BEYOND_DOUBLES + BigInt(count);
      return [48n, 32n, 16n, 0n].map((shift) => Number((whole >> shift) & 0xffffn));
    }
    case "float32": {
      const view = new DataView(new ArrayBuffer(4));
      view.setFloat32(0, count);
      return [view.getUint16(0), view.getUint16(2)];
    }
    default:
      return [count & 0xffff];
  }
}
