/** `sallyport import`: the section `lines:` from what another program reads. */
import { existsSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { ByteOrder } from "../../config/config.ts";
import { LIMITS } from "../../config/defaults.ts";
import { readText } from "../../config/files.ts";
import { parseConfig } from "../../config/load.ts";
import { parseSerial } from "../../config/values.ts";
import { ConfigurationError, EXIT, messageOf, type Problem, UserError } from "../../core/errors.ts";
import { readArguments } from "../arguments.ts";
import type { CommandIo } from "../io.ts";
import { counted, pageColumns, wrapped } from "../listing.ts";
import { machineText } from "../machine-text.ts";
import { type Imported, type ImportedLine, type Left, linesText } from "./imported.ts";
import { importKepware, type KepwareTarget } from "./kepware.ts";
import { importNodeRed } from "./node-red.ts";

const USAGE = `usage: sallyport import kepware tags.csv --unit N [--output FILE]
       sallyport import node-red flows.json [--output FILE]
`;

const HELP = `${USAGE}
Writes the section lines: of gateway.yaml from what another program reads, and
lists what could not be carried over. Nothing is guessed without being told.

kepware    the tags of one Modbus device, exported from KEPServerEX as CSV:
           addresses, types, bits, scaling, units, scan rates. The CSV does not
           say where the device is:
  --unit N         its address on the line; --device NAME (default device-1)
  --path PORT      the serial port (default /dev/ttyUSB0)
  --serial S       its settings (default "19200 8E1")
  --byte-order O   of values in several registers; default CDAB, as
                   KEPServerEX has it unless its device says otherwise
node-red   flows that read with node-red-contrib-modbus over serial lines.
           What function nodes make of the registers is not carried over.

  --output FILE    write it there, never over a file that is there; default:
                   to standard output, and what was left out to standard error
  --json           {"lines":…,"left":[{"where":…,"what":…}]}

exit code   0 written, 64 wrong usage, 78 FILE is no such export,
            74 the output cannot be written

Put the section into a gateway.yaml (sallyport init writes one), then check it.
`;

const FILE_MAX_BYTES = 50_000_000;
const BYTE_ORDERS: readonly ByteOrder[] = ["ABCD", "BADC", "CDAB", "DCBA"];
/** Taking a tag out can show the next mistake; after so many rounds it is ours. */
const ROUNDS_MAX = 4;

type Given = {
  readonly file: string;
  readonly output: string | undefined;
  readonly json: boolean;
} & ({ readonly from: "kepware"; readonly target: KepwareTarget } | { readonly from: "node-red" });

export async function importLines(args: string[], io: CommandIo): Promise<number> {
  const given = parse(args);
  if (given === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const { lines, left } = usable(read(given));
  if (given.json) {
    io.out(machineText({ lines, left }));
    return EXIT.ok;
  }
  if (lines.length === 0) io.err("nothing could be carried over\n");
  else if (given.output === undefined) io.out(linesText(lines));
  else write(given.output, linesText(lines));
  tell(lines, left, io);
  return EXIT.ok;
}

function tell(lines: readonly ImportedLine[], left: readonly Left[], io: CommandIo): void {
  const devices = lines.flatMap((line) => line.devices);
  const tags = devices.flatMap((device) => device.tags);
  io.err(
    `carried over: ${counted(lines.length, "line")}, ${counted(devices.length, "device")}, ${counted(tags.length, "tag")}\n`,
  );
  if (left.length === 0) return;
  io.err("NOT CARRIED OVER, OR DIFFERENT\n");
  for (const { where, what } of left) io.err(wrapped(`${where}: ${what}`, pageColumns(io.columns), 2));
}

function read(given: Given): Imported {
  const text = readText(given.file, FILE_MAX_BYTES);
  if (typeof text !== "string") throw new UserError(`${text.wrong}; ${text.remedy}`, EXIT.configuration);
  try {
    return given.from === "kepware" ? importKepware(text, given.target) : importNodeRed(text);
  } catch (error) {
    throw new UserError(`${given.file}: ${messageOf(error)}`, EXIT.configuration);
  }
}

/** What `check` would refuse is taken out and told, so that the rest can be used at once. */
function usable(imported: Imported): Imported {
  let { lines } = imported;
  const left = [...imported.left];
  for (let round = 0; round < ROUNDS_MAX && lines.length > 0; round++) {
    const problems = problemsOf(lines);
    if (problems.length === 0) return { lines, left };
    const isWrong = (line: string, device: string, tag: string) =>
      problems.find(({ key }) => `${key}.`.startsWith(`lines.${line}.devices.${device}.tags.${tag}.`));
    lines = lines.flatMap((line) => {
      const devices = line.devices.flatMap((device) => {
        const tags = device.tags.filter((tag) => {
          const problem = isWrong(line.name, device.name, tag.name);
          if (problem !== undefined) left.push({ where: tag.name, what: `${problem.wrong}; ${problem.remedy}` });
          return problem === undefined;
        });
        return tags.length === 0 ? [] : [{ ...device, tags }];
      });
      return devices.length === 0 ? [] : [{ ...line, devices }];
    });
  }
  for (const { key, wrong, remedy } of lines.length === 0 ? [] : problemsOf(lines)) {
    left.push({ where: key, what: `${wrong}; ${remedy}` });
  }
  return { lines, left };
}

function problemsOf(lines: readonly ImportedLine[]): readonly Problem[] {
  const rest = 'version: 1\ngateway: { group: g, name: n }\nuplinks: { u: { servers: [ "mqtts://b" ] } }\n';
  try {
    parseConfig("gateway.yaml", rest + linesText(lines));
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

function write(path: string, text: string): void {
  if (existsSync(path)) throw new UserError(`${path} is there already; give another name`, EXIT.usage);
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UserError(`cannot write ${path}: ${messageOf(error)}`, EXIT.io);
  }
}

function parse(args: string[]): Given | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        unit: { type: "string" },
        device: { type: "string", default: "device-1" },
        path: { type: "string", default: "/dev/ttyUSB0" },
        serial: { type: "string", default: "19200 8E1" },
        "byte-order": { type: "string", default: "CDAB" },
        output: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    const [from, file, ...more] = positionals;
    if (from !== "kepware" && from !== "node-red") throw new Error("say from what: kepware or node-red");
    if (file === undefined || more.length > 0) throw new Error("name one file");
    const { output, json } = values;
    if (from === "node-red") return { from, file, output, json };
    return { from, file, output, json, target: targetOf(values) };
  });
}

function targetOf(given: {
  readonly unit?: string;
  readonly device: string;
  readonly path: string;
  readonly serial: string;
  readonly "byte-order": string;
}): KepwareTarget {
  const { min, max } = LIMITS.unitId;
  const unitId = Number(given.unit);
  if (given.unit === undefined) throw new Error("--unit is missing: the CSV does not hold the device's address");
  if (!Number.isInteger(unitId) || unitId < min || unitId > max) throw new Error(`--unit is ${min} to ${max}`);
  const byteOrder = BYTE_ORDERS.find((order) => order === given["byte-order"]);
  if (byteOrder === undefined) throw new Error(`--byte-order is one of ${BYTE_ORDERS.join(", ")}`);
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(given.device)) throw new Error("--device: use letters, digits, _ and -");
  return { device: given.device, unitId, path: given.path, serial: parseSerial(given.serial), byteOrder };
}
