/**
 * What the gateway tells about itself. Each table is one kind of part, and a row a tag of every such part.
 * Counts are float64: a 32-bit number would be full after days of replay.
 */
import type { Status } from "../core/quality.ts";
import type { Value, ValueType } from "../core/tag.ts";
import type { DeviceReport, LineReport, OutboxReport, UplinkReport } from "../pipeline.ts";
import type { HostFigures } from "./host-figures.ts";

/** What bears on the trust in all other values is told at once; what only ever rises, once a minute. */
const AT_ONCE_MS = 1_000;
const GAUGE_MS = 10_000;
const TOTAL_MS = 60_000;

const NONE = "none";

/** What is told where a part has no value. */
interface Absent {
  /** null: there is none; undefined: the last one stays for information. */
  readonly value: null | undefined;
  readonly status: Status;
}

export interface Row<Part> {
  readonly name: string;
  readonly type: ValueType;
  readonly scanRateMs: number;
  readonly units?: string;
  /** Default 0. */
  readonly deadband?: number;
  readonly read: (part: Part, wallMs: number) => Value | undefined;
  /** Default: out of service. */
  readonly absent?: Absent;
}

export const OUT_OF_SERVICE: Absent = { value: undefined, status: "BadOutOfService" };
const NOT_KNOWN: Absent = { value: undefined, status: "UncertainLastUsableValue" };
const NO_SENSOR: Absent = { value: null, status: "BadSensorFailure" };

/** The gateway as a whole: what is there once. */
export interface Whole {
  readonly outbox: OutboxReport;
  readonly writtenBytesPerDay: number;
  readonly clockState: string | undefined;
  readonly uptimeS: number;
  /** undefined in a simulation. */
  readonly host: HostFigures | undefined;
}

export const UPLINK_ROWS: readonly Row<UplinkReport>[] = [
  text("state", (uplink) => uplink.state),
  gauge("depth", "samples", 0, (uplink) => uplink.depth),
  { ...gauge("oldest", "s", 0, oldestS), absent: NOT_KNOWN },
  gauge("replayed", "samples", 0, (uplink) => uplink.replayed),
  gauge("dropped", "samples", 0, (uplink) => uplink.dropped),
  total("certificateDays", "d", (uplink) => uplink.certificateDays),
];

export const LINE_ROWS: readonly Row<LineReport>[] = [
  text("fault", (line) => line.fault),
  gauge("utilisation", "%", 2, (line) => line.utilisation),
  gauge("missedPeriods", "", 0, (line) => line.missedPeriods),
  gauge("foreignFrames", "", 0, (line) => line.foreignFrames),
  gauge("noiseBytes", "B", 0, (line) => line.noiseBytes),
];

export const DEVICE_ROWS: readonly Row<DeviceReport>[] = [
  total("requests", "", (device) => device.requests),
  total("replies", "", (device) => device.replies),
  gauge("timeouts", "", 0, (device) => device.timeouts),
  gauge("crcErrors", "", 0, (device) => device.crcErrors),
  gauge("framingErrors", "", 0, (device) => device.framingErrors),
  gauge("foreignFrames", "", 0, (device) => device.foreignFrames),
  gauge("lateFrames", "", 0, (device) => device.lateFrames),
  gauge("exceptions", "", 0, (device) => device.exceptions),
  gauge("responseTimeMs", "ms", 5, (device) => device.responseTimeMs),
  gauge("responseTimeP50Ms", "ms", 5, (device) => device.responseTimeP50Ms),
  gauge("responseTimeP99Ms", "ms", 20, (device) => device.responseTimeP99Ms),
];

export const WHOLE_ROWS: readonly Row<Whole>[] = [
  text("outbox/health", ({ outbox }) => healthOf(outbox)),
  text("outbox/incident", ({ outbox }) => outbox.incident || NONE),
  gauge("outbox/bytes", "B", 0, ({ outbox }) => outbox.fileBytes),
  total("outbox/writtenBytesPerDay", "B", (whole) => whole.writtenBytesPerDay),
  text("clock/state", (whole) => whole.clockState),
  gauge("process/rssBytes", "B", 2_000_000, ({ host }) => host?.rssBytes()),
  gauge("process/loopDelayMs", "ms", 10, ({ host }) => host?.loopDelayMs()),
  total("process/uptimeS", "s", (whole) => whole.uptimeS),
  { ...gauge("board/temperatureC", "°C", 1, ({ host }) => host?.temperatureC()), absent: NO_SENSOR },
];

type Read<Part> = Row<Part>["read"];

function text<Part>(name: string, read: Read<Part>): Row<Part> {
  return { name, type: "string", scanRateMs: AT_ONCE_MS, read };
}

function gauge<Part>(name: string, units: string, deadband: number, read: Read<Part>): Row<Part> {
  return { name, type: "float64", scanRateMs: GAUGE_MS, units, deadband, read };
}

function total<Part>(name: string, units: string, read: Read<Part>): Row<Part> {
  return { name, type: "float64", scanRateMs: TOTAL_MS, units, read };
}

/** Whole seconds. A wall clock that was stepped back makes nothing younger than now. */
function oldestS(uplink: UplinkReport, wallMs: number): number | undefined {
  if (uplink.depth === 0) return 0;
  return uplink.oldestMs === undefined ? undefined : Math.max(0, Math.round((wallMs - uplink.oldestMs) / 1_000));
}

function healthOf(outbox: OutboxReport): string {
  return outbox.healthReason === "" ? outbox.health : `${outbox.health}: ${outbox.healthReason}`;
}
