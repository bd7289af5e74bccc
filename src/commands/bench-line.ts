/**
 * The line that a tool works on. Where the running gateway uses it, the gateway is asked for it and goes without it until
 * the tool ends; else the tool just opens it.
 */
import { randomUUID } from "node:crypto";
import { rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DeviceConfig, LineConfig, SerialSettings } from "../config/config.ts";
import { DEFAULTS } from "../config/defaults.ts";
import { type Clock, hostClock, type Timer } from "../core/clock.ts";
import { makeDirectory } from "../core/directory.ts";
import { EXIT, messageOf, UserError } from "../core/errors.ts";
import { fileBehind, LEASE_RENEWED_EVERY_MS } from "../diagnostics/line-lending.ts";
import { LEASE_END, REQUEST_FOLDER } from "../diagnostics/request-desk.ts";
import { Bus } from "../sources/modbus/bus.ts";
import { ALL_UNITS } from "../sources/modbus/scan-plan.ts";
import { serialportLine } from "../sources/modbus/serialport-line.ts";
import { askGateway } from "./ask-gateway.ts";
import type { CommandIo } from "./io.ts";
import { findGateway, type RunningGateway } from "./running-gateway.ts";

export interface BenchLine {
  /** The gateway's name of it, where it was lent. */
  readonly lent: string | undefined;
  /** Aborted when the command is told to end, or must stop: then its reason is a text. */
  readonly signal: AbortSignal;
  /** The tool must stop, for this reason. */
  end(reason: string): void;
  /** Gives it back. The port must be closed. */
  release(): Promise<void>;
}

/** @throws UserError where the gateway does not give it up */
export async function takeLine(path: string, io: CommandIo, clock: Clock = hostClock): Promise<BenchLine> {
  const ending = new AbortController();
  const signal = AbortSignal.any([io.signal, ending.signal]);
  const end = (reason: string) => ending.abort(reason);
  const gateway = findGateway(io);
  const own = gateway === undefined ? undefined : await gatewaysLine(gateway, path);
  if (gateway === undefined || own === undefined) {
    return { lent: undefined, signal, end, release: async () => undefined };
  }
  io.err(`${path} is ${own} of the running gateway: asking for it …\n`);
  const lease = await borrow(gateway, path, own, clock);
  const stopRenewing = renew(lease, clock, () => end(`the gateway has taken ${own} back`));
  return {
    lent: own,
    signal,
    end,
    async release() {
      stopRenewing();
      await rm(lease, { force: true });
      io.err(`${own} goes back to the gateway\n`);
    },
  };
}

/** Why the tool had to stop; undefined where somebody told it to. */
export function stopReason({ aborted, reason }: AbortSignal): string | undefined {
  return aborted && typeof reason === "string" ? reason : undefined;
}

async function gatewaysLine({ status }: RunningGateway, path: string): Promise<string | undefined> {
  const file = await fileBehind(path);
  for (const line of status.lines) if ((await fileBehind(line.path)) === file) return line.name;
  return undefined;
}

/** @returns the file of the lease */
async function borrow({ runtimeDir }: RunningGateway, path: string, name: string, clock: Clock): Promise<string> {
  const id = randomUUID();
  const lease = join(runtimeDir, REQUEST_FOLDER, `${id}${LEASE_END}`);
  try {
    makeDirectory(join(runtimeDir, REQUEST_FOLDER));
    await writeFile(lease, "");
    const answer = await askGateway(runtimeDir, { ask: "lend", path: await fileBehind(path), lease: id }, id, clock);
    if (answer?.done === true) return lease;
    await rm(lease, { force: true });
    throw new UserError(
      answer?.text ?? `the gateway that uses ${name} does not answer; stop it (systemctl stop sallyport)`,
      EXIT.unavailable,
    );
  } catch (error) {
    if (error instanceof UserError) throw error;
    const remedy = "do this as root (sudo), who may ask it for the line";
    throw new UserError(`the running gateway uses ${name}, and ${messageOf(error)}; ${remedy}`, EXIT.unavailable);
  }
}

/** @returns the way to stop it */
function renew(lease: string, clock: Clock, onGone: () => void): () => void {
  let timer: Timer | undefined;
  let stopped = false;
  const touch = async () => {
    const nowS = clock.wallMs() / 1_000;
    const isThere = await utimes(lease, nowS, nowS).then(
      () => true,
      () => false,
    );
    if (stopped) return;
    if (isThere) timer = clock.after(LEASE_RENEWED_EVERY_MS, () => void touch());
    else onGone();
  };
  timer = clock.after(LEASE_RENEWED_EVERY_MS, () => void touch());
  return () => {
    stopped = true;
    timer?.cancel();
  };
}

export interface BenchSettings {
  readonly path: string;
  readonly serial: SerialSettings;
  readonly rs485: LineConfig["rs485"];
  readonly responseTimeoutMs: number;
  /** For how long a reply may come once more; absent: as long as of any device. */
  readonly maxLateMs?: number;
}

/** A line of no tags. */
export function benchConfig({ path, serial, rs485, responseTimeoutMs, maxLateMs }: BenchSettings): LineConfig {
  const devices = maxLateMs === undefined ? [] : ALL_UNITS.map((unitId) => bareDevice(unitId, maxLateMs));
  const { turnaroundDelayMs } = DEFAULTS;
  return { name: path, path, serial, rs485, responseTimeoutMs, turnaroundDelayMs, devices };
}

function bareDevice(unitId: number, maxLateMs: number): DeviceConfig {
  const { retries, lostAfter, maxQuantity } = DEFAULTS;
  return {
    name: `unit-${unitId}`,
    unitId,
    enabled: true,
    retries,
    lostAfter,
    maxQuantity,
    unreadable: [],
    maxLateMs,
    tags: [],
  };
}

/** @throws UserError where the port cannot be opened */
export async function openBus(settings: BenchSettings, onLost: (reason: string) => void): Promise<Bus> {
  const config = benchConfig(settings);
  const bus = new Bus({
    line: serialportLine(config),
    config,
    clock: hostClock,
    meters: new Map(),
    onLost,
    onSuspect: () => undefined,
  });
  try {
    await bus.open();
  } catch (error) {
    throw portFailure(error);
  }
  return bus;
}

/** A port that could not be opened, in words. Whose the lock is cannot be seen; a gateway may be out of this user's sight. */
export function portFailure(error: unknown): UserError {
  const reason = messageOf(error);
  const remedy = "; if that is the gateway, do this as root (sudo), or set RUNTIME_DIRECTORY to its own";
  return new UserError(/in use/.test(reason) ? `${reason}${remedy}` : reason, EXIT.unavailable);
}
