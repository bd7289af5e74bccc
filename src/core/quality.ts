/**
 * What a value is worth. Names and codes are those of OPC UA Part 4 and Part 8; the last
 * column is what plant staff read. Every status the gateway can give stands here.
 */

/** Value of the Sparkplug property `Quality` (Sparkplug B 3.0, 6.4.8): 192 good, 0 bad, 500 stale. */
type SparkplugQuality = 192 | 0 | 500;

interface StatusFacts {
  /** OPC UA StatusCode, 32 bits unsigned. */
  readonly code: number;
  readonly sparkplug: SparkplugQuality;
  /** In plain words, for people who have never heard of OPC UA. */
  readonly words: string;
}

export const STATUSES = {
  Good: { code: 0x00000000, sparkplug: 192, words: "ok" },
  BadWaitingForInitialData: { code: 0x80320000, sparkplug: 0, words: "not read yet" },
  BadNoCommunication: { code: 0x80310000, sparkplug: 0, words: "no answer" },
  BadConfigurationError: { code: 0x80890000, sparkplug: 0, words: "the device refuses this register" },
  BadDeviceFailure: { code: 0x808b0000, sparkplug: 0, words: "the device reports a fault" },
  BadUnexpectedError: { code: 0x80010000, sparkplug: 0, words: "unknown answer" },
  BadOutOfRange: { code: 0x803c0000, sparkplug: 0, words: "not a number" },
  BadSensorFailure: { code: 0x808c0000, sparkplug: 0, words: "sensor not connected" },
  BadOutOfService: { code: 0x808d0000, sparkplug: 0, words: "switched off" },
  UncertainEngineeringUnitsExceeded: { code: 0x40940000, sparkplug: 500, words: "out of range" },
  UncertainLastUsableValue: { code: 0x40900000, sparkplug: 500, words: "old" },
  BadDataLost: { code: 0x809d0000, sparkplug: 0, words: "not recorded" },
} as const satisfies Record<string, StatusFacts>;

export type Status = keyof typeof STATUSES;

/** The status names in a fixed order, for codecs that store an index. Append only. */
export const STATUS_NAMES = Object.freeze(Object.keys(STATUSES)) as readonly Status[];

export function isGood(status: Status): boolean {
  return status === "Good";
}

/** The status for a Modbus exception code (Modbus Application Protocol V1.1b3, section 7). */
export function statusOfException(exceptionCode: number): Status {
  switch (exceptionCode) {
    case 1:
    case 2:
    case 3:
      return "BadConfigurationError";
    case 4:
    case 8:
      return "BadDeviceFailure";
    case 5:
    case 6:
    case 10:
    case 11:
      return "BadNoCommunication";
    default:
      return "BadUnexpectedError";
  }
}
