import { parseArgs } from "node:util";
import type { LineConfig, SerialSettings } from "../../config/config.ts";
import { LIMITS } from "../../config/defaults.ts";
import { parseDuration, parseSerial, serialText } from "../../config/values.ts";
import { ALL_UNITS, FIELD_SETTINGS, isSame } from "../../sources/modbus/scan-plan.ts";
import { readArguments } from "../arguments.ts";
import { LINE_OPTIONS, parseRs485, parseTimeout } from "../line-arguments.ts";
import { wrapped } from "../listing.ts";

const USAGE = 'usage: sallyport scan PORT [--serial "9600 8N1"]... [--units 1-40] [options]';

/** Most devices answer in less; who takes longer is asked for with --timeout. */
const TIMEOUT_DEFAULT_MS = 150;
const LISTEN_DEFAULT_MS = 2_000;
const LISTEN_MAX_MS = 60_000;
const HELP_COLUMNS = 78;

export const HELP = `${USAGE}

Finds the devices of a line and their settings. It listens first, whether a
master talks there already, and sends nothing then. Else it asks address after
address at setting after setting for one register: addresses 1 to 16 at all
settings, then the others, and where something was found it goes on first.
It writes nothing to any device.

  PORT               the serial port, as /dev/ttyUSB0
  --serial SETTINGS  only at these; may be repeated. Default, in this order:
${wrapped(FIELD_SETTINGS.map(serialText).join(", "), HELP_COLUMNS, 21)}                     (a device with two stop bits answers there, too)
  --units LIST       only these addresses, as 1-40 or 1-10,247; default: 1-247
  --timeout TIME     how long to wait for each reply; default: 150ms. Slow
                     devices, and computers that play one, need 600ms
  --listen TIME      how long to listen first; default: 2s, 0 not at all
  --force            asks although another master talks
  --write FILE       writes gateway.yaml, or adds the lines to one without any
  --rs485 WHO        who switches direction: auto (default) or rts
  --json             for machines: [{"unitId","serial","identity","by","model"}]

A device is named by what it says of itself (function 43/14, then 17), or by
the model whose registers make sense on it; then it says "perhaps".
Where the running gateway uses the port, it is asked for it, and goes without
it meanwhile: its values say "switched off", 10 minutes at most.

exit code   0 found, 64 wrong usage, 69 nothing found or no such port,
            74 FILE cannot be written
`;

export interface ScanArguments {
  readonly path: string;
  readonly settings: readonly SerialSettings[];
  readonly units: readonly number[];
  readonly responseTimeoutMs: number;
  readonly rs485: LineConfig["rs485"];
  readonly listenMs: number;
  readonly force: boolean;
  readonly writeFile: string | undefined;
  readonly json: boolean;
}

/** @throws UserError with the usage */
export function parse(args: string[]): ScanArguments | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...LINE_OPTIONS,
        serial: { type: "string", multiple: true, default: [] },
        units: { type: "string" },
        listen: { type: "string" },
        force: { type: "boolean", default: false },
        write: { type: "string" },
      },
    });
    if (values.help) return "help";
    const [path, ...more] = positionals;
    if (path === undefined || more.length > 0) throw new Error("name one port, as /dev/ttyUSB0");
    return {
      path,
      settings: values.serial.length === 0 ? FIELD_SETTINGS : settingsOf(values.serial),
      units: values.units === undefined ? ALL_UNITS : parseUnits(values.units),
      responseTimeoutMs: values.timeout === undefined ? TIMEOUT_DEFAULT_MS : parseTimeout(values.timeout),
      rs485: parseRs485(values.rs485),
      listenMs: values.listen === undefined ? LISTEN_DEFAULT_MS : parseListen(values.listen),
      force: values.force,
      writeFile: values.write,
      json: values.json,
    };
  });
}

function settingsOf(texts: readonly string[]): readonly SerialSettings[] {
  const all = texts.map(parseSerial);
  return all.filter((serial, i) => all.findIndex((other) => isSame(other, serial)) === i);
}

/** `1-40`, `3`, `1-10,247`; in the order of the list, each once. */
export function parseUnits(text: string): readonly number[] {
  const { min, max } = LIMITS.unitId;
  const units = text.split(",").flatMap((part) => {
    const [, first = "", last = first] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(part.trim()) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === "" || from < min || to > max || from > to) {
      throw new Error(`--units ${text}: write ${min} to ${max}, as 1-40 or 1-10,247`);
    }
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return [...new Set(units)];
}

function parseListen(text: string): number {
  const ms = parseDuration(text);
  if (ms > LISTEN_MAX_MS) throw new Error(`--listen is at most ${LISTEN_MAX_MS / 1_000}s`);
  return ms;
}
