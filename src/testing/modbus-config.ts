/** Lines, devices and tags as the loader of gateway.yaml makes them, for tests that need no file. */
import type { DeviceConfig, LineConfig, RegisterTag, RegisterType } from "../config/config.ts";
import { DEFAULTS } from "../config/defaults.ts";
import { tagId, type ValueType } from "../core/tag.ts";

/** What must be said of a register; the rest has defaults. */
export type RegisterChoice = Pick<RegisterTag["register"], "table" | "address"> & Partial<RegisterTag["register"]>;

export function registerTag(
  device: string,
  name: string,
  choice: RegisterChoice,
  more: Partial<RegisterTag> = {},
): RegisterTag {
  const isBit = choice.table === "coil" || choice.table === "discreteInput";
  const type = isBit ? "bool" : (choice.type ?? DEFAULTS.registerType);
  const scaled = more.scale !== undefined || more.offset !== undefined || more.scaleFrom !== undefined;
  return {
    id: tagId(device, name),
    device,
    name,
    type: scaled ? "float64" : choice.bit === undefined ? valueTypeOf(type) : "bool",
    priority: DEFAULTS.priority,
    deadband: 0,
    scanRateMs: DEFAULTS.scanRateMs,
    staleMs: DEFAULTS.staleMinMs,
    maxIntervalMs: DEFAULTS.maxIntervalMs,
    writable: false,
    enabled: true,
    unsigned: false,
    register: { byteOrder: DEFAULTS.byteOrder, ...choice, type },
    ...more,
  };
}

export function deviceConfig(
  name: string,
  unitId: number,
  tags: readonly RegisterTag[],
  more: Partial<DeviceConfig> = {},
): DeviceConfig {
  return {
    name,
    unitId,
    enabled: true,
    retries: DEFAULTS.retries,
    lostAfter: DEFAULTS.lostAfter,
    maxQuantity: DEFAULTS.maxQuantity,
    unreadable: [],
    maxLateMs: DEFAULTS.maxLateMs,
    tags,
    ...more,
  };
}

export function lineConfig(path: string, devices: readonly DeviceConfig[], more: Partial<LineConfig> = {}): LineConfig {
  return {
    name: "RS485-1",
    path,
    serial: DEFAULTS.serial,
    rs485: DEFAULTS.rs485,
    responseTimeoutMs: DEFAULTS.responseTimeoutMs,
    turnaroundDelayMs: DEFAULTS.turnaroundDelayMs,
    devices,
    ...more,
  };
}

function valueTypeOf(type: RegisterType): ValueType {
  if (type === "bcd16") return "uint16";
  return type === "bcd32" ? "uint32" : type;
}
