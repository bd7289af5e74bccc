/** `sallyport simulate`: plays the devices of a site, so that whatever asks them can be tried before they are there. */
import { existsSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { LineConfig } from "../../config/config.ts";
import { parseDuration } from "../../config/values.ts";
import { hostClock, sleep } from "../../core/clock.ts";
import { makeDirectory } from "../../core/directory.ts";
import { EXIT, messageOf, UserError } from "../../core/errors.ts";
import { readArguments } from "../arguments.ts";
import type { CommandIo } from "../io.ts";
import { jsonView, textView } from "./play-view.ts";
import { lineOfModel, linesOfFile } from "./played-line.ts";
import { ALL_UNITS, Stage } from "./stage.ts";
import { UNIT_FAULTS, type UnitFault } from "./unit-fault.ts";
import { openPort, openTerminal } from "./wire.ts";

const USAGE = `usage: sallyport simulate gateway.yaml [--line NAME] [--path PORT]
       sallyport simulate --model NAME --unit N --serial "9600 8N1" [--path P]
`;

const HELP = `${USAGE}
Plays Modbus RTU devices, so that a gateway, a cable or a SCADA can be tried
before the devices are there. Values move as such things do, within min and max
of each tag; registers that no tag names are refused with exception 2. What is
written to a register stays there. It connects to nothing and listens on
nothing; only whoever opens the other end of the line can ask.

  FILE            plays every device of this gateway.yaml: a site at a desk
  --line NAME     this line only
  --board NAME    lines may be called by the labels of this board; default:
                  $SALLYPORT_BOARD, else none
  --model NAME    plays one device of a model, or of a model file, without any
                  gateway.yaml, at --unit N and with --serial SETTINGS
  --path PORT     on this serial port, as /dev/ttyUSB1: the other end of the
                  cable. Without it a pseudo terminal is made for each line; its
                  path is told and is opened like a serial port.
  --links DIR     makes DIR/LINE for each of them: the same path every time
  --fault [N:]F   what goes wrong with all units, or with unit N; may be
                  repeated. silent: no answer; slow: just in time; late: after
                  the time; garbage: frames that are cut or wrong;
                  exception: the device reports a fault (exception 4)
  --for DURATION  end after so long, as 10m; default: when told (Ctrl-C)
  --json          a line an event, when something was asked, once a second

exit code   0 told to end, 64 wrong usage, 69 no such port or terminal,
            74 the port vanished or DIR/LINE cannot be made,
            78 a mistake in the configuration

Try it: two adapters on one cable, or one terminal for this and one for
  sallyport simulate --model eastron-sdm630 --unit 1 --serial "9600 8N1"
and the path it tells in gateway.yaml, as  path: /tmp/sallyport-pty-…/tty
A whole site: path: /tmp/desk/LINE for each line in a copy of gateway.yaml, then
  sallyport simulate desk.yaml --links /tmp/desk
`;

const SHOW_EVERY_MS = 1_000;
/** Whoever is at the desk may open what is played. */
const LINKS_MODE = 0o755;
const MOVE_EVERY_MS = 250;

export async function simulate(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args);
  if (options.help) {
    io.out(HELP);
    return EXIT.ok;
  }
  const lines = chosenLines(options, io.env.SALLYPORT_BOARD);
  checkFaults(lines, options.faults);
  const stages: Stage[] = [];
  try {
    for (const line of lines) {
      const wire = options.path === undefined ? await openTerminal() : await openPort(line, options.path);
      const stage = new Stage(line, wire, options.faults);
      stages.push(stage);
      if (options.links !== undefined) stage.place = link(options.links, line.name, wire.path);
    }
    return await play(stages, options, io);
  } finally {
    await Promise.all(stages.map((stage) => stage.end()));
    const links = stages.flatMap(({ place, wire }) => (place === wire.path ? [] : [place]));
    for (const place of links) rmSync(place, { force: true });
  }
}

/** Answers until it is told to end, its time is over or a wire is lost. */
async function play(stages: readonly Stage[], { forMs, json }: Options, io: CommandIo): Promise<number> {
  const clock = hostClock;
  const beganMs = clock.monotonicMs();
  const show = json ? jsonView(stages, io) : textView(stages, io);
  show.begin();
  let shownMs = beganMs;
  for (;;) {
    const nowMs = clock.monotonicMs();
    for (const stage of stages) stage.move(nowMs - beganMs);
    const lost = stages.find((stage) => stage.lost !== undefined)?.lost;
    const isOver = io.signal.aborted || lost !== undefined || nowMs - beganMs >= forMs;
    if (isOver || nowMs - shownMs >= SHOW_EVERY_MS) {
      show.update(isOver);
      shownMs = nowMs;
    }
    if (lost !== undefined) throw new UserError(`${lost}; plug the adapter in and start again`, EXIT.io);
    if (isOver) return EXIT.ok;
    await sleep(clock, Math.min(MOVE_EVERY_MS, forMs));
  }
}

/** The same name for the same line at each start, so that a gateway.yaml can name it. */
function link(folder: string, name: string, path: string): string {
  const place = join(folder, name);
  // One that leads nowhere was left by a start that was killed; any other is in use, or is no link at all.
  if (existsSync(place)) {
    throw new UserError(
      `${place} is there: another simulate plays it, or it is a file of yours; ${ELSEWHERE}`,
      EXIT.io,
    );
  }
  try {
    makeDirectory(folder, LINKS_MODE);
    rmSync(place, { force: true });
    symlinkSync(path, place);
    return place;
  } catch (error) {
    throw new UserError(`cannot make ${place}: ${messageOf(error)}; ${ELSEWHERE}`, EXIT.io);
  }
}

const ELSEWHERE = "give --links another folder";

function checkFaults(lines: readonly LineConfig[], faults: ReadonlyMap<number, UnitFault>): void {
  const units = lines.flatMap((line) => line.devices.map(({ unitId }) => unitId));
  const stray = [...faults.keys()].find((unitId) => unitId !== ALL_UNITS && !units.includes(unitId));
  if (stray === undefined) return;
  const what = lines.length > 1 ? "these lines" : "this line";
  throw new UserError(`--fault: unit ${stray} is not on ${what}; it has ${units.join(", ")}`, EXIT.usage);
}

function chosenLines(options: Options, board: string | undefined): readonly LineConfig[] {
  const { file, model, unitId, serial, path } = options;
  if (file === undefined) return [lineOfModel({ model: model ?? "", unitId: unitId ?? "", serial: serial ?? "" })];
  const lines = linesOfFile({ file, line: options.line, board: options.board ?? board });
  if (path === undefined || lines.length === 1) return lines;
  const names = lines.map(({ name }) => name).join(", ");
  throw new UserError(
    `${file} has several lines, and --path is one port; write --line with one of ${names}`,
    EXIT.usage,
  );
}

interface Options {
  readonly file: string | undefined;
  readonly line: string | undefined;
  readonly board: string | undefined;
  readonly model: string | undefined;
  readonly unitId: string | undefined;
  readonly serial: string | undefined;
  readonly path: string | undefined;
  /** A folder for a link a line. */
  readonly links: string | undefined;
  /** By unit id, or for all. */
  readonly faults: ReadonlyMap<number, UnitFault>;
  readonly forMs: number;
  readonly json: boolean;
  readonly help: boolean;
}

function parse(args: string[]): Options {
  return readArguments(USAGE, () => {
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
        links: { type: "string" },
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
      links: values.links,
      faults: new Map(values.fault.map(parseFault)),
      forMs: values.for === undefined ? Number.POSITIVE_INFINITY : parseDuration(values.for),
    };
  });
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
