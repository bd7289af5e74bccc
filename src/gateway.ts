/**
 * The composition root: builds the stages and joins them. It reads like the way of the data and decides nothing.
 */

import type { TimeSigns } from "./clock/time-signs.ts";
import { createTimekeeper, type Timekeeper } from "./clock/timekeeper.ts";
import { changeOf } from "./config/change.ts";
import type { Config, LineConfig, UplinkConfig } from "./config/config.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import { createEventRecord, type EventRecord } from "./diagnostics/event-record.ts";
import type { HostFigures } from "./diagnostics/host-figures.ts";
import { LineLending } from "./diagnostics/line-lending.ts";
import { RequestDesk } from "./diagnostics/request-desk.ts";
import {
  COMMAND_RESULT,
  createSelfReport,
  type Reports,
  type SelfReport,
  selfDevice,
} from "./diagnostics/self-tags.ts";
import { createStatusFile } from "./diagnostics/status-file.ts";
import { answerer } from "./diagnostics/tool-requests.ts";
import type {
  CurrentValues,
  Device,
  Intake,
  LineReport,
  Outbox,
  OutboxReport,
  Source,
  Transport,
  UplinkReport,
} from "./pipeline.ts";
import { createGpioSource } from "./sources/gpio/gpio-source.ts";
import type { PinDriver } from "./sources/gpio/pin-driver.ts";
import { createModbusSource, type ModbusSource } from "./sources/modbus/modbus-source.ts";
import type { SerialLine } from "./sources/modbus/serial-line.ts";
import { createTagWriter, type WritableLine } from "./sources/modbus/tag-writer.ts";
import { openStore, type Store } from "./store/open-store.ts";
import type { OutboxLimits } from "./store/outbox-limits.ts";
import type { Storage } from "./store/storage-client.ts";
import { createTagTable, type TagTable } from "./tags/tag-table.ts";
import type { CommandDesk, CommandDeskOptions } from "./uplinks/commands/command-desk.ts";
import { createUplink, type Uplink } from "./uplinks/uplink.ts";

/** Everything outside the gateway: the world it reads and sends to, time and chance. */
export interface Surroundings {
  /** The host's. */
  readonly clock: Clock;
  /** What shows whether the host's time is good. Absent: nothing does. */
  readonly timeSigns?: TimeSigns;
  readonly random: Random;
  readonly log: Log;
  readonly openLine: (line: LineConfig) => SerialLine;
  readonly pins: PinDriver;
  readonly transport: (uplink: UplinkConfig) => Transport;
  /** Whose state directory: outbox.db and state.db. */
  readonly stateDir: string;
  /** Where status.json is replaced once a second. Absent in a simulation, whose time no file keeps. */
  readonly runtimeDir?: string;
  readonly storage: "thread" | "in-process" | Storage;
  /** What bounds the outbox in memory; small ones for proofs. */
  readonly outboxLimits?: Partial<OutboxLimits>;
  /** Absent in a simulation, which has no process and no board. */
  readonly host?: HostFigures;
  /** Sees every sample as it is taken in, before the outbox does; for proofs. */
  readonly witness?: Intake;
}

export interface Gateway {
  readonly values: CurrentValues;
  start(): void;
  /**
   * Goes on under another configuration. The outbox stays as it is; lines and inputs that are the same are read on
   * without a pause; each broker gets a new session where anything that it is told of has changed.
   *
   * @returns the sections whose change needs a restart and was left out
   */
  reload(config: Config): Promise<readonly string[]>;
  /** Stops reading, says goodbye to the brokers, commits what is not acknowledged. */
  stop(): Promise<void>;
  outbox(): OutboxReport;
  uplinks(): readonly UplinkReport[];
  lines(): readonly LineReport[];
}

/** Each stage of a stop has its own limit; what takes longer than this is worth a name in the log. */
const SLOW_STOP_MS = 2_000;

/** Opens the stores and builds every stage; nothing moves before start(). Rejects where the state directory is unusable. */
export async function createGateway(config: Config, around: Surroundings): Promise<Gateway> {
  const { log } = around;
  const clock = timekeeperOf(config, around);
  const store = await openStore({
    config: config.outbox,
    stateDir: around.stateDir,
    uplinks: config.uplinks,
    tags: devicesOf(config).flatMap((device) => device.tags),
    clock,
    time: clock,
    log: log.scope("outbox"),
    worker: around.storage,
    ...(around.outboxLimits && { limits: around.outboxLimits }),
  });
  const settling = await settle(clock, store);
  const stages = new JoinedStages(config, around, clock, store);
  await stages.join();
  clock.onSettled((shiftMs) => stages.values.clockSettled(shiftMs, settling.epochMustRise));
  return stages;
}

function timekeeperOf(config: Config, { clock, timeSigns, random, log }: Surroundings): Timekeeper {
  return createTimekeeper({
    config: config.clock,
    clock,
    ...(timeSigns && { signs: timeSigns }),
    bootName: () => `process ${random.next()}`,
    log: log.scope("clock"),
  });
}

/** What must be on the card before anything is stamped with a time that is known only now. */
async function settle(clock: Timekeeper, { outbox, state }: Store): Promise<{ readonly epochMustRise: boolean }> {
  const settling = { epochMustRise: false };
  await clock.begin(async (offset, nowMs) => {
    await outbox.date(offset);
    settling.epochMustRise = await state.clockSettled(nowMs, offset.isCertain);
  });
  return settling;
}

class JoinedStages implements Gateway {
  readonly values: TagTable;
  readonly #around: Surroundings;
  readonly #clock: Timekeeper;
  readonly #store: Store;
  readonly #self: SelfReport;
  readonly #events: EventRecord;
  readonly #forTools: readonly Source[];
  #config: Config;
  #lines: readonly ModbusSource[];
  #inputs: Source;
  #uplinks: readonly Uplink[] = [];
  #commands: CommandDesk | undefined;
  /** A reload under way. */
  #reloading: Promise<unknown> = Promise.resolve();

  constructor(config: Config, around: Surroundings, clock: Timekeeper, store: Store) {
    const { log, host, witness } = around;
    const { outbox, state } = store;
    this.#config = config;
    this.#around = around;
    this.#clock = clock;
    this.#store = store;
    this.values = createTagTable({
      devices: devicesOf(config),
      intake: witness === undefined ? outbox : both(witness, outbox),
      clock,
      time: clock,
      epochs: state,
      log: log.scope("tags"),
    });
    this.#lines = config.lines.map((line) => this.#line(line));
    this.#inputs = this.#inputSource(config);
    this.#self = createSelfReport({
      device: selfDevice(config),
      sink: this.values,
      clock,
      reports: this,
      clockState: () => clock.state(),
      ...(host && { host }),
    });
    this.#events = createEventRecord({
      ...(around.runtimeDir !== undefined && { dir: around.stateDir }),
      sink: this.values,
      reports: this,
      clock,
      time: clock,
      configurationFile: () => this.#config.file,
      log: log.scope("events"),
    });
    this.#forTools = runtimeParts(this.values, outbox, this, () => this.#lines, this.#events, around);
  }

  /** The last to be joined: its code is loaded only where the configuration allows commands. */
  async join(): Promise<void> {
    this.#commands = await this.#commandDesk();
    this.#uplinks = this.#config.uplinks.map((uplink) => this.#uplink(uplink));
  }

  start(): void {
    const { values } = this;
    for (const part of [
      this.#clock,
      values,
      ...this.#uplinks,
      ...this.#sources(),
      this.#self,
      this.#events,
      ...this.#forTools,
    ])
      part.start();
    this.#startCommands();
  }

  reload(config: Config): Promise<readonly string[]> {
    const reloading = this.#reloading.then(() => this.#reload(config));
    this.#reloading = reloading;
    return reloading;
  }

  async stop(): Promise<void> {
    await this.#reloading;
    // What it tells now goes out with the rest; its file may take as long as the card does.
    const recorded = this.#events.stop();
    this.#clock.stop();
    await this.#self.stop();
    await Promise.all([
      this.#stopped("lines and inputs", this.#sources()),
      this.#stopped("commands", this.#commands === undefined ? [] : [this.#commands]),
    ]);
    this.values.stop();
    await this.#stopped("brokers", this.#uplinks);
    // After them nobody asks the outbox anything.
    await this.#stopped("the runtime directory", this.#forTools);
    await this.#stopped("the card", [{ stop: () => this.#store.outbox.close() }, { stop: () => recorded }]);
  }

  outbox(): OutboxReport {
    return this.#store.outbox.report();
  }

  uplinks(): readonly UplinkReport[] {
    return this.#uplinks.map((uplink) => uplink.report());
  }

  lines(): readonly LineReport[] {
    return this.#lines.map((line) => line.report());
  }

  async #reload(next: Config): Promise<readonly string[]> {
    const change = changeOf(this.#config, next);
    const oldLines = this.#lines;
    const keptLine = (line: LineConfig) => oldLines[change.keptLines.get(line.name) ?? -1];
    const kept = new Set(next.lines.map(keptLine));
    const ended = [...oldLines.filter((line) => !kept.has(line)), ...(change.keepsInputs ? [] : [this.#inputs])];
    await Promise.all([
      this.#stopped("lines and inputs", ended),
      this.#stopped("brokers", change.keepsUplinks ? [] : this.#uplinks),
      this.#stopped("commands", change.keepsUplinks || this.#commands === undefined ? [] : [this.#commands]),
    ]);

    const devices = devicesOf(next);
    this.#config = next;
    this.values.reconfigure(devices, change.keptDevices);
    this.#self.reconfigure(selfDevice(next));
    this.#store.outbox.reconfigure(
      next.uplinks,
      devices.flatMap((device) => device.tags),
    );

    this.#lines = next.lines.map((line) => keptLine(line) ?? this.#line(line));
    if (!change.keepsInputs) this.#inputs = this.#inputSource(next);
    if (!change.keepsUplinks) await this.join();
    const begun = [
      ...(change.keepsUplinks ? [] : this.#uplinks),
      ...this.#lines.filter((line) => !kept.has(line)),
      ...(change.keepsInputs ? [] : [this.#inputs]),
    ];
    for (const part of begun) part.start();
    if (!change.keepsUplinks) this.#startCommands();
    this.#events.reloaded();
    return change.needsRestart;
  }

  #sources(): readonly Source[] {
    return [...this.#lines, this.#inputs];
  }

  #line(line: LineConfig): ModbusSource {
    const { log } = this.#around;
    return createModbusSource({ ...this.#around, line, sink: this.values, log: log.scope(line.name) });
  }

  #inputSource({ inputs }: Config): Source {
    const { clock, log, pins } = this.#around;
    const { state: counts } = this.#store;
    return createGpioSource({ inputs, counts, sink: this.values, clock, log: log.scope("inputs"), driver: pins });
  }

  #uplink(config: UplinkConfig): Uplink {
    const { random, log, transport } = this.#around;
    const { outbox, state } = this.#store;
    const options = {
      config,
      values: this.values,
      queue: outbox.uplink(config.name, config.startAt),
      transport: transport(config),
      state,
      clock: this.#clock,
      random,
      log: log.scope(config.name),
      ...(this.#commands && { commands: this.#commands }),
    };
    return createUplink(options, this.#uplinks);
  }

  #startCommands(): void {
    if (this.#commands === undefined) return;
    this.#commands.start();
    const told = this.values.snapshot(COMMAND_RESULT.device).find(({ tag }) => tag.id === COMMAND_RESULT.id);
    // Of a tag that nobody reads, waiting for its first value would look like a fault.
    if (told?.value === null) this.#tellCommands("none");
  }

  #tellCommands(value: string): void {
    this.values.read([{ tag: COMMAND_RESULT, value, status: "Good" }], this.#clock.monotonicMs());
  }

  async #commandDesk(): Promise<CommandDesk | undefined> {
    const { commands, gateway, lines } = this.#config;
    if (commands === undefined) return undefined;
    const { createCommandDesk } = await import("./uplinks/commands/command-desk.ts");
    const clock = this.#clock;
    const tell: CommandDeskOptions["tell"] = (value, ended) => {
      this.#tellCommands(value);
      if (ended !== undefined) this.#events.note({ kind: "command", ...ended });
    };
    return createCommandDesk({
      config: { commands, gateway, lines },
      writer: createTagWriter(() => this.#writableLines()),
      memory: this.#store.commands,
      clock,
      time: clock,
      tell,
      log: this.#around.log.scope("commands"),
    });
  }

  #writableLines(): readonly WritableLine[] {
    return this.#config.lines.flatMap((config, index) => {
      const source = this.#lines[index];
      return source === undefined ? [] : [{ config, source }];
    });
  }

  async #stopped(what: string, parts: readonly { stop(): Promise<void> }[]): Promise<void> {
    const { clock, log } = this.#around;
    const late = clock.after(SLOW_STOP_MS, () => log.warning(`stopping: still waiting for ${what}`));
    await Promise.all(parts.map((part) => part.stop()));
    late.cancel();
  }
}

/**
 * What tools on this machine find in the runtime directory: the picture of the gateway, and a desk for requests. Both
 * go by the host's time, as the tools do.
 */
function runtimeParts(
  values: CurrentValues,
  outbox: Outbox,
  reports: Reports,
  lines: () => readonly ModbusSource[],
  events: EventRecord,
  { runtimeDir: dir, clock, log }: Surroundings,
): readonly Source[] {
  if (dir === undefined) return [];
  const lending = new LineLending({ dir, lines, clock, log });
  return [
    createStatusFile({ dir, values, reports, clock, log: log.scope("status") }),
    lending,
    new RequestDesk({ dir, handle: answerer(outbox, lending, events), clock, log }),
  ];
}

/** All that has tags: the site's devices, and the gateway itself. */
export function devicesOf(config: Config): readonly Device[] {
  return [...fieldDevices(config), selfDevice(config)];
}

/** What the site has: the devices of every line, then the inputs as one device. */
function fieldDevices(config: Config): readonly Device[] {
  const modbus = config.lines.flatMap((line) =>
    line.devices.map((device) => ({ name: device.name, tags: device.tags })),
  );
  return config.inputs.length === 0 ? modbus : [...modbus, { name: "inputs", tags: config.inputs }];
}

function both(first: Intake, second: Intake): Intake {
  return {
    append(samples) {
      first.append(samples);
      second.append(samples);
    },
  };
}
