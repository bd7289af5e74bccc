/** `sallyport hw-test`: is this very board in order? Told step by step, with what is to be wired, and kept as a protocol. */
import { appendFileSync, existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { headOf, STEPS, testBoard } from "../../hw-test/board-test.ts";
import { hasPassed, protocolText } from "../../hw-test/protocol.ts";
import type { Bench } from "../../hw-test/step.ts";
import { type Board, loadBoard } from "../config/board.ts";
import type { Config } from "../config/config.ts";
import { checkConfig } from "../config/load.ts";
import { hostClock } from "../core/clock.ts";
import { makeDirectory } from "../core/directory.ts";
import { EXIT, messageOf, UserError } from "../core/errors.ts";
import { createChardevPins, hasGpioChips } from "../sources/gpio/chardev-pins.ts";
import type { PinAddress } from "../sources/gpio/pin-driver.ts";
import { serialportLine } from "../sources/modbus/serialport-line.ts";
import { readArguments } from "./arguments.ts";
import { createMachine } from "./doctor/machine.ts";
import type { CommandIo } from "./io.ts";
import { machineText } from "./machine-text.ts";
import { findGateway } from "./running-gateway.ts";

const USAGE = "usage: sallyport hw-test [FILE] [--lines A,B] [--pins A,B] [--only STEP]...";

const HELP = `${USAGE}

Tests this board: tells step by step what to wire, in words and a drawing, and
keeps a protocol with date, serial number and result. What has no rig is
skipped, and said so; only where every step has passed the board has. Stop the
service before: systemctl stop sallyport.

${STEPS.map(({ name, title }) => `  ${name.padEnd(10)} ${title}\n`).join("")}
  FILE               gateway.yaml; default: /etc/sallyport/gateway.yaml
  --board NAME       lines, pins and light by the labels of this board;
                     default: $SALLYPORT_BOARD, else none
  --lines A,B        two lines that are joined: labels, or device files
  --known-line NAME  instead: a line of FILE with its devices
  --pins A,B         two pins that are joined: labels, or CHIP:LINE
  --watchdog         crash the kernel, to see the watchdog bite
  --only STEP        this step; may be said more than once
  --data DIR         on the card that the gateway writes to; default:
                     $STATE_DIRECTORY, /var/lib/sallyport, else ./state
  --protocol FILE    default: hw-test.txt in that folder; it is added to
  --json             for machines, without questions

exit code   0 all passed, 1 something failed or was skipped, 64 wrong usage,
            69 the service runs, 74 the protocol cannot be written
`;

const USUAL_FILE = "/etc/sallyport/gateway.yaml";
const USUAL_DATA = "/var/lib/sallyport";
const PROTOCOL = "hw-test.txt";

export async function hwTest(args: string[], io: CommandIo): Promise<number> {
  const given = parse(args, io);
  if (given === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  if (findGateway(io) !== undefined) {
    throw new UserError("the service runs and uses what is to be tested: systemctl stop sallyport", EXIT.unavailable);
  }
  const board = loadBoard(given.board);
  const bench = benchOf(given, board, io);
  const head = headOf(bench.machine, bench.clock.wallMs());
  const keep = (entries: Parameters<typeof hasPassed>[0]["entries"]) =>
    write(given.protocol, protocolText({ ...head, entries }));
  const steps = STEPS.filter(({ name }) => given.only.length === 0 || given.only.includes(name));
  const tell = given.json ? () => undefined : (text: string) => io.out(text);
  const entries = await testBoard({ steps, bench, tell, keep });
  const protocol = { ...head, entries };
  keep(entries);
  io.out(
    given.json ? machineText({ ...protocol, passed: hasPassed(protocol) }) : `\n${protocolText(protocol).trimEnd()}\n`,
  );
  if (!given.json) io.out(`kept in ${given.protocol}\n`);
  return hasPassed(protocol) ? EXIT.ok : EXIT.failed;
}

function write(path: string, text: string): void {
  try {
    makeDirectory(dirname(path));
    appendFileSync(path, text, { flush: true });
  } catch (error) {
    throw new UserError(`cannot write ${path}: ${messageOf(error)}; give --protocol a place to write`, EXIT.io);
  }
}

function benchOf(given: Arguments, board: Board, io: CommandIo): Bench {
  const { lines, pins, knownLine } = given;
  const config = configOf(given, board);
  const path = (label: string) => board.lines[label] ?? label;
  return {
    clock: hostClock,
    machine: createMachine(),
    signal: io.signal,
    folder: given.data,
    bites: given.watchdog,
    openLine: serialportLine,
    ...(config !== undefined && { config }),
    ...(knownLine !== undefined && { knownLine }),
    ...(lines !== undefined && { lines: [path(lines[0]), path(lines[1])] as const }),
    ...(pins !== undefined && { pins: [pinOf(pins[0], board), pinOf(pins[1], board)] as const }),
    ...(board.light !== undefined && { light: board.light }),
    ...(hasGpioChips() && { pinDriver: createChardevPins() }),
    ...(io.hasKeyboard === true && !given.json && { ask: (question: string) => ask(question, io) }),
  };
}

/** One that was named has to be there. */
function configOf({ file, isNamed }: Arguments, board: Board): Config | undefined {
  return isNamed || existsSync(file) ? checkConfig(file, { board }).config : undefined;
}

function pinOf(label: string, board: Board): PinAddress {
  const known = board.pins[label];
  if (known !== undefined) return known;
  const [chip = "", line = ""] = label.split(/:(?=\d+$)/);
  if (!/^\d+$/.test(line)) {
    throw new UserError(`${label} is no pin of this board; write a label with --board, or CHIP:LINE`, EXIT.usage);
  }
  return { chip, line: Number(line) };
}

function ask(question: string, io: CommandIo): Promise<boolean> {
  io.out(`${question} [y/n] `);
  return new Promise((resolve) => {
    const answer = (isYes: boolean) => {
      stop();
      io.out(isYes ? "yes\n" : "no\n");
      resolve(isYes);
    };
    const stop = io.onKey((key) => {
      if (key === "y" || key === "n") answer(key === "y");
    });
    io.signal.addEventListener("abort", () => answer(false), { once: true });
  });
}

interface Arguments {
  readonly file: string;
  readonly isNamed: boolean;
  readonly board: string | undefined;
  readonly lines: readonly [string, string] | undefined;
  readonly knownLine: string | undefined;
  readonly pins: readonly [string, string] | undefined;
  readonly watchdog: boolean;
  readonly only: readonly string[];
  readonly data: string;
  readonly protocol: string;
  readonly json: boolean;
}

function parse(args: string[], io: CommandIo): Arguments | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        board: { type: "string" },
        lines: { type: "string" },
        "known-line": { type: "string" },
        pins: { type: "string" },
        watchdog: { type: "boolean", default: false },
        only: { type: "string", multiple: true, default: [] },
        data: { type: "string" },
        protocol: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    if (positionals.length > 1) throw new Error("name one file only");
    if (values.lines !== undefined && values["known-line"] !== undefined) {
      throw new Error("--lines and --known-line are two ways to test a line; take one");
    }
    const unknown = values.only.find((name) => !STEPS.some((step) => step.name === name));
    if (unknown !== undefined) throw new Error(`there is no step ${unknown}`);
    const usualData = existsSync(USUAL_DATA) ? USUAL_DATA : "state";
    const data = resolve(values.data ?? io.env.STATE_DIRECTORY?.split(":")[0] ?? usualData);
    return {
      file: resolve(positionals[0] ?? USUAL_FILE),
      isNamed: positionals[0] !== undefined,
      board: values.board ?? io.env.SALLYPORT_BOARD,
      lines: pairOf(values.lines, "--lines"),
      knownLine: values["known-line"],
      pins: pairOf(values.pins, "--pins"),
      watchdog: values.watchdog,
      only: values.only,
      data,
      protocol: resolve(values.protocol ?? join(data, PROTOCOL)),
      json: values.json,
    };
  });
}

function pairOf(text: string | undefined, option: string): readonly [string, string] | undefined {
  if (text === undefined) return undefined;
  const [first = "", second = "", ...more] = text.split(",");
  if (first === "" || second === "" || more.length > 0 || first === second)
    throw new Error(`${option} wants two different names with a comma between`);
  return [first, second];
}
