/** `sallyport read`: registers and coils of one device, with all that they may mean side by side. */
import { parseArgs } from "node:util";
import type { ByteOrder } from "../../config/config.ts";
import { type RegisterAddress, wireAddress } from "../../config/register-number.ts";
import { parseDuration, serialText } from "../../config/values.ts";
import { hostClock, sleep } from "../../core/clock.ts";
import { EXIT, UserError } from "../../core/errors.ts";
import type { Bus } from "../../sources/modbus/bus.ts";
import type { BusOutcome } from "../../sources/modbus/bus-request.ts";
import { type NumberType, TYPES_BY_WIDTH } from "../../sources/modbus/interpretations.ts";
import { ADDRESS_MAX, BITS_MAX, isBitTable, REGISTERS_MAX } from "../../sources/modbus/register-map.ts";
import { type Failure, failureOf } from "../answer-words.ts";
import { readArguments } from "../arguments.ts";
import { type BenchLine, type BenchSettings, openBus, stopReason, takeLine } from "../bench-line.ts";
import type { CommandIo } from "../io.ts";
import { LINE_OPTIONS, parseRegister, parseSettings, parseUnit, SETTINGS_HELP } from "../line-arguments.ts";
import { Page } from "./page.ts";
import { type Choice, contentOf, type Reply, tablesOf } from "./registers-view.ts";

const USAGE = "usage: sallyport read PORT --unit N REGISTER [--count N] [options]";

const HELP = `${USAGE}

Reads registers or coils of one device and shows each way to read them, so that
a wrong type or byte order is seen at a glance. It changes nothing.

  PORT               the serial port, as /dev/ttyUSB0
  REGISTER           as manuals print it: 40101 (holding register), 30001 (input
                     register), 00001 (coil), 10001 (discrete input); or as on
                     the wire, from 0: holdingRegister:100, coil:0. A manual
                     that counts from 0 means the latter
  --unit N           the device's address: its menu says Address, ID or Slave
  --count N          how many registers or coils; default: as many as a value
                     takes, at least 2 where the device has them
  --type TYPE        only this one: ${[...TYPES_BY_WIDTH.values()].flat().join(", ").replace("int32,", "int32,\n                    ")}
  --order ORDER      only this byte order: ABCD, CDAB, BADC or DCBA
  --watch            again every second; what changed is marked with >
  --every TIME       with --watch: how often, as 500ms
${SETTINGS_HELP}  --json             for machines: a line each time

A * marks what looks like something that is measured: the byte order with
sensible numbers is the one for gateway.yaml (byteOrder: CDAB).
Where the running gateway uses the port, it is asked for it, and goes without
it meanwhile: its values say "switched off", 10 minutes at most.

exit code   0 read, 64 wrong usage, 69 no answer or refused, 74 port vanished

  sallyport read /dev/ttyUSB0 --serial "9600 8N1" --unit 3 30001 --count 4
`;

const ORDERS: readonly ByteOrder[] = ["ABCD", "CDAB", "BADC", "DCBA"];
const WATCH_EVERY_MS = 1_000;
const WATCH_EVERY_MIN_MS = 100;
const COUNT_DEFAULT = 2;
const ATTEMPTS = 2;
const CLEAR_BELOW = "\x1b[J";
const CLEAR_LINE = "\x1b[K";
const NO_WRAP = "\x1b[?7l";
const WRAP = "\x1b[?7h";
const ILLEGAL_ADDRESS = 2;
const ILLEGAL_VALUE = 3;

export async function read(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args);
  if (options === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const line = await takeLine(options.settings.path, io);
  try {
    const bus = await openBus(options.settings, line.end);
    try {
      return await show(bus, line, options, io);
    } finally {
      await bus.close();
    }
  } finally {
    await line.release();
  }
}

interface Answer {
  readonly reply: Reply;
  readonly tookMs: number;
}

async function show(bus: Bus, line: BenchLine, options: Options, io: CommandIo): Promise<number> {
  const page = new Page(io.isTerminal);
  let quantity = options.count;
  let shownLines = 0;
  for (;;) {
    const beginMs = hostClock.monotonicMs();
    const answer = await ask(bus, options, quantity ?? defaultCount(options), quantity === undefined);
    const stopped = stopReason(line.signal);
    if (stopped !== undefined) throw new UserError(stopped, EXIT.unavailable);
    if ("text" in answer && !options.watch) throw new UserError(answer.text, answer.exitCode);
    if ("reply" in answer) quantity = answer.reply.quantity;
    if (options.json) io.out(`${jsonText(answer, options)}\n`);
    else shownLines = draw(pageLines(answer, page, options), shownLines, options.watch, io);
    if (!options.watch) return EXIT.ok;
    await pause(beginMs + options.everyMs, line.signal);
    if (line.signal.aborted) return ended(line);
  }
}

function ended({ signal }: BenchLine): number {
  const reason = stopReason(signal);
  if (reason !== undefined) throw new UserError(reason, EXIT.unavailable);
  return EXIT.ok;
}

/** A silent device is asked once more; a quantity nobody asked for that it refuses becomes one. */
async function ask(bus: Bus, options: Options, quantity: number, mayShrink: boolean): Promise<Answer | Failure> {
  const { unitId, at, settings } = options;
  let outcome: BusOutcome | undefined;
  let beginMs = 0;
  for (let attempt = 0; attempt < ATTEMPTS && outcome?.kind !== "data" && outcome?.kind !== "exception"; attempt++) {
    beginMs = hostClock.monotonicMs();
    outcome = await bus.execute({ kind: "read", unitId, ...at, quantity });
  }
  if (outcome?.kind === "data") {
    return { reply: { ...at, quantity, data: outcome.data }, tookMs: Math.round(outcome.atMs - beginMs) };
  }
  const isTooMany = outcome?.kind === "exception" && [ILLEGAL_ADDRESS, ILLEGAL_VALUE].includes(outcome.exceptionCode);
  if (mayShrink && quantity > 1 && isTooMany) return ask(bus, options, 1, false);
  if (outcome === undefined || outcome.kind === "written" || outcome.kind === "identified") {
    return { text: "no reply to a read", exitCode: EXIT.unavailable };
  }
  return failureOf(outcome, unitId, settings);
}

function pageLines(answer: Answer | Failure, page: Page, options: Options): readonly string[] {
  const { settings, unitId, watch, everyMs } = options;
  const where = `${settings.path}, ${serialText(settings.serial)}, unit ${unitId}`;
  const hint = watch ? [`every ${everyMs}ms; Ctrl-C ends; > changed since the last time`] : [];
  if ("text" in answer) return [`${where}: ${answer.text}`, ...hint];
  const tables = tablesOf(answer.reply, options.choice);
  const legend = isBitTable(answer.reply.table) || answer.reply.quantity === 1 ? [] : ["", LEGEND];
  return [`${where}: answered in ${answer.tookMs}ms`, "", ...page.lines(tables), ...legend, ...hint];
}

const LEGEND = "* looks like something measured; a wrong byte order gives absurd numbers";

/** On a terminal the page stays in its place. */
function draw(lines: readonly string[], shownLines: number, watch: boolean, io: CommandIo): number {
  if (!io.isTerminal || !watch) {
    io.out(`${lines.join("\n")}\n${watch ? "\n" : ""}`);
    return 0;
  }
  // The last line says how to end it.
  const fitting = [...lines.slice(0, Math.max(1, Math.min(lines.length - 1, io.rows - 2))), ...lines.slice(-1)];
  const up = shownLines === 0 ? "" : `\x1b[${shownLines}A\r`;
  // Lines that are wrapped would be more than were counted.
  io.out(`${NO_WRAP}${up}${fitting.map((text) => `${text}${CLEAR_LINE}\n`).join("")}${CLEAR_BELOW}${WRAP}`);
  return fitting.length;
}

function jsonText(answer: Answer | Failure, { settings, unitId, choice }: Options): string {
  const head = { path: settings.path, serial: serialText(settings.serial), unitId };
  const content =
    "text" in answer
      ? { ...head, error: answer.text }
      : { ...head, tookMs: answer.tookMs, ...contentOf(answer.reply, choice) };
  return JSON.stringify(content, (_key, value) => (typeof value === "bigint" ? String(value) : value));
}

/** Until that time, or the end. */
function pause(untilMs: number, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((done) => {
    if (signal.aborted) done();
    else signal.addEventListener("abort", () => done(), { once: true });
  });
  return Promise.race([aborted, sleep(hostClock, untilMs - hostClock.monotonicMs())]);
}

function defaultCount({ at, choice }: Options): number {
  const wanted = isBitTable(at.table) ? 1 : (widthOf(choice) ?? COUNT_DEFAULT);
  return Math.min(wanted, ADDRESS_MAX + 1 - at.address);
}

interface Options {
  readonly settings: BenchSettings;
  readonly unitId: number;
  readonly at: RegisterAddress;
  /** Absent: as many as make sense. */
  readonly count: number | undefined;
  readonly choice: Choice;
  readonly watch: boolean;
  readonly everyMs: number;
  readonly json: boolean;
}

function parse(args: string[]): Options | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...LINE_OPTIONS,
        unit: { type: "string" },
        count: { type: "string" },
        type: { type: "string" },
        order: { type: "string" },
        watch: { type: "boolean", default: false },
        every: { type: "string" },
      },
    });
    if (values.help) return "help";
    const [path, register, ...more] = positionals;
    if (more.length > 0) throw new Error("name one register only; --count reads more of them");
    const settings = parseSettings(path, values);
    const at = parseRegister(register);
    const everyMs = values.every === undefined ? WATCH_EVERY_MS : parseDuration(values.every);
    if (everyMs < WATCH_EVERY_MIN_MS) throw new Error(`--every is at least ${WATCH_EVERY_MIN_MS}ms`);
    const choice = parseChoice(values.type, values.order);
    const count = values.count === undefined ? undefined : parseCount(values.count, at);
    refuseUnreadable(choice, at, count);
    return {
      settings,
      unitId: parseUnit(values.unit),
      at,
      count,
      choice,
      watch: values.watch,
      everyMs,
      json: values.json,
    };
  });
}

function parseCount(text: string, { table, address }: RegisterAddress): number {
  const count = Number(text);
  const max = Math.min(isBitTable(table) ? BITS_MAX : REGISTERS_MAX, ADDRESS_MAX + 1 - address);
  if (!/^\d{1,4}$/.test(text) || count < 1 || count > max) throw new Error(`--count ${text}: write 1 to ${max}`);
  return count;
}

function widthOf({ type }: Choice): number | undefined {
  return [...TYPES_BY_WIDTH].find(([, types]) => types.some((each) => each === type))?.[0];
}

/** Else what was asked for would be left out without a word. */
function refuseUnreadable(choice: Choice, at: RegisterAddress, count: number | undefined): void {
  if (choice.type === undefined) return;
  if (isBitTable(at.table)) throw new Error(`--type ${choice.type}: ${wireAddress(at)} is a bit; leave --type out`);
  const width = widthOf(choice) ?? 1;
  if (width > Math.min(count ?? width, ADDRESS_MAX + 1 - at.address)) {
    throw new Error(
      `--type ${choice.type} takes ${width} registers: --count ${width} or more, none beyond ${ADDRESS_MAX}`,
    );
  }
}

function parseChoice(type: string | undefined, order: string | undefined): Choice {
  const types = [...TYPES_BY_WIDTH.values()].flat();
  const known = types.find((each): each is NumberType => each === type);
  const byteOrder = ORDERS.find((each) => each === order?.toUpperCase());
  if (type !== undefined && known === undefined) throw new Error(`--type ${type}: write one of ${types.join(", ")}`);
  if (order !== undefined && byteOrder === undefined) throw new Error(`--order is one of ${ORDERS.join(", ")}`);
  return { ...(known !== undefined && { type: known }), ...(byteOrder !== undefined && { byteOrder }) };
}
