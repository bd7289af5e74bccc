import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { createTimeSigns } from "../clock/time-signs.ts";
import { loadBoard } from "../config/board.ts";
import type { Config } from "../config/config.ts";
import { checkConfig, type LoadOptions } from "../config/load.ts";
import { openTags } from "../config/remote-writes.ts";
import { hostClock } from "../core/clock.ts";
import { makeDirectory } from "../core/directory.ts";
import { EXIT, messageOf, UserError } from "../core/errors.ts";
import { createLog, type Level, type Log } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import { createHostFigures } from "../diagnostics/host-figures.ts";
import { createServiceManager } from "../diagnostics/service-manager.ts";
import { createGateway, type Gateway, type Surroundings } from "../gateway.ts";
import { createChardevPins, hasGpioChips } from "../sources/gpio/chardev-pins.ts";
import { createSysfsPins } from "../sources/gpio/sysfs-pins.ts";
import { serialportLine } from "../sources/modbus/serialport-line.ts";
import { StorageFailure } from "../store/block-store.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { readArguments } from "./arguments.ts";
import { blinkingAtMistakes, boardLight, gatewayIndicator } from "./board-light.ts";
import type { CommandIo } from "./io.ts";
import { ReloadWatch } from "./reload.ts";

/** SIGTERM must end the service within 10 s whatever a card or a broker does; what is left is the exit itself. */
const STOP_LIMIT_MS = 9_000;

const HELP = `usage: sallyport run --config gateway.yaml [--state-dir DIR] [--board NAME]

Runs the gateway until SIGTERM or SIGINT, then ends with 0 within 10 s.
SIGHUP, or a change of the file, loads the configuration anew: what has not
changed is read on, no backlog is touched, and a file with mistakes is refused
while the old configuration goes on.

  --config FILE     the configuration; \`sallyport check FILE\` explains it
  --state-dir DIR   for outbox.db and state.db; default: $STATE_DIRECTORY,
                    else ./state
  --board NAME      lines and pins may be called by the labels of this board;
                    default: $SALLYPORT_BOARD, else none
  --log-level L     error, warning, notice, info (default) or debug
  --json            log lines as JSON

It listens on nothing. It keeps files only in the state directory, in the folder
of outbox.path where that is another one, and in the runtime directory
($RUNTIME_DIRECTORY, else the state directory: status.json). Exit codes: 0 told
to stop, 64 wrong usage, 70 a bug, 74 the state directory cannot be used, 78 a
mistake in the configuration.
`;

const LEVELS: readonly Level[] = ["error", "warning", "notice", "info", "debug"];

export async function run(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args);
  if (options.help) {
    io.out(HELP);
    return EXIT.ok;
  }
  const log = serviceLog(io, options.level, options.json);
  const manager = createServiceManager({ env: io.env, clock: hostClock, log });
  const board = loadBoard(options.board ?? io.env.SALLYPORT_BOARD);
  const light = boardLight(board, log);
  const load = () =>
    configuration(options.config, log, {
      board,
      credentialsFolder: io.env.CREDENTIALS_DIRECTORY,
    });
  const watch = new ReloadWatch({ file: options.config, clock: hostClock });
  // From the first moment: a hang-up must not end a service that is still starting. A terminal that is closed ends what
  // runs in it.
  if (!io.isTerminal) io.onHangup?.(() => watch.ask());
  const config = blinkingAtMistakes(load, light);
  const stateDir = resolve(options.stateDir ?? firstDirectory(io.env.STATE_DIRECTORY) ?? "state");
  const runtimeDir = resolve(firstDirectory(io.env.RUNTIME_DIRECTORY) ?? stateDir);
  makeDirectories([stateDir, runtimeDir]);

  void manager.starting("opening the outbox");
  // A card that hangs must not keep a start that was called off.
  const gateway = await Promise.race([build(config, { log, stateDir, runtimeDir }), aborted(io.signal)]);
  if (gateway === undefined) {
    log.notice("stopped before it had started");
    return EXIT.ok;
  }
  gateway.start();
  const indicator = gatewayIndicator(gateway, light, hostClock);
  indicator?.start();
  log.notice(`started: ${contentText(config)}`);
  void manager.ready(() => healthText(gateway));
  watch.start(() => reload(gateway, load, log));
  await aborted(io.signal);
  watch.stop();
  await indicator?.stop();
  log.notice("stopping");
  void manager.stopping();
  return stopWithin(gateway.stop(), log);
}

/** A bad file changes nothing. */
async function reload(gateway: Gateway, load: () => Config, log: Log): Promise<void> {
  let config: Config;
  try {
    config = load();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    for (const line of error.message.split("\n")) log.error(line);
    log.error("the new configuration is refused, the old one goes on");
    return;
  }
  const left = await gateway.reload(config);
  for (const key of left) log.warning(`${key}: this change takes effect at the next start`);
  log.notice(`configuration loaded: ${contentText(config)}`);
}

/** One line for `systemctl status`. */
function healthText(gateway: Gateway): string {
  const uplinks = gateway.uplinks().map(({ name, state, depth }) => `${name} ${state}, ${depth} waiting`);
  const faults = gateway.lines().flatMap(({ name, fault }) => (fault === "" ? [] : [`${name} ${fault}`]));
  return [...uplinks, ...faults, `outbox ${gateway.outbox().health}`].join("; ");
}

function contentText({ lines, inputs, uplinks }: Config): string {
  return `${lines.length} lines, ${inputs.length} inputs, ${uplinks.length} uplinks`;
}

/** Warns of what this version does not act on. */
function configuration(file: string, log: Log, options: LoadOptions): Config {
  const { config, notices, place } = checkConfig(file, options);
  for (const notice of notices) log.warning(`${notice.key}: ${notice.text}`);
  for (const { key, wrong } of openTags(config, place)) log.warning(`${key}: ${wrong}`);
  return config;
}

async function build(
  config: Config,
  around: Pick<Surroundings, "log" | "stateDir"> & { readonly runtimeDir: string },
): Promise<Gateway> {
  const { log, stateDir } = around;
  try {
    return await createGateway(config, {
      ...around,
      clock: hostClock,
      timeSigns: createTimeSigns({ flashed: config.file }),
      random: hostRandom,
      openLine: serialportLine,
      pins: hasGpioChips() ? createChardevPins() : createSysfsPins(hostClock),
      transport: (uplink) => createMqttTransport({ config: uplink, clock: hostClock, log: log.scope(uplink.name) }),
      storage: "thread",
      host: createHostFigures(),
    });
  } catch (error) {
    if (!(error instanceof StorageFailure)) throw error;
    const remedy = "give --state-dir a place that this user can write and no other gateway uses";
    throw new UserError(`the files in ${stateDir} cannot be used: ${error.message}; ${remedy}`, EXIT.io);
  }
}

/** The contract is 0 within 10 s. What hangs was named by then; what it kept from the card is told at the next start. */
async function stopWithin(stopping: Promise<void>, log: Log): Promise<number> {
  const inTime = await Promise.race([
    stopping.then(() => true),
    new Promise<false>((done) => {
      hostClock.after(STOP_LIMIT_MS, () => done(false));
    }),
  ]);
  if (inTime) log.notice("stopped");
  else log.error(`not stopped cleanly within ${STOP_LIMIT_MS} ms`);
  return EXIT.ok;
}

interface RunOptions {
  readonly config: string;
  readonly stateDir: string | undefined;
  readonly board: string | undefined;
  readonly level: Level;
  readonly json: boolean;
  readonly help: boolean;
}

function parse(args: string[]): RunOptions {
  return readArguments(HELP, () => {
    const { values } = parseArgs({
      args,
      options: {
        config: { type: "string" },
        "state-dir": { type: "string" },
        board: { type: "string" },
        "log-level": { type: "string", default: "info" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const level = LEVELS.find((name) => name === values["log-level"]);
    if (level === undefined) throw new Error(`--log-level is one of ${LEVELS.join(", ")}`);
    if (values.config === undefined && !values.help) throw new Error("--config is missing; name the gateway.yaml");
    return {
      config: values.config ?? "",
      stateDir: values["state-dir"],
      board: values.board,
      level,
      json: values.json,
      help: values.help,
    };
  });
}

function serviceLog(io: CommandIo, level: Level, json: boolean): Log {
  // JOURNAL_STREAM is set where stderr is the journal, which wants the priority in front.
  const format = json ? "json" : io.env.JOURNAL_STREAM === undefined ? "text" : "journald";
  return createLog({ write: (line) => io.err(line), level, format });
}

/** systemd hands over several directories with colons between them; the first is ours. */
function firstDirectory(list: string | undefined): string | undefined {
  const first = list?.split(":")[0];
  return first === "" ? undefined : first;
}

function makeDirectories(directories: readonly string[]): void {
  for (const directory of directories) {
    try {
      makeDirectory(directory);
    } catch (error) {
      throw new UserError(`cannot make ${directory}: ${messageOf(error)}; give --state-dir a place to write`, EXIT.io);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
