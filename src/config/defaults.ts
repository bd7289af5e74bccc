/** Every default and every limit of gateway.yaml. A unit stands last in each name. */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const DEFAULTS = {
  format: "json",
  mqttVersion: "auto",
  keepAliveMs: 15 * SECOND_MS,
  reconnectSpreadMs: 30 * SECOND_MS,
  reconnectMaxMs: 2 * MINUTE_MS,
  startAt: "now",
  historyRateBytesPerS: Number.POSITIVE_INFINITY,
  barrier: "ping",
  id: "{device}/{tag}",

  serial: { baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 },
  rs485: "auto",
  responseTimeoutMs: 300,
  turnaroundDelayMs: 0,

  byteOrder: "ABCD",
  retries: 1,
  lostAfter: 3,
  maxQuantity: 125,
  maxLateMs: SECOND_MS,

  registerType: "uint16",
  scanRateMs: SECOND_MS,
  /** `stale` is the longer of these: a tag read often is not called old for one slow cycle. */
  staleScans: 3,
  staleMinMs: 5 * SECOND_MS,
  maxIntervalMs: 10 * MINUTE_MS,
  priority: "normal",

  /** Longer than the bounce of a relay contact, shorter than anything a person does. */
  debounceMs: 20,

  outboxPath: "outbox.db",
  outboxMaxSizeBytes: 2_000_000_000,
  outboxMaxAgeMs: 90 * DAY_MS,
  commitIntervalMs: SECOND_MS,

  clockSource: "auto",
  clockWaitAtMostMs: 10 * MINUTE_MS,
} as const;

export const LIMITS = {
  fileBytes: 1_000_000,
  pemFileBytes: 1_000_000,
  /** Levels of the YAML tree; the deepest key of gateway.yaml stands on level 8. */
  depth: 20,
  indentColumns: 100,
  /** Keys and values, aliases expanded. */
  nodes: 500_000,
  problems: 200,

  uplinks: 16,
  servers: 8,
  alpnProtocols: 8,
  lines: 32,
  devicesPerLine: 247,
  tags: 20_000,
  tagsPerDevice: 5_000,
  inputs: 64,
  unreadableRanges: 256,
  enumValues: 256,
  sources: 8,
  authorizedKeys: 32,
  keyTags: 1_000,

  nameChars: 64,
  textChars: 1_024,
  unitsChars: 32,
  clientIdChars: 256,
  topicChars: 512,

  unitId: { min: 1, max: 247 },
  address: { min: 0, max: 65_535 },
  registerValue: { min: 0, max: 65_535 },
  /** Registers of one request (Modbus Application Protocol V1.1b3, 6.3). */
  maxQuantity: { min: 1, max: 125 },
  maxGap: { min: 0, max: 124 },
  stringBytes: { min: 2, max: 250 },
  retries: { min: 0, max: 10 },
  lostAfter: { min: 1, max: 100 },
  baudRate: { min: 300, max: 4_000_000 },
  gpioLine: { min: 0, max: 1_023 },

  responseTimeoutMs: { min: 10, max: MINUTE_MS },
  turnaroundDelayMs: { min: 0, max: 10 * SECOND_MS },
  maxLateMs: { min: 100, max: MINUTE_MS },
  scanRateMs: { min: 10, max: DAY_MS },
  staleMs: { min: 10, max: 30 * DAY_MS },
  maxIntervalMs: { min: SECOND_MS, max: 30 * DAY_MS },
  debounceMs: { min: 0, max: MINUTE_MS },

  /** MQTT carries it in whole seconds, 16 bits (MQTT 5, 3.1.2.10). 0, its "never", is not offered. */
  keepAliveMs: { min: SECOND_MS, max: 65_535 * SECOND_MS },
  reconnectSpreadMs: { min: 0, max: HOUR_MS },
  reconnectMaxMs: { min: SECOND_MS, max: DAY_MS },
  rateBytesPerS: { min: 1_000, max: 1_000_000_000 },

  storedSizeBytes: { min: 1_000_000, max: 1_000_000_000_000 },
  reserveBytes: { min: 1_000_000, max: 1_000_000_000_000 },
  storedAgeMs: { min: MINUTE_MS, max: 3_650 * DAY_MS },
  /** Or 0. It is looked for every quarter of it, and a timer is not worth less than 50 ms. */
  commitIntervalMs: { min: 200, max: HOUR_MS },
  clockWaitAtMostMs: { min: 0, max: DAY_MS },
} as const;

/** A closed interval of LIMITS. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}
