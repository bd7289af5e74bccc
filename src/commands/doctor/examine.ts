/** The checks in their order: gathers evidence from this machine and hands it to each of them. */
import { join } from "node:path";
import { createTimeSigns } from "../../clock/time-signs.ts";
import { loadBoard } from "../../config/board.ts";
import type { Config, LineConfig } from "../../config/config.ts";
import { DEFAULTS } from "../../config/defaults.ts";
import { checkConfig } from "../../config/load.ts";
import { hostClock } from "../../core/clock.ts";
import { ConfigurationError, messageOf, problemText } from "../../core/errors.ts";
import type { StatusContent } from "../../diagnostics/status-file.ts";
import { serialportLine } from "../../sources/modbus/serialport-line.ts";
import { takeLine } from "../bench-line.ts";
import type { CommandIo } from "../io.ts";
import { findGateway } from "../running-gateway.ts";
import { checkBoard } from "./check-board.ts";
import { checkBroker } from "./check-broker.ts";
import { checkClock } from "./check-clock.ts";
import { checkCommands } from "./check-commands.ts";
import { checkInput } from "./check-input.ts";
import { checkListeners, checkRoute } from "./check-network.ts";
import { checkPort } from "./check-port.ts";
import { checkStorage } from "./check-storage.ts";
import { ailing, type Finding, ok } from "./finding.ts";
import { judgeCounters } from "./judge-counters.ts";
import { judgeLine } from "./judge-line.ts";
import { testLine } from "./line-test.ts";
import { createMachine, gatewayProcesses, type Machine } from "./machine.ts";

const PROBLEMS_SHOWN_MAX = 3;
const STATE_DIR = "/var/lib/sallyport";
const TIME_SERVICES = ["/run/systemd/timesync", "/run/chrony", "/run/ntpd.pid"];

export interface DoctorOptions {
  readonly file: string;
  readonly board: string | undefined;
  readonly test: boolean;
  readonly brokers: boolean;
  readonly report: string | undefined;
  readonly json: boolean;
}

export interface Examination {
  readonly status: StatusContent | undefined;
  readonly wallMs: number;
  /** False: it was told to end before all was checked. */
  readonly isComplete: boolean;
}

/** @param tell is given the findings of each check as it is done */
export async function examine(
  options: DoctorOptions,
  io: CommandIo,
  tell: (findings: readonly Finding[]) => void,
): Promise<Examination> {
  const machine = createMachine();
  const gateways = gatewayProcesses(machine);
  const status = findGateway(io)?.status;
  // Its lines are in use, and a visit at the broker with its client id would throw it off.
  const isHidden = status === undefined && gateways.some((gateway) => gateway.config === options.file);
  const { config, finding } = readConfig(options, io.env.CREDENTIALS_DIRECTORY);
  const pids = gateways.map(({ pid }) => pid);
  tell(checkBoard(machine));
  tell([finding, serviceFinding(status, isHidden)]);
  tell([clockFinding(machine, config)]);
  tell(checkStorage(machine, outboxFile(config, io), status?.outbox));
  for (const line of config?.lines ?? []) {
    if (io.signal.aborted) break;
    tell(await checkLine(machine, line, { status, gateways: pids, isHidden, test: options.test }, io));
  }
  tell((config?.inputs ?? []).map((input) => checkInput(machine, input, status)));
  tell([checkRoute(machine), checkListeners(machine, pids)]);
  if (config?.commands !== undefined) tell([checkCommands(config)]);
  for (const uplink of options.brokers ? (config?.uplinks ?? []) : []) {
    if (io.signal.aborted) break;
    const report = status?.uplinks.find(({ name }) => name === uplink.name);
    tell(await checkBroker({ uplink, report, mayVisit: !isHidden && report === undefined, clock: hostClock }));
  }
  return { status, wallMs: hostClock.wallMs(), isComplete: !io.signal.aborted };
}

function readConfig(
  { file, board }: DoctorOptions,
  credentialsFolder: string | undefined,
): {
  readonly config: Config | undefined;
  readonly finding: Finding;
} {
  try {
    const { config } = checkConfig(file, { board: loadBoard(board), credentialsFolder });
    return { config, finding: ok("configuration", "", `${file}: no mistakes`) };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const ailment = {
      name: "configuration",
      verdict: "FAULT",
      found: `${file} cannot be used`,
      means: "the service does not start with it; lines and brokers were not checked",
      todo: "`sallyport check` tells every mistake; `sallyport init` writes a first file",
    } as const;
    const problems = error.problems.slice(0, PROBLEMS_SHOWN_MAX).map(problemText).join("; ");
    return { config: undefined, finding: ailing("configuration", "", ailment, problems) };
  }
}

function serviceFinding(status: StatusContent | undefined, isHidden: boolean): Finding {
  if (isHidden) {
    const ailment = {
      name: "service-hidden",
      verdict: "WARNING",
      found: "runs, but this user cannot see what it tells of itself",
      means: "lines and logins were not checked",
      todo: "run doctor as root (sudo), or set RUNTIME_DIRECTORY to the service's (systemd: /run/sallyport)",
    } as const;
    return ailing("service", "", ailment);
  }
  if (status === undefined) return ok("service", "", "does not run on this machine, or in another RUNTIME_DIRECTORY");
  const tags = status.devices.flatMap((device) => device.tags);
  const bad = tags.filter((tag) => tag.status !== "Good").length;
  return ok("service", "", `runs: ${tags.length} tags, ${bad} of them not ok`);
}

function clockFinding(machine: Machine, config: Config | undefined): Finding {
  return checkClock({
    hostMs: hostClock.wallMs(),
    signs: createTimeSigns({ flashed: config?.file ?? "/etc/machine-id" }),
    source: config?.clock.source ?? DEFAULTS.clockSource,
    hasTimeService: TIME_SERVICES.some((path) => machine.real(path) !== undefined),
  });
}

function outboxFile(config: Config | undefined, io: CommandIo): string {
  const path = config?.outbox.path ?? DEFAULTS.outboxPath;
  return path.startsWith("/") ? path : join(io.env.STATE_DIRECTORY?.split(":")[0] ?? STATE_DIR, path);
}

interface Around {
  readonly status: StatusContent | undefined;
  readonly gateways: readonly number[];
  /** The service runs, and cannot be seen. */
  readonly isHidden: boolean;
  readonly test: boolean;
}

async function checkLine(machine: Machine, line: LineConfig, around: Around, io: CommandIo): Promise<Finding[]> {
  const report = around.status?.lines.find(({ name }) => name === line.name);
  const { findings, isFree } = checkPort(machine, line, around.gateways, report?.lent === true);
  if (report !== undefined && (!around.test || report.lent === true)) return [...findings, ...judgeCounters(report)];
  if (report === undefined && (!isFree || around.isHidden)) return [...findings];
  if (io.isTerminal) io.err(`testing ${line.name} …\r`);
  try {
    const bench = await takeLine(line.path, io);
    try {
      const evidence = await testLine({ line, openLine: serialportLine, clock: hostClock, signal: bench.signal });
      // Half a test would find fault with whoever was not asked often enough.
      return [...findings, ...(io.signal.aborted ? [] : judgeLine(evidence))];
    } finally {
      await bench.release();
    }
  } catch (error) {
    const ailment = {
      name: "port-fault",
      verdict: "FAULT",
      found: messageOf(error),
      means: "the line could not be tested",
      todo: "see the finding before, and the adapter",
    } as const;
    return [...findings, ailing("line", line.name, ailment)];
  }
}
