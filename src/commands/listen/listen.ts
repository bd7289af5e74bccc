/** `sallyport listen`: what goes by on a line, without a byte of our own. */
import { parseArgs } from "node:util";
import { parseDuration, serialText } from "../../config/values.ts";
import { hostClock } from "../../core/clock.ts";
import { EXIT, messageOf, UserError } from "../../core/errors.ts";
import type { Overheard } from "../../sources/modbus/overhearing.ts";
import { serialportLine } from "../../sources/modbus/serialport-line.ts";
import { readArguments } from "../arguments.ts";
import { type BenchLine, type BenchSettings, benchConfig, portFailure, stopReason, takeLine } from "../bench-line.ts";
import type { CommandIo } from "../io.ts";
import { LINE_OPTIONS, parseSettings, SETTINGS_HELP } from "../line-arguments.ts";
import { cut, listing, pageColumns } from "../listing.ts";
import { Capture } from "./capture.ts";
import { Ear } from "./ear.ts";
import { askedOf, askedText, fateText, hexText } from "./frame-words.ts";
import { LineBook, meanMs, periodMs, type UnitRow } from "./line-book.ts";

const USAGE = "usage: sallyport listen PORT [--for TIME] [--capture FILE] [options]";

const HELP = `${USAGE}

Shows what goes by on a line on which another master talks: requests, replies,
silent units, damaged frames, noise. It sends nothing. Ctrl-C ends it with a
summary: who was asked for what, how often, and who did not answer.

  PORT               the serial port, as /dev/ttyUSB0, beside the others on A
                     and B
  --for TIME         end after so long, as 1m; default: when told (Ctrl-C)
  --capture FILE     writes each frame to a new file (YAML, 10 MB at most), as
                     proof, or to be replayed by a test
  --quiet            only the summary
${SETTINGS_HELP}  --json             for machines: a line each frame, then the summary

With the wrong settings all is noise: \`sallyport scan PORT\` listens at each.
Where the running gateway uses the port, it is asked for it and reads nothing
meanwhile: to hear the gateway itself, listen at a second adapter.

exit code   0 told to end, 64 wrong usage, 69 no such port or nothing heard,
            74 the port vanished or FILE cannot be written
`;

export async function listen(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args);
  if (options === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const line = await takeLine(options.settings.path, io);
  try {
    return await follow(line, options, io);
  } finally {
    await line.release();
  }
}

async function follow(line: BenchLine, options: Options, io: CommandIo): Promise<number> {
  const { settings, captureFile, forMs, json } = options;
  const clock = hostClock;
  const beginMs = clock.monotonicMs();
  const book = new LineBook();
  const port = serialportLine(benchConfig(settings));
  let capture: Capture | undefined;
  const ear = new Ear({ line: port, serial: settings.serial, clock });
  ear.onBytes = (bytes, atMs) => {
    const gapMs = book.heard(bytes.length, atMs);
    if (gapMs > SILENCE_SHOWN_MS && !options.quiet) io.out(silenceLine(gapMs, atMs - beginMs, json));
  };
  ear.onHeard = (event) => {
    book.note(event);
    if (!options.quiet) io.out(json ? jsonLine(event, beginMs) : textLine(event, beginMs, pageColumns(io.columns)));
    try {
      capture?.note(event);
    } catch (error) {
      line.end(messageOf(error));
    }
  };
  try {
    await ear.open().catch((error) => {
      throw portFailure(error);
    });
    ear.onLost = line.end;
    // Not before: a port that cannot be opened leaves no empty file that the next attempt would not overwrite.
    if (captureFile !== undefined) {
      capture = new Capture(captureFile, { path: settings.path, serial: serialText(settings.serial) }, beginMs);
    }
    if (!json) io.err(`listening on ${settings.path} at ${serialText(settings.serial)}; Ctrl-C ends\n`);
    await ear.until(line.signal, forMs);
  } finally {
    await ear.close();
    capture?.close();
  }
  io.out(json ? `${JSON.stringify(summaryOf(book))}\n` : summaryText(book, options, io.columns));
  if (capture?.isFull) io.err(`${captureFile} is full: what came later is not in it\n`);
  const reason = stopReason(line.signal);
  if (reason !== undefined) throw new UserError(reason, EXIT.io);
  return book.frames === 0 ? EXIT.unavailable : EXIT.ok;
}

/** Between two polls there are pauses; one that is worth a line is longer. */
const SILENCE_SHOWN_MS = 1_500;

function silenceLine(gapMs: number, atMs: number, json: boolean): string {
  if (json) return `${JSON.stringify({ atMs: Math.round(atMs), silenceMs: Math.round(gapMs) })}\n`;
  return `${" ".repeat(AT_COLUMNS)}  silence of ${durationWords(gapMs)}\n`;
}

function textLine(event: Overheard, beginMs: number, columns: number): string {
  const at = ((event.atMs - beginMs) / 1_000).toFixed(3).padStart(AT_COLUMNS);
  return `${cut(`${at}  ${whatText(event)}`, columns)}\n`;
}

function whatText(event: Overheard): string {
  if (event.kind === "noise") return `noise, ${event.bytes.length} bytes: ${hexText(event.bytes, SHOWN_BYTES)}`;
  if (event.kind === "stray")
    return `unit ${event.frame[0]}: a reply nobody asked for: ${hexText(event.frame, SHOWN_BYTES)}`;
  const asked = askedOf(event.request);
  return `unit ${String(asked.unitId).padEnd(3)} ${askedText(asked).padEnd(40)}  ${fateText(event)}`;
}

const SHOWN_BYTES = 10;
const AT_COLUMNS = 9;

function jsonLine(event: Overheard, beginMs: number): string {
  const atMs = Math.round(event.atMs - beginMs);
  if (event.kind === "noise") return `${JSON.stringify({ atMs, noise: hexText(event.bytes) })}\n`;
  if (event.kind === "stray") return `${JSON.stringify({ atMs, stray: hexText(event.frame) })}\n`;
  const { request, reply, fate, tookMs } = event;
  const took = tookMs === undefined ? {} : { tookMs: Math.round(tookMs) };
  const came = reply === undefined ? {} : { reply: hexText(reply) };
  return `${JSON.stringify({ atMs, ...askedOf(request), fate, ...took, request: hexText(request), ...came })}\n`;
}

function summaryOf(book: LineBook): object {
  const units = book.units().map(({ requests, tookMs: _sum, tookMaxMs, ...unit }) => ({
    ...unit,
    meanMs: rounded(meanMs({ ...unit, requests, tookMs: _sum, tookMaxMs })),
    maxMs: Math.round(tookMaxMs),
    requests: [...requests.values()].map((row) => ({
      ...row.asked,
      times: row.times,
      everyMs: rounded(periodMs(row)),
    })),
  }));
  return { summary: { ...book.totals(), units } };
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms);
}

function summaryText(book: LineBook, { settings }: Options, columns: number): string {
  const { bytes, frames, strays, noiseBytes, longestGapMs } = book.totals();
  const serial = serialText(settings.serial);
  if (bytes === 0) return "nothing was heard: no other master talks here, or A and B are not connected\n";
  if (frames === 0) {
    return `${bytes} bytes and no frame at ${serial}: another speed or parity, or A and B swapped; sallyport scan listens at each\n`;
  }
  const layout = { columns: pageColumns(columns), indent: 2 };
  const head = ["unit", "asked", "answered", "refused", "no answer", "damaged", "mean", "longest"];
  const rows = book.units().map((unit) => unitCells(unit));
  const requests = book.units().flatMap(({ unitId, requests: all }) =>
    [...all.values()].slice(0, REQUESTS_SHOWN).map((row) => {
      const every = periodMs(row);
      const often = every === undefined ? "once" : `every ${durationWords(every)}`;
      return [`unit ${unitId}`, askedText(row.asked), often, row.times === 1 ? "" : `${row.times} times`];
    }),
  );
  const rest = [
    `${frames} frames at ${serial}; the longest silence ${durationWords(longestGapMs)}`,
    ...(strays > 0 ? [`${strays} replies to requests that were not heard`] : []),
    ...(noiseBytes > 0 ? [`${noiseBytes} bytes of noise: termination, shield, or another speed in between`] : []),
  ];
  const table = listing([head, ...rows], { ...layout, yielding: [] });
  return `${table}\n${listing(requests, { ...layout, yielding: [1] })}\n${rest.join("\n")}\n`;
}

const REQUESTS_SHOWN = 20;

function unitCells(unit: UnitRow): readonly string[] {
  const { unitId, asked, answered, refused, silent, damaged, tookMaxMs } = unit;
  const mean = meanMs(unit);
  const times = mean === undefined ? ["", ""] : [`${Math.round(mean)}ms`, `${Math.round(tookMaxMs)}ms`];
  return [unitId, asked, answered, refused, silent, damaged].map(String).concat(times);
}

function durationWords(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)}ms` : `${(ms / 1_000).toFixed(1)}s`;
}

interface Options {
  readonly settings: BenchSettings;
  readonly captureFile: string | undefined;
  readonly forMs: number;
  readonly quiet: boolean;
  readonly json: boolean;
}

function parse(args: string[]): Options | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...LINE_OPTIONS,
        for: { type: "string" },
        capture: { type: "string" },
        quiet: { type: "boolean", default: false },
      },
    });
    if (values.help) return "help";
    const [path, ...more] = positionals;
    if (more.length > 0) throw new Error("name one port only");
    return {
      settings: parseSettings(path, values),
      captureFile: values.capture,
      forMs: values.for === undefined ? Number.POSITIVE_INFINITY : parseDuration(values.for),
      quiet: values.quiet,
      json: values.json,
    };
  });
}
