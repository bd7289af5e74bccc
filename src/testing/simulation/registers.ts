/**
 * What a device holds after its n-th request: a function of n and of the register, so that a value tells which request
 * it was read by. Written apart from the codec that the gateway uses.
 */
import type { Value } from "../../core/tag.ts";
import type { ModbusDevice } from "../modbus-device.ts";
import { registerWords } from "../register-words.ts";
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

function wordsOf(tag: TagPlan, count: number): readonly number[] {
  if (tag.table === "coil" || tag.table === "discreteInput") return [isOn(count) ? 1 : 0];
  return registerWords({ type: tag.type, byteOrder: "ABCD" }, rawOf(tag, count));
}

function rawOf({ type }: TagPlan, count: number): number | bigint {
  if (type === "bool") return isOn(count) ? 1 : 0;
  return type === "uint64" ? BEYOND_DOUBLES + BigInt(count) : count;
}
