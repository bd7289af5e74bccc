/** `sallyport simulate`: plays the devices of a line, so that whatever asks them can be tried before they are there. */
import { parseArgs } from "node:util";
import type { LineConfig } from "../../config/config.ts";
import { parseDuration, serialText } from "../../config/values.ts";
import { hostClock, sleep } from "../../core/clock.ts";
import { EXIT, messageOf, UserError } from "../../core/errors.ts";
import { hostRandom } from "../../core/random.ts";
import { SimulatedBus } from "../../testing/simulated-bus.ts";
import { StandIn } from "../../testing/stand-in.ts";
import type { CommandIo } from "../io.ts";
import { lineOfFile, lineOfModel } from "./played-line.ts";
import { RequestBook } from "./request-book.ts";
import { faultsOf, UNIT_FAULTS, type UnitFault } from "./unit-fault.ts";
import { openPort, openTerminal, type Wire } from "./wire.ts";

const USAGE = `usage: sallyport simulate gateway.yaml [--line NAME] [--path PORT]
       sallyport simulate --model NAME --unit N --serial "9600 8N1" [--path P]
`;

const HELP = `${USAGE}
Plays Modbus RTU devices, so that a gateway, a cable or a SCADA can be tried
before the devices are there. Values move as such things do, within min and max
of each tag; registers that no tag names are refused with exception 2. What is
written to a register stays there. It connects to nothing and listens on
nothing; only whoever opens the other end of the line can ask.

  FILE            plays the devices of a line of this gateway.yaml
  --line NAME     which line; may be left out where there is only one
  --board NAME    lines may be called by the labels of this board; default:
                  $SALLYPORT_BOARD, else none
  --model NAME    plays one device of a model, or of a model file, without any
                  gateway.yaml, at --unit N and with --serial SETTINGS
  --path PORT     on this serial port, as /dev/ttyUSB1: the other end of the
                  cable. Without it a pseudo terminal is made; its path is told
                  and is opened like a serial port.
  --fault [N:]F   what goes wrong with all units, or with unit N; may be
                  repeated. silent: no answer; slow: just in time; late: after
                  the time; garbage: frames that are cut or wrong;
                  exception: the device reports a fault (exception 4)
  --for DURATION  end after so long, as 10m; default: when told (Ctrl-C)
  --json          a line an event, when something was asked, once a second

exit code   0 told to end, 64 wrong usage, 69 no such port or terminal,
            74 the port vanished, 78 a mistake in the configuration

Try it: two adapters on one cable, or one terminal for this and one for
  sallyport simulate --model eastron-sdm630 --unit 1 --serial "9600 8N1"
and the path it tells in gateway.yaml, as  path: /tmp/sallyport-pty-…/tty
`;

const SHOW_EVERY_MS = 1_000;
const MOVE_EVERY_MS = 250;
const CLEAR_LINE = "\x1b[K";

export async function simulate(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args);
  if (options.help) {
    io.out(HELP);
    return EXIT.ok;
  }
  const line = chosenLine(options, io.env.SALLYPORT_BOARD);
  const standIns = cast(line, options.faults);
  const wire = options.path === undefined ? await openTerminal() : await openPort(line, options.path);
  try {
    return await play(line, standIns, wire, options, io);
  } finally {
    await wire.close();
  }
}

/** Answers until it is told to end, its time is over or the wire is lost. */
async function play(
  line: LineConfig,
  standIns: readonly StandIn[],
  wire: Wire,
  { forMs, json }: Options,
  io: CommandIo,
): Promise<number> {
  const clock = hostClock;
  const beganMs = clock.monotonicMs();
  const book = new RequestBook(line.devices);
  const devices = standIns.map(({ device }) => device);
  const bus = new SimulatedBus({
    devices,
    clock,
    send: (bytes) => wire.send(bytes),
    onExchange: (exchange) => book.note(exchange, clock.monotonicMs()),
  });
  wire.onData = (bytes) => {
    book.heard(bytes.length);
    bus.receive(bytes);
  };
  const show = json ? jsonView(line, wire, book, io) : textView(line, wire, book, io);
  let lost: string | undefined;
  void wire.lost.then((reason) => {
    lost = reason;
  });
  show.begin();
  let shownMs = beganMs;
  for (;;) {
    const nowMs = clock.monotonicMs();
    for (const standIn of standIns) standIn.move(nowMs - beganMs);
    const isOver = io.signal.aborted || lost !== undefined || nowMs - beganMs >= forMs;
    if (isOver || nowMs - shownMs >= SHOW_EVERY_MS) {
      show.update(isOver);
      shownMs = nowMs;
    }
    if (isOver) break;
    await sleep(clock, Math.min(MOVE_EVERY_MS, forMs));
  }
  bus.stop();
  if (lost !== undefined) throw new UserError(`${lost}; plug the adapter in and start again`, EXIT.io);
  return EXIT.ok;
}

interface View {
  begin(): void;
  /** At most once a second, and once at the end. */
  update(isLast: boolean): void;
}

/** On a terminal the table stays in its place; elsewhere it is written once, at the end. */
function textView({ name, serial, devices }: LineConfig, wire: Wire, book: RequestBook, io: CommandIo): View {
  let shownLines = 0;
  return {
    begin() {
      const units = devices.map((device) => `${device.name} (unit ${device.unitId})`).join(", ");
      io.out(`playing line ${name}, ${serialText(serial)}: ${units}\n`);
      io.out(wire.isTerminal ? `open this as the serial port: ${wire.path}\n` : `on ${wire.path}\n`);
      if (io.isTerminal) this.update(false);
    },
    update(isLast) {
      if (!io.isTerminal && !isLast) return;
      const lines = book
        .table(io.columns, hostClock.monotonicMs())
        .split("\n")
        .slice(0, Math.max(1, io.rows - 1));
      if (!io.isTerminal) {
        io.out(lines.join("\n"));
        return;
      }
      const up = shownLines > 0 ? `\x1b[${shownLines}A\r` : "";
      io.out(up + lines.map((text) => `${text}${CLEAR_LINE}`).join("\n"));
      shownLines = lines.length - 1;
    },
  };
}

function jsonView({ name, serial, devices }: LineConfig, wire: Wire, book: RequestBook, io: CommandIo): View {
  const tell = (content: object) => io.out(`${JSON.stringify(content)}\n`);
  let told = 0;
  return {
    begin() {
      const units = devices.map(({ unitId, name: device, tags }) => ({ unitId, device, tags: tags.length }));
      tell({ event: "playing", line: name, serial: serialText(serial), path: wire.path, units });
    },
    update(isLast) {
      if (!isLast && book.revision() === told) return;
      told = book.revision();
      const nowMs = hostClock.monotonicMs();
      const units = book.units().map(({ lastAtMs, ...unit }) => ({
        ...unit,
        lastAskedAgoMs: unit.lastAsked === null ? null : Math.round(nowMs - lastAtMs),
      }));
      const doubt = book.doubt();
      tell({ event: isLast ? "ended" : "asked", units, ...(doubt !== "" && { doubt }) });
    },
  };
}

function cast(line: LineConfig, faults: ReadonlyMap<number, UnitFault>): readonly StandIn[] {
  const units = line.devices.map(({ unitId }) => unitId);
  const stray = [...faults.keys()].find((unitId) => unitId !== ALL_UNITS && !units.includes(unitId));
  if (stray !== undefined) {
    throw new UserError(`--fault: unit ${stray} is not on this line; it has ${units.join(", ")}`, EXIT.usage);
  }
  return line.devices.map((device) => {
    const fault = faults.get(device.unitId) ?? faults.get(ALL_UNITS);
    return new StandIn(device, faultsOf(fault, line, device, hostRandom));
  });
}

function chosenLine(options: Options, board: string | undefined): LineConfig {
  const { file, model, unitId, serial } = options;
  if (file !== undefined) return lineOfFile({ file, line: options.line, board: options.board ?? board });
  return lineOfModel({ model: model ?? "", unitId: unitId ?? "", serial: serial ?? "" });
}

/** Broadcasts go to this unit id, so no device can have it. */
const ALL_UNITS = 0;

interface Options {
  readonly file: string | undefined;
  readonly line: string | undefined;
  readonly board: string | undefined;
  readonly model: string | undefined;
  readonly unitId: string | undefined;
  readonly serial: string | undefined;
  readonly path: string | undefined;
  /** By unit id, or for all. */
  readonly faults: ReadonlyMap<number, UnitFault>;
  readonly forMs: number;
  readonly json: boolean;
  readonly help: boolean;
}

function parse(args: string[]): Options {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        line: { type: "string" },
        board: { type: "string" },
        model: { type: "string" },
        unit: { type: "string" },
        serial: { type: "string" },
        path: { type: "string" },
        fault: { type: "string", multiple: true, default: [] },
        for: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const [file, ...more] = positionals;
    if (more.length > 0) throw new Error("name one gateway.yaml only");
    if (!values.help) checkTogether(file, values);
    return {
      ...values,
      file,
      line: values.line,
      board: values.board,
      model: values.model,
      unitId: values.unit,
      serial: values.serial,
      path: values.path,
      faults: new Map(values.fault.map(parseFault)),
      forMs: values.for === undefined ? Number.POSITIVE_INFINITY : parseDuration(values.for),
    };
  } catch (error) {
    throw new UserError(`${messageOf(error)}\n${USAGE}`, EXIT.usage);
  }
}

function checkTogether(
  file: string | undefined,
  { model, unit, serial, line }: { model?: string; unit?: string; serial?: string; line?: string },
): void {
  const ofModel = { "--unit": unit, "--serial": serial };
  if (file === undefined && model === undefined) throw new Error("name a gateway.yaml, or a --model");
  if (file !== undefined && model !== undefined) throw new Error("a gateway.yaml names its models: leave out --model");
  if (model !== undefined && line !== undefined) throw new Error("--line chooses from a gateway.yaml: leave it out");
  for (const [option, given] of Object.entries(ofModel)) {
    if (model !== undefined && given === undefined) throw new Error(`${option} is missing: it goes with --model`);
    if (model === undefined && given !== undefined)
      throw new Error(`${option} goes with --model; the file says its own`);
  }
  if (unit !== undefined && !/^\d{1,3}$/.test(unit)) throw new Error(`--unit ${unit} is no unit id; write 1 to 247`);
}

function parseFault(text: string): [number, UnitFault] {
  const [, unit, word] = /^(?:(\d{1,3}):)?([a-z]+)$/.exec(text) ?? [];
  const fault = UNIT_FAULTS.find((name) => name === word);
  if (fault === undefined) throw new Error(`--fault ${text}: write one of ${UNIT_FAULTS.join(", ")}, or as 2:silent`);
  return [unit === undefined ? ALL_UNITS : Number(unit), fault];
}
