/** In which order a line is searched for devices, and how long that takes. Pure. */
import type { Parity, SerialSettings } from "../../config/config.ts";
import { silentIntervalMs, transferMs } from "./wire-time.ts";

/** One request to read: unit, function, address, quantity, checksum. */
const PROBE_BYTES = 8;
/** From a timer that fires to the next byte on the wire, on a small board. */
const PROBE_OVERHEAD_MS = 2;
/** Closing a port and opening it with other settings. */
const REOPEN_MS = 30;

const UNIT_MAX = 247;
/** Installers count from 1 on. */
const COMMON_UNITS_MAX = 16;

/**
 * As the field has it: first what most devices leave the factory with, then what installers choose. Two stop bits are no
 * settings of their own: who sends or hears one more than the other understands it all the same.
 */
export const FIELD_SETTINGS: readonly SerialSettings[] = [
  settings(9_600, "none"),
  settings(19_200, "even"),
  settings(9_600, "even"),
  settings(19_200, "none"),
  settings(115_200, "none"),
  settings(38_400, "none"),
  settings(2_400, "none"),
  settings(4_800, "none"),
  settings(57_600, "none"),
  settings(38_400, "even"),
  settings(115_200, "even"),
  settings(9_600, "odd"),
  settings(19_200, "odd"),
  settings(4_800, "even"),
  settings(2_400, "even"),
  settings(57_600, "even"),
];

export const ALL_UNITS: readonly number[] = Array.from({ length: UNIT_MAX }, (_, i) => i + 1);

/** Units to be asked at one setting. */
export interface ScanStep {
  readonly serial: SerialSettings;
  readonly units: readonly number[];
}

/** Common addresses at every setting come before rare addresses at any. */
export function planScan(all: readonly SerialSettings[], units: readonly number[]): readonly ScanStep[] {
  const common = units.filter((unitId) => unitId <= COMMON_UNITS_MAX);
  const rare = units.filter((unitId) => unitId > COMMON_UNITS_MAX);
  return [common, rare].flatMap((part) => (part.length === 0 ? [] : all.map((serial) => ({ serial, units: part }))));
}

/** What is left, with the settings first at which something was found: a line has one as a rule. */
export function promising(left: readonly ScanStep[], found: readonly SerialSettings[]): readonly ScanStep[] {
  const has = ({ serial }: ScanStep) => found.some((each) => isSame(each, serial));
  return [...left.filter(has), ...left.filter((step) => !has(step))];
}

export function isSame(a: SerialSettings, b: SerialSettings): boolean {
  return a.baudRate === b.baudRate && a.parity === b.parity && a.stopBits === b.stopBits;
}

/** How long the steps take where nobody answers. */
export function scanMs(steps: readonly ScanStep[], responseTimeoutMs: number): number {
  return steps.reduce((sum, { serial, units }) => {
    const probeMs = transferMs(serial, PROBE_BYTES) + silentIntervalMs(serial) + responseTimeoutMs + PROBE_OVERHEAD_MS;
    return sum + REOPEN_MS + units.length * probeMs;
  }, 0);
}

function settings(baudRate: number, parity: Parity): SerialSettings {
  return { baudRate, dataBits: 8, parity, stopBits: 1 };
}
