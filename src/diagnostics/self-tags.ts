/** The gateway as a device of its own, `gateway`: what it tells about itself goes the way of all data. */
import type { Config } from "../config/config.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { type Tag, tagId } from "../core/tag.ts";
import type { Device, LineReport, OutboxReport, Reading, Source, TagSink, UplinkReport } from "../pipeline.ts";
import { DailyVolume } from "./daily-volume.ts";
import { EVENTS } from "./event.ts";
import type { HostFigures } from "./host-figures.ts";
import { DEVICE_ROWS, LINE_ROWS, OUT_OF_SERVICE, type Row, UPLINK_ROWS, WHOLE_ROWS } from "./self-rows.ts";

const DEVICE = "gateway";

/** The shortest scanRate of any row: what is due is looked for this often. */
const TICK_MS = 1_000;
const STALE_SCANS = 3;
const STALE_MIN_MS = 10_000;
const MAX_INTERVAL_MS = 600_000;
/** Ten years: what happened does not grow old. */
const NEVER_STALE_MS = 315_360_000_000;

/** All that the gateway will tell about itself under this configuration. */
export function selfDevice(config: Config): Device {
  const devices = config.lines.flatMap((line) => line.devices).filter((device) => device.enabled);
  return {
    name: DEVICE,
    tags: [
      ...config.uplinks.flatMap(({ name }) => tagsOf(`uplinks/${name}/`, UPLINK_ROWS)),
      ...config.lines.flatMap(({ name }) => tagsOf(`lines/${name}/`, LINE_ROWS)),
      ...devices.flatMap(({ name }) => tagsOf(`devices/${name}/`, DEVICE_ROWS)),
      ...tagsOf("", WHOLE_ROWS),
      ...(config.commands === undefined ? [] : [COMMAND_RESULT]),
      EVENTS,
    ],
  };
}

/** What came of each remote command, as JSON text. It is told when something came of one, never read. */
export const COMMAND_RESULT: Tag = {
  id: tagId(DEVICE, "commands/result"),
  device: DEVICE,
  name: "commands/result",
  type: "string",
  priority: "high",
  deadband: 0,
  scanRateMs: TICK_MS,
  staleMs: NEVER_STALE_MS,
  maxIntervalMs: MAX_INTERVAL_MS,
  writable: false,
  enabled: true,
};

function tagsOf<Part>(prefix: string, rows: readonly Row<Part>[]): Tag[] {
  return rows.map((row) => ({
    id: tagId(DEVICE, prefix + row.name),
    device: DEVICE,
    name: prefix + row.name,
    type: row.type,
    // In an outage the site's own data are worth more than ours.
    priority: "low",
    ...(row.units === undefined || row.units === "" ? {} : { units: row.units }),
    deadband: row.deadband ?? 0,
    scanRateMs: row.scanRateMs,
    staleMs: Math.max(STALE_SCANS * row.scanRateMs, STALE_MIN_MS),
    maxIntervalMs: MAX_INTERVAL_MS,
    writable: false,
    enabled: true,
  }));
}

/** Where the stages tell about themselves; asked each time anew. */
export interface Reports {
  outbox(): OutboxReport;
  uplinks(): readonly UplinkReport[];
  lines(): readonly LineReport[];
}

export interface SelfReportOptions {
  /** As made by selfDevice. */
  readonly device: Device;
  readonly sink: TagSink;
  readonly clock: Clock;
  readonly reports: Reports;
  /** unsynced, holdover, rtc, ntp or host. Absent: nobody judges the clock, and clock/state is out of service. */
  readonly clockState?: () => string;
  /** Absent in a simulation, which has no process: those tags are out of service. */
  readonly host?: HostFigures;
}

export interface SelfReport extends Source {
  /** Goes on with the tags of another configuration. @param device as made by selfDevice */
  reconfigure(device: Device): void;
}

/** Reads the gateway itself, each tag at its scanRate. */
export function createSelfReport(options: SelfReportOptions): SelfReport {
  return new Reporter(options);
}

class Reporter implements SelfReport {
  readonly #o: SelfReportOptions;
  #tags: ReadonlyMap<string, Tag>;
  readonly #written = new DailyVolume();
  #startedMs = 0;
  #ticks = 0;
  #timer: Timer | undefined;

  constructor(options: SelfReportOptions) {
    this.#o = options;
    this.#tags = byName(options.device);
  }

  reconfigure(device: Device): void {
    this.#tags = byName(device);
  }

  start(): void {
    this.#startedMs = this.#o.clock.monotonicMs();
    this.#tick();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
  }

  #tick(): void {
    const nowMs = this.#o.clock.monotonicMs();
    const readings = this.#due(nowMs);
    if (readings.length > 0) this.#o.sink.read(readings, nowMs);
    this.#ticks += 1;
    this.#timer = this.#o.clock.after(TICK_MS, () => this.#tick());
  }

  #due(nowMs: number): readonly Reading[] {
    const { reports, clockState, host } = this.#o;
    const readings: Reading[] = [];
    for (const uplink of reports.uplinks()) this.#read(`uplinks/${uplink.name}/`, UPLINK_ROWS, uplink, readings);
    for (const line of reports.lines()) {
      this.#read(`lines/${line.name}/`, LINE_ROWS, line, readings);
      for (const device of line.devices) this.#read(`devices/${device.name}/`, DEVICE_ROWS, device, readings);
    }
    const outbox = reports.outbox();
    const whole = {
      outbox,
      writtenBytesPerDay: this.#written.note(outbox.writtenBytes, nowMs),
      clockState: clockState?.(),
      uptimeS: Math.floor((nowMs - this.#startedMs) / 1_000),
      host,
    };
    this.#read("", WHOLE_ROWS, whole, readings);
    return readings;
  }

  #read<Part>(prefix: string, rows: readonly Row<Part>[], part: Part, readings: Reading[]): void {
    const wallMs = this.#o.clock.wallMs();
    for (const row of rows) {
      if ((this.#ticks * TICK_MS) % row.scanRateMs !== 0) continue;
      const tag = this.#tags.get(prefix + row.name);
      // A part that reports but is switched off in the configuration has no tags.
      if (tag === undefined) continue;
      const value = row.read(part, wallMs);
      if (value === undefined) readings.push({ tag, ...(row.absent ?? OUT_OF_SERVICE) });
      else readings.push({ tag, value, status: "Good" });
    }
  }
}

function byName({ tags }: Device): ReadonlyMap<string, Tag> {
  return new Map(tags.map((tag) => [tag.name, tag]));
}
