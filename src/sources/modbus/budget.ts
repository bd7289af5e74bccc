/**
 * What a line can carry, before it is wired: wire time of each request, how busy the line will be, and the period that
 * each group of tags will really get, with every device there and with some lost. Pure.
 *
 * Counted are all characters of request and reply, the silence after each frame (or turnaroundDelay), and the time that
 * a device takes. Reads are longer by what tells their replies apart; that the devices allow it is assumed.
 */
import type { DeviceConfig, LineConfig } from "../../config/config.ts";
import { defaultMaxGap, type PollRead, planReads, READ_OVERHEAD_BYTES } from "./poll-plan.ts";
import { functionCodeOf, paddingStep, replyByteCount } from "./register-map.ts";
import { PROBE_INTERVAL_MIN_MS, PROBE_SHARE } from "./schedule.ts";
import { DEVICE_LATENCY_MS, pauseMs, silentIntervalMs, transferMs } from "./wire-time.ts";

const REQUEST_BYTES = 8;
const HOUR_MS = 3_600_000;
/** Seconds are hard to read beyond that. */
const IN_HOURS_FROM_MS = 2 * HOUR_MS;

/** Rates that are tried to see where it would fit. */
const BAUD_RATES = [9_600, 19_200, 38_400, 57_600, 115_200];

/** One request of the plan. */
export interface ReadBudget {
  readonly device: string;
  readonly table: string;
  readonly address: number;
  readonly quantity: number;
  readonly periodMs: number;
  /** From the silence before the request to the end of the reply. */
  readonly wireMs: number;
}

/** A device's tags of one scanRate. */
export interface GroupBudget {
  readonly device: string;
  readonly scanRateMs: number;
  readonly tags: number;
  /** Its own requests a period; 0 where its tags share those of a faster group. */
  readonly requests: number;
  readonly wireMs: number;
  /** Percent of the line. */
  readonly utilisation: number;
  /** The period it will get: below scanRate where it shares the requests of a faster group, above on an overloaded line. */
  readonly realMs: number;
}

/** The line with some devices lost; of all choices the one that leaves most to do. */
export interface LossBudget {
  readonly devices: readonly string[];
  /** Each lost device is probed this often. */
  readonly probePeriodMs: number;
  /** Percent, probes included. */
  readonly utilisation: number;
  /** How much longer than asked the periods of the others are; 1: they are kept. */
  readonly stretch: number;
  /** From their last reply until all of them count as lost: every retry and timeout counted. */
  readonly dying: { readonly utilisation: number; readonly stretch: number; readonly lastsMs: number };
}

export interface LineBudget {
  readonly line: string;
  readonly baudRate: number;
  /** Percent of the line that is asked for; above 100 it cannot be carried. */
  readonly utilisation: number;
  /** How much longer than asked the periods are; 1: they are kept. */
  readonly stretch: number;
  readonly reads: readonly ReadBudget[];
  readonly groups: readonly GroupBudget[];
  /** One lost device, two, … all of them. */
  readonly lost: readonly LossBudget[];
}

/** @param latencyMs what a device takes to answer, where it was measured */
export type LatencyOf = (device: string) => number;

/** @param responseTimeMs mean time from the end of a device's requests to the end of its replies; 0: none came */
export function measuredLatency(line: LineConfig, responseTimeMs: (device: string) => number): LatencyOf {
  const planned = planLine(line, () => 0);
  const beforeReplyMs = pauseMs(line) + transferMs(line.serial, REQUEST_BYTES);
  return (device) => {
    const own = planned.filter(({ read }) => read.device.name === device);
    const measuredMs = responseTimeMs(device);
    if (measuredMs === 0 || own.length === 0) return DEVICE_LATENCY_MS;
    const wireMs = own.reduce((sum, each) => sum + each.wireMs, 0) / own.length;
    return Math.max(0, measuredMs - (wireMs - beforeReplyMs));
  };
}

const ASSUMED: LatencyOf = () => DEVICE_LATENCY_MS;

interface Planned {
  readonly read: PollRead;
  readonly wireMs: number;
}

export function predictLine(line: LineConfig, latencyOf: LatencyOf = ASSUMED): LineBudget {
  const planned = planLine(line, latencyOf);
  const load = loadOf(planned);
  const stretch = Math.max(1, load);
  return {
    line: line.name,
    baudRate: line.serial.baudRate,
    utilisation: percent(load),
    stretch,
    reads: planned.map(({ read, wireMs }) => ({
      device: read.device.name,
      table: read.table,
      address: read.address,
      quantity: read.quantity,
      periodMs: read.periodMs,
      wireMs,
    })),
    groups: activeDevices(line).flatMap((device) => groupsOf(device, planned, stretch)),
    lost: losses(line, planned),
  };
}

/** Words to follow the name of a line. */
export interface Shortfall {
  readonly needs: string;
  readonly remedy: string;
}

/** What is wrong with a line that cannot carry what is asked, and what would fit; undefined: it can. */
export function shortfallOf(line: LineConfig, latencyOf: LatencyOf = ASSUMED): Shortfall | undefined {
  const planned = planLine(line, latencyOf);
  const load = loadOf(planned);
  if (load <= 1) return undefined;
  const periods = new Set(planned.map(({ read }) => read.periodMs));
  const [only] = periods;
  const everyMs = periods.size === 1 && only !== undefined ? only : 1_000;
  const asked = periods.size === 1 ? `is asked every ${secondsText(everyMs)}` : `is asked in ${secondsText(everyMs)}`;
  const fitting = BAUD_RATES.find((baudRate) => {
    const faster = { ...line, serial: { ...line.serial, baudRate } };
    return baudRate > line.serial.baudRate && loadOf(planLine(faster, latencyOf)) <= 1;
  });
  const less = `ask for less, or ${roundUp(load)} times as seldom (scanRate)`;
  return {
    needs: `at ${line.serial.baudRate} baud needs ${secondsText(load * everyMs)} for what ${asked}`,
    remedy: fitting === undefined ? `no usual baud rate carries it: ${less}` : `at ${fitting} it fits; or ${less}`,
  };
}

function planLine(line: LineConfig, latencyOf: LatencyOf): readonly Planned[] {
  const maxGap = defaultMaxGap(line);
  const reads = activeDevices(line).flatMap((device) => planReads(device, maxGap));
  const bare = reads.map((read) => ({ read, wireMs: wireMsOf(line, read, latencyOf, 0) }));
  const stretch = Math.max(1, loadOf(bare));
  return bare.map(({ read }) => ({ read, wireMs: wireMsOf(line, read, latencyOf, paddingOf(read, bare, stretch)) }));
}

function wireMsOf(line: LineConfig, read: PollRead, latencyOf: LatencyOf, paddingBytes: number): number {
  const { serial } = line;
  const bytes = READ_OVERHEAD_BYTES + replyByteCount(read.table, read.quantity) + paddingBytes;
  const pausesMs = pauseMs(line) + silentIntervalMs(serial);
  const requestMs = pausesMs + latencyOf(read.device.name);
  const writeMs = read.writeFirst === undefined ? 0 : transferMs(serial, 2 * REQUEST_BYTES) + requestMs;
  return writeMs + transferMs(serial, bytes) + requestMs;
}

/** As many lengths take turns as replies of one unit and function can still come twice; half of that is the mean. */
function paddingOf(read: PollRead, all: readonly Planned[], stretch: number): number {
  const rivals = all.filter(({ read: other }) => {
    const sameReply = functionCodeOf(other.table) === functionCodeOf(read.table) && other.device === read.device;
    return sameReply && Math.abs(other.quantity - read.quantity) <= read.paddingSteps * paddingStep(read.table);
  });
  const { maxLateMs } = read.device;
  const awaited = rivals.reduce(
    (sum, r) => sum + Math.ceil((maxLateMs + r.wireMs) / (r.read.periodMs * stretch)) - 1,
    0,
  );
  const bytesPerStep = replyByteCount(read.table, paddingStep(read.table));
  return (Math.min(read.paddingSteps, awaited) / 2) * bytesPerStep;
}

function groupsOf(device: DeviceConfig, planned: readonly Planned[], stretch: number): readonly GroupBudget[] {
  const own = planned.filter(({ read }) => read.device === device);
  const rates = new Set(device.tags.filter((tag) => tag.enabled).map((tag) => tag.scanRateMs));
  return [...rates]
    .sort((a, b) => a - b)
    .map((scanRateMs) => {
      const requests = own.filter(({ read }) => read.periodMs === scanRateMs);
      const holding = own.filter(({ read }) => read.tags.some((tag) => tag.scanRateMs === scanRateMs));
      const periodsMs = holding.map(({ read }) => Math.floor(scanRateMs / read.periodMs) * read.periodMs);
      return {
        device: device.name,
        scanRateMs,
        tags: device.tags.filter((tag) => tag.enabled && tag.scanRateMs === scanRateMs).length,
        requests: requests.length,
        wireMs: requests.reduce((sum, { wireMs }) => sum + wireMs, 0),
        utilisation: percent(loadOf(requests)),
        realMs: Math.max(...periodsMs) * stretch,
      };
    });
}

/** Whose loss frees least is taken first. */
function losses(line: LineConfig, planned: readonly Planned[]): readonly LossBudget[] {
  const loadOfDevice = (device: DeviceConfig) => loadOf(planned.filter(({ read }) => read.device === device));
  const lightest = activeDevices(line)
    .filter((device) => planned.some(({ read }) => read.device === device))
    .toSorted((a, b) => loadOfDevice(a) - loadOfDevice(b));
  return lightest.map((_, index) => lossBudget(line, planned, lightest.slice(0, index + 1)));
}

function lossBudget(line: LineConfig, planned: readonly Planned[], lost: readonly DeviceConfig[]): LossBudget {
  const timeoutMs = pauseMs(line) + transferMs(line.serial, REQUEST_BYTES) + line.responseTimeoutMs;
  const others = loadOf(planned.filter(({ read }) => !lost.includes(read.device)));
  const pauseAfterProbeMs = Math.max(timeoutMs / PROBE_SHARE, PROBE_INTERVAL_MIN_MS / lost.length);
  const probePeriodMs = lost.length * (timeoutMs + pauseAfterProbeMs);
  const probing = (lost.length * timeoutMs) / probePeriodMs;
  const failing = lost.map((device) => {
    const requestsPerMs = planned.reduce((sum, { read }) => sum + (read.device === device ? 1 / read.periodMs : 0), 0);
    return { load: requestsPerMs * (1 + device.retries) * timeoutMs, untilLostMs: device.lostAfter / requestsPerMs };
  });
  const dying = others + failing.reduce((sum, { load }) => sum + load, 0);
  return {
    devices: lost.map((device) => device.name),
    probePeriodMs,
    utilisation: percent(others + probing),
    stretch: Math.max(1, others / (1 - probing)),
    dying: {
      utilisation: percent(dying),
      stretch: Math.max(1, dying),
      lastsMs: Math.max(...failing.map(({ untilLostMs }) => untilLostMs)) * Math.max(1, dying),
    },
  };
}

function activeDevices(line: LineConfig): readonly DeviceConfig[] {
  return line.devices.filter((device) => device.enabled);
}

function loadOf(planned: readonly Planned[]): number {
  return planned.reduce((sum, { read, wireMs }) => sum + wireMs / read.periodMs, 0);
}

function percent(share: number): number {
  return Math.round(share * 1_000) / 10;
}

/** Three digits: more is not known. */
export function secondsText(ms: number): string {
  if (ms >= IN_HOURS_FROM_MS) return `${Number((ms / HOUR_MS).toPrecision(3))} h`;
  return `${Number((ms / 1_000).toPrecision(3))} s`;
}

function roundUp(factor: number): number {
  return Math.ceil(factor * 10) / 10;
}
