import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Timer } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { STATUSES, type Status } from "../core/quality.ts";
import { nameOfValue, type Tag, type Value } from "../core/tag.ts";
import type { CurrentValues, Device, LineReport, OutboxReport, Sample, UplinkReport } from "../pipeline.ts";
import type { Reports } from "./self-tags.ts";

/** The picture of the gateway for tools on the same machine, replaced once a second while it runs. */
export const STATUS_FILE = "status.json";

const WRITE_INTERVAL_MS = 1_000;

export interface StatusContent {
  readonly version: 1;
  /** When this was written: milliseconds since the Unix epoch. An old one means that the gateway does not run. */
  readonly timestamp: number;
  readonly epoch: number;
  readonly devices: readonly DeviceStatus[];
  readonly lines: readonly LineReport[];
  readonly uplinks: readonly UplinkReport[];
  readonly outbox: OutboxReport;
}

export interface DeviceStatus {
  readonly name: string;
  readonly tags: readonly TagStatus[];
}

export interface TagStatus {
  readonly name: string;
  /** 64-bit integers as decimal text, as JSON numbers cannot hold them. */
  readonly value: Exclude<Value, bigint>;
  /** The name that the tag's enum has for the value. */
  readonly text?: string;
  readonly units?: string;
  readonly status: Status;
  /** The status for people. */
  readonly words: string;
  readonly timestamp: number;
}

export interface StatusFile {
  start(): void;
  /** Removes the file: nobody shall take the last picture for the present. */
  stop(): Promise<void>;
}

export interface StatusFileOptions {
  /** The runtime directory; must exist. */
  readonly dir: string;
  readonly values: CurrentValues;
  readonly reports: Reports;
  readonly clock: Clock;
  readonly log: Log;
}

/** StatusContent as JSON, a device a piece: the loop turns between them, however many tags there are. */
function* statusText(values: CurrentValues, reports: Reports, clock: Clock): Generator<string> {
  const head: Omit<StatusContent, "devices"> = {
    version: 1,
    timestamp: clock.wallMs(),
    epoch: values.epoch(),
    lines: reports.lines(),
    uplinks: reports.uplinks(),
    outbox: reports.outbox(),
  };
  yield `${JSON.stringify(head).slice(0, -1)},"devices":[`;
  let separator = "";
  for (const device of values.devices()) {
    yield separator + JSON.stringify(deviceStatus(device, values));
    separator = ",";
  }
  yield "]}";
}

function deviceStatus({ name, tags }: Device, values: CurrentValues): DeviceStatus {
  return { name, tags: values.snapshot(name).map((sample, i) => tagStatus(sample, tags[i] ?? {})) };
}

function tagStatus(sample: Sample, { units, enum: names }: Pick<Tag, "units" | "enum">): TagStatus {
  const { tag, value, status } = sample;
  const text = names === undefined ? undefined : nameOfValue({ enum: names }, value);
  return {
    name: tag.name,
    value: typeof value === "bigint" ? value.toString() : value,
    ...(text === undefined ? {} : { text }),
    ...(units === undefined ? {} : { units }),
    status,
    words: STATUSES[status].words,
    timestamp: sample.sourceTimestampMs,
  };
}

/** A card that is full or slow costs the picture, never the gateway: one write at a time, its failure told once. */
export function createStatusFile(options: StatusFileOptions): StatusFile {
  return new Writer(options);
}

class Writer implements StatusFile {
  readonly #o: StatusFileOptions;
  readonly #path: string;
  readonly #draft: string;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #stopped = false;
  #failed = false;

  constructor(options: StatusFileOptions) {
    this.#o = options;
    this.#path = join(options.dir, STATUS_FILE);
    this.#draft = `${this.#path}.tmp`;
  }

  start(): void {
    this.#writing = this.#write();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#writing;
    await this.#attempt(async () => {
      await rm(this.#draft, { force: true });
      await rm(this.#path, { force: true });
    });
  }

  async #write(): Promise<void> {
    const { values, reports, clock } = this.#o;
    await this.#attempt(async () => {
      await writeFile(this.#draft, statusText(values, reports, clock));
      await rename(this.#draft, this.#path);
    });
    if (this.#stopped) return;
    this.#timer = clock.after(WRITE_INTERVAL_MS, () => {
      this.#writing = this.#write();
    });
  }

  async #attempt(task: () => Promise<void>): Promise<void> {
    try {
      await task();
      if (this.#failed) this.#o.log.notice(`${this.#path} can be written again`);
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#o.log.warning(`cannot write ${this.#path}: ${messageOf(error)}`);
      this.#failed = true;
    }
  }
}
