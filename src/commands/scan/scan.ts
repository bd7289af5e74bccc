/** `sallyport scan`: which devices are on a line, at which settings, and what they are. */
import { accessSync, constants, existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { serialText } from "../../config/values.ts";
import { type Clock, hostClock } from "../../core/clock.ts";
import { EXIT, messageOf, UserError } from "../../core/errors.ts";
import { planScan, scanMs } from "../../sources/modbus/scan-plan.ts";
import { serialportLine } from "../../sources/modbus/serialport-line.ts";
import { type BenchLine, benchConfig, openBus, portFailure, stopReason, takeLine } from "../bench-line.ts";
import type { CommandIo } from "../io.ts";
import { askedText } from "../listen/frame-words.ts";
import { counted } from "../listing.ts";
import { identify } from "./identify.ts";
import { gatewayFile, linesSection, withSection } from "./lines-section.ts";
import { ModelShelf } from "./model-shelf.ts";
import { overhearLine, type Traffic } from "./overhear.ts";
import { HELP, parse, type ScanArguments } from "./scan-arguments.ts";
import { ScanScreen, timeText } from "./scan-screen.ts";
import { type FoundDevice, placeText, type ScanResult, scanLine } from "./scanner.ts";

/** Nothing here becomes a value of anybody: a reply for a second time is no danger, and waiting for it would take minutes. */
const MAX_LATE_MS = 20;

export async function scan(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args);
  if (options === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  if (options.writeFile !== undefined) refuseToOverwrite(options.writeFile);
  const line = await takeLine(options.path, io);
  const screen = new ScanScreen(io, options.json, hostClock);
  try {
    const traffic = await listenFirst(line, options, screen, hostClock);
    if (traffic.kind === "master" && !options.force) return tellMaster(traffic, options, io);
    if (traffic.kind === "unclear") screen.say(UNCLEAR_TRAFFIC);
    const result = await search(line, options, screen);
    screen.end();
    const reason = stopReason(line.signal);
    if (reason !== undefined) io.err(`sallyport scan: ${reason}; what was found until then:\n`);
    return conclude(result, options, io);
  } finally {
    screen.end();
    await line.release();
  }
}

const UNCLEAR_TRAFFIC =
  "Bytes come that are no frame at any setting: noise, A and B swapped, another protocol or speed.";

async function listenFirst(
  { signal }: BenchLine,
  options: ScanArguments,
  screen: ScanScreen,
  clock: Clock,
): Promise<Traffic> {
  if (options.listenMs === 0) return { kind: "silent" };
  try {
    return await overhearLine({
      settings: options.settings,
      openLine: (serial) => serialportLine(benchConfig({ ...options, serial })),
      listenMs: options.listenMs,
      clock,
      signal,
      onListening: (serial) => screen.progress(`listening at ${serialText(serial)}: does anybody talk already?`),
    });
  } catch (error) {
    throw portFailure(error);
  }
}

async function search(line: BenchLine, options: ScanArguments, screen: ScanScreen): Promise<ScanResult> {
  const { settings, units, responseTimeoutMs } = options;
  const steps = planScan(settings, units);
  const shelf = new ModelShelf();
  screen.say(
    `Asking ${counted(units.length, "unit")} at ${counted(settings.length, "setting")}: ` +
      `${timeText(scanMs(steps, responseTimeoutMs))}, some more for each device found.\nCtrl-C ends with what was found.`,
  );
  return scanLine({
    steps,
    responseTimeoutMs,
    openBus: (serial) => openBus({ ...options, serial, maxLateMs: MAX_LATE_MS }, line.end),
    identify: (bus, unitId, signal) => identify(bus, unitId, shelf, signal),
    clock: hostClock,
    signal: line.signal,
    onLost: line.end,
    onProgress: (progress) => screen.searching(progress),
    onAnswer: (place) => screen.answered(place),
    onFound: (device) => screen.found(device),
  });
}

/** Two masters disturb each other, and what runs there is worth more than a scan. */
function tellMaster(traffic: Extract<Traffic, { kind: "master" }>, options: ScanArguments, io: CommandIo): number {
  const { serial, book } = traffic;
  const units = book.units();
  if (options.json) {
    const heard = units.filter(({ answered, refused }) => answered + refused > 0);
    io.out(`${JSON.stringify(heard.map(({ unitId }) => ({ unitId, serial: serialText(serial), identity: null })))}\n`);
  } else {
    const rows = units.map((unit) => {
      const [request] = unit.requests.values();
      const asked = request === undefined ? "" : `, ${askedText(request.asked)}`;
      return `  unit ${unit.unitId}: asked ${unit.asked} times, ${unit.answered + unit.refused} answered${asked}\n`;
    });
    io.out(`Another master talks here, at ${serialText(serial)}:\n${rows.join("")}`);
  }
  io.err(`nothing was sent: two masters on one line disturb each other. Unplug it and scan again, or --force;
to see more of it: sallyport listen ${options.path} --serial "${serialText(serial)}"\n`);
  return units.length > 0 ? EXIT.ok : EXIT.unavailable;
}

function conclude({ found, unclear, complete }: ScanResult, options: ScanArguments, io: CommandIo): number {
  if (options.json) {
    io.out(`${JSON.stringify(found.map(machineDevice), null, 2)}\n`);
  } else if (found.length === 0) {
    io.out(complete ? NOTHING_FOUND : "Nothing was found until then.\n");
  }
  for (const place of unclear) {
    io.err(`${placeText(place)}: damaged replies: two devices with this address, or noise\n`);
  }
  for (const unitId of ambiguous(found)) {
    io.err(`unit ${unitId} answers at several settings: several devices, or an adapter that ignores the speed\n`);
  }
  if (found.length === 0) return EXIT.unavailable;
  const section = linesSection(found, stablePath(options.path));
  if (!options.json) io.out(`\n${counted(found.length, "device")} found. For gateway.yaml:\n\n${section}`);
  if (options.writeFile !== undefined) writeSection(options.writeFile, section, io);
  else if (!options.json) io.err("\ncompare the first readings with each device's display\n");
  return EXIT.ok;
}

function ambiguous(found: readonly FoundDevice[]): readonly number[] {
  const units = found.map(({ unitId }) => unitId);
  return [...new Set(units.filter((unitId, i) => units.indexOf(unitId) !== i))];
}

const NOTHING_FOUND = `No device answered. In this order: is it on, and is Modbus RTU switched on in its menu? Are A and B
swapped (makers disagree on the names)? Is the adapter the right one? A slow device: --timeout 500ms.
`;

function machineDevice({ unitId, serial, identity }: FoundDevice): object {
  const { text, by, model } = identity;
  return { unitId, serial: serialText(serial), identity: text, by, model };
}

/** Names like /dev/ttyUSB0 change places when adapters are plugged in; these stay. */
function stablePath(path: string, folder = "/dev/serial/by-id"): string {
  try {
    const file = realpathSync(path);
    const name = readdirSync(folder).find((each) => realpathSync(join(folder, each)) === file);
    return name === undefined ? resolve(path) : join(folder, name);
  } catch {
    return resolve(path);
  }
}

/** Before the search: minutes later what was found would have nowhere to go. */
function refuseToOverwrite(file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
    fileWith(file, "lines: {}\n");
  } catch (error) {
    throw notWritten(file, error);
  }
}

function writeSection(file: string, section: string, io: CommandIo): void {
  try {
    const isNew = !existsSync(file);
    writeFileSync(file, fileWith(file, section), { flag: isNew ? "wx" : "w" });
  } catch (error) {
    throw notWritten(file, error);
  }
  io.err(`\nwritten to ${file}; sallyport check ${file} explains it\n`);
}

/** A new file, or what is there and the section behind it. */
function fileWith(file: string, section: string): string {
  if (!existsSync(file)) return gatewayFile(section);
  const text = readFileSync(file, "utf8");
  try {
    return withSection(text, section);
  } catch (error) {
    const remedy = "scan without --write and put in what is new";
    throw new UserError(`${file} ${messageOf(error)}; ${remedy}`, EXIT.usage);
  }
}

function notWritten(file: string, error: unknown): UserError {
  return error instanceof UserError ? error : new UserError(`${file} cannot be written: ${messageOf(error)}`, EXIT.io);
}
