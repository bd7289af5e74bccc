import type { DeviceConfig, LineConfig } from "../../config/config.ts";
import type { Random } from "../../core/random.ts";
import { silentIntervalMs } from "../../sources/modbus/wire-time.ts";
import type { Faults } from "../../testing/modbus-device.ts";

/** What a played device may have; each is a fault that plant staff meet. */
export const UNIT_FAULTS = ["silent", "slow", "late", "garbage", "exception"] as const;

export type UnitFault = (typeof UNIT_FAULTS)[number];

/** Devices need some milliseconds, and on two wires the one who asked must have let go of the line. */
const REPLY_DELAY_MIN_MS = 5;
/** Of responseTimeout: slow, but in time. */
const SLOW_SHARE = 0.8;
/** Of maxLate, after responseTimeout: the answer to a question that was given up. */
const LATE_SHARE = 0.3;
const DEVICE_FAILURE = 4;
const NOISE_BYTES = 5;
const CUT_BYTES_MAX = 3;
const FRAME_BITS = 2_048;

/** What goes wrong with the replies of a device; without a fault only the time that every device takes. */
export function faultsOf(
  fault: UnitFault | undefined,
  { serial, responseTimeoutMs }: LineConfig,
  { maxLateMs }: DeviceConfig,
  random: Random,
): Faults | (() => Faults) {
  const delayMs = Math.max(REPLY_DELAY_MIN_MS, silentIntervalMs(serial));
  switch (fault) {
    case undefined:
      return { delayMs };
    case "silent":
      return { silent: true };
    case "slow":
      return { delayMs: Math.max(delayMs, SLOW_SHARE * responseTimeoutMs) };
    case "late":
      return { delayMs: responseTimeoutMs + LATE_SHARE * maxLateMs };
    case "exception":
      return { delayMs, exceptionCode: DEVICE_FAILURE };
    case "garbage":
      return () => ({ delayMs, ...garbage(random) });
  }
}

/** Cut short, a bit wrong, or behind noise. */
function garbage(random: Random): Faults {
  const upTo = (max: number) => Math.floor(random.next() * max);
  switch (upTo(3)) {
    case 0:
      return { truncateBytes: 1 + upTo(CUT_BYTES_MAX) };
    case 1:
      return { flipBit: upTo(FRAME_BITS) };
    default:
      return { noise: Uint8Array.from({ length: NOISE_BYTES }, () => upTo(256)), flipBit: upTo(FRAME_BITS) };
  }
}
