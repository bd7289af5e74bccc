/**
 * The composition root: builds the stages and joins them. It reads like the way of the data and decides nothing.
 */
import type { Config, LineConfig, UplinkConfig } from "./config/config.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import type { HostFigures } from "./diagnostics/host-figures.ts";
import { RequestDesk, type RequestHandler } from "./diagnostics/request-desk.ts";
import { createSelfReport, type Reports, selfDevice } from "./diagnostics/self-tags.ts";
import { createStatusFile } from "./diagnostics/status-file.ts";
import type {
  CurrentValues,
  Device,
  Intake,
  LineReport,
  Outbox,
  OutboxReport,
  Source,
  StateStore,
  TagSink,
  Transport,
  UplinkReport,
} from "./pipeline.ts";
import { createGpioSource } from "./sources/gpio/gpio-source.ts";
import type { PinDriver } from "./sources/gpio/pin-driver.ts";
import { createModbusSource } from "./sources/modbus/modbus-source.ts";
import type { SerialLine } from "./sources/modbus/serial-line.ts";
import { openStore } from "./store/open-store.ts";
import type { OutboxLimits } from "./store/outbox-limits.ts";
import type { Storage } from "./store/storage-client.ts";
import { createTagTable } from "./tags/tag-table.ts";
import { createUplink, type UplinkOptions } from "./uplinks/uplink.ts";

/** Everything outside the gateway: the world it reads and sends to, time and chance. */
export interface Surroundings {
  readonly clock: Clock;
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
  const { clock, log } = around;
  const gatewayDevice = selfDevice(config);
  const devices = [...fieldDevices(config), gatewayDevice];

  const { outbox, state } = await openStore({
    config: config.outbox,
    stateDir: around.stateDir,
    uplinks: config.uplinks,
    tags: devices.flatMap((device) => device.tags),
    clock,
    log: log.scope("outbox"),
    worker: around.storage,
    ...(around.outboxLimits && { limits: around.outboxLimits }),
  });
  const tags = createTagTable({
    devices,
    intake: around.witness === undefined ? outbox : both(around.witness, outbox),
    clock,
    epochs: state,
    log: log.scope("tags"),
  });
  const lines = config.lines.map((line) =>
    createModbusSource({ ...around, line, sink: tags, log: log.scope(line.name) }),
  );
  const sources: readonly Source[] = [...lines, ...inputSources(config, tags, around)];
  const uplinks = config.uplinks.map((uplink) => createUplink(uplinkParts(uplink, tags, outbox, state, around)));

  const reports = {
    outbox: () => outbox.report(),
    uplinks: () => uplinks.map((uplink) => uplink.report()),
    lines: () => lines.map((line) => line.report()),
  };
  const self = createSelfReport({
    device: gatewayDevice,
    sink: tags,
    clock,
    reports,
    clockState: () => "host",
    ...(around.host && { host: around.host }),
  });
  const forTools = runtimeParts(tags, outbox, reports, around);
  const inOrder = [tags, ...uplinks, ...sources, self, ...forTools];

  const stopped = async (what: string, stopping: Promise<unknown>): Promise<void> => {
    const late = clock.after(SLOW_STOP_MS, () => log.warning(`stopping: still waiting for ${what}`));
    await stopping;
    late.cancel();
  };

  return {
    values: tags,
    ...reports,
    start() {
      for (const part of inOrder) part.start();
    },
    async stop() {
      await self.stop();
      await stopped("lines and inputs", Promise.all(sources.map((source) => source.stop())));
      tags.stop();
      await stopped("brokers", Promise.all(uplinks.map((uplink) => uplink.stop())));
      // After them nobody asks the outbox anything.
      await Promise.all(forTools.map((part) => part.stop()));
      await stopped("the card", outbox.close());
    },
  };
}

/** What tools on this machine find in the runtime directory: the picture of the gateway, and a desk for requests. */
function runtimeParts(
  values: CurrentValues,
  outbox: Outbox,
  reports: Reports,
  { runtimeDir: dir, clock, log }: Surroundings,
): readonly Source[] {
  if (dir === undefined) return [];
  return [
    createStatusFile({ dir, values, reports, clock, log: log.scope("status") }),
    new RequestDesk({ dir, handle: answerer(outbox), clock, log }),
  ];
}

/** What tools on this machine may ask of the running gateway. */
function answerer(outbox: Outbox): RequestHandler {
  return async ({ uplink }) => {
    const forgotten = await outbox.forget(uplink);
    if ("refused" in forgotten) return { done: false, text: forgotten.refused };
    return { done: true, text: `forgot ${forgotten.samples} samples that waited for ${uplink}` };
  };
}

function uplinkParts(
  config: UplinkConfig,
  values: CurrentValues,
  outbox: Outbox,
  state: StateStore,
  { clock, random, log, transport }: Surroundings,
): UplinkOptions {
  return {
    config,
    values,
    queue: outbox.uplink(config.name, config.startAt),
    transport: transport(config),
    state,
    clock,
    random,
    log: log.scope(config.name),
  };
}

function inputSources(config: Config, sink: TagSink, around: Surroundings): readonly Source[] {
  if (config.inputs.length === 0) return [];
  const { clock, log, pins } = around;
  return [createGpioSource({ inputs: config.inputs, sink, clock, log: log.scope("inputs"), driver: pins })];
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
