/** `sallyport check FILE`: every mistake of a configuration at once, or what the gateway would make of it. */
import { statSync } from "node:fs";
import { parseArgs } from "node:util";
import { loadBoard } from "../config/board.ts";
import type { Config, InputConfig, LineConfig, UplinkConfig } from "../config/config.ts";
import { keyOf } from "../config/document.ts";
import { type CheckedConfig, checkConfig } from "../config/load.ts";
import type { Notice } from "../config/not-yet.ts";
import { openTags } from "../config/remote-writes.ts";
import { checkSite } from "../config/site.ts";
import { durationText, serialText, sizeText } from "../config/values.ts";
import { ConfigurationError, EXIT, type Problem, UserError } from "../core/errors.ts";
import { type LineBudget, predictLine, shortfallOf } from "../sources/modbus/budget.ts";
import { readArguments } from "./arguments.ts";
import { busBudgetText } from "./bus-budget.ts";
import type { CommandIo } from "./io.ts";
import { counted, listing, pageColumns, wrapped } from "./listing.ts";
import { machineText } from "./machine-text.ts";
import { siteText } from "./site-report.ts";
import { tagListing } from "./tag-listing.ts";

const USAGE = "usage: sallyport check FILE|FOLDER [--capacity] [--force] [--json] [options]";

const HELP = `${USAGE}

Checks a configuration without touching any hardware or broker. Tells all
mistakes at once, each as file:line:column key: what is wrong; what to do.
Without mistakes it shows what the gateway would read, how often, and where it
would send it; every register both as manuals print it (40101) and as it goes
over the wire (holdingRegister:100).

The bus budget tells how busy each line will be and the period each group of
tags will really get, with all devices there and with some lost. What a line
cannot carry is a mistake.

FOLDER is that of a site: site.yaml tells the board and its network, and
gateway.yaml stands beside it. The mistakes of both are told at once; without
any it shows what the board may say on its network, and to whom.

  --board NAME  lines and pins may be called by the labels of this board;
                default: $SALLYPORT_BOARD, else none
  --force       accept a line that cannot carry what is asked of it: run does,
                and reads everything less often, in proportion
  --without-key  of FOLDER: its key and certificate come later
  --capacity    in place of the above: how many values and messages a second,
                how busy each line, how many bytes a day on the network, how
                long an outage is kept, how much of a board; and what is too
                much. Where all values change at each look, and where none does
  --change P    of --capacity: also where so many of the looks find another
                value; default 10%
  --json        the same for machines:
                {"problems":[…],"warnings":[…],"notices":[…],"config":…,
                 "budget":[…]}, of a site also "site" and "plan",
                with --capacity also "capacity", with its "shortages"

exit code   0 no mistakes, 78 mistakes, 64 wrong usage

The shortest useful configuration:

  version: 1
  gateway: { group: plant-7, name: pump-house-3 }
  uplinks:
    cloud: { servers: [ "mqtts://b.example.com:8883" ], tls: { ca: ca.pem } }
  lines:
    adapter:
      path: /dev/ttyUSB0
      serial: 9600 8N1
      devices:
        meter-1: { unitId: 1, model: eastron-sdm630 }
`;

const CHANGE_DEFAULT = "10%";
const PERCENT = /^(\d+(?:\.\d+)?)\s?%$/;

interface Arguments {
  readonly file: string;
  readonly board: string | undefined;
  readonly force: boolean;
  readonly withoutKey: boolean;
  readonly json: boolean;
  /** Of what is looked at: so much is another value. Absent: capacity is not asked for. */
  readonly change: number | undefined;
}

export async function check(args: string[], io: CommandIo): Promise<number> {
  const given = parse(args);
  if (given === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  try {
    if (isFolder(given.file)) return await tellSite(given, io);
    const checked = checkConfig(given.file, { board: loadBoard(given.board ?? io.env.SALLYPORT_BOARD) });
    return await tell(checked, given, io);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    if (given.json)
      io.out(machineText({ problems: error.problems, warnings: [], notices: [], config: null, budget: [] }));
    else io.err(mistakesText(error));
    return error.exitCode;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function tellSite(given: Arguments, io: CommandIo): Promise<number> {
  if (given.board !== undefined) throw new UserError("the board of a site stands in its site.yaml", EXIT.usage);
  const checked = checkSite(given.file, given.withoutKey);
  if (!given.json && given.change === undefined) io.out(siteText(given.file, checked, pageColumns(io.columns)));
  return tell(checked.gateway, given, io, { site: checked.site, plan: checked.plan });
}

async function tell(checked: CheckedConfig, given: Arguments, io: CommandIo, more: object = {}): Promise<number> {
  const { config, notices } = checked;
  const { force, json, change } = given;
  const columns = pageColumns(io.columns);
  const budget = config.lines.map((line) => predictLine(line));
  const overloads = overloadsOf(checked);
  const open = openTags(checked.config, checked.place);
  const refusal = force || overloads.length === 0 ? undefined : new ConfigurationError(overloads);
  const capacity = change === undefined ? undefined : await foretold(config, change);
  if (json) {
    const accepted = { problems: [], warnings: [...overloads, ...open] };
    const told = refusal === undefined ? accepted : { problems: overloads, warnings: open };
    const found = { notices, config: refusal === undefined ? config : null, budget };
    io.out(machineText({ ...told, ...found, ...more, ...(capacity && { capacity: capacity.found }) }));
  } else if (capacity !== undefined) {
    io.out(capacity.text(refusal === undefined ? overloads : [], columns));
  } else {
    io.out(
      refusal === undefined ? report(checked, budget, { overloads, open }, columns) : busBudgetText(budget, columns),
    );
  }
  if (refusal !== undefined && !json) io.err(mistakesText(refusal));
  return refusal?.exitCode ?? EXIT.ok;
}

/** Loaded by those who ask: formats and the outbox are much code. */
async function foretold(config: Config, change: number) {
  const { capacityOf } = await import("./capacity/capacity.ts");
  const { capacityText } = await import("./capacity/capacity-text.ts");
  const { shortagesOf } = await import("./capacity/shortages.ts");
  const capacity = capacityOf(config, change);
  const shortages = shortagesOf(config, capacity);
  return {
    found: { ...capacity, shortages },
    text: (overloads: readonly Problem[], columns: number) =>
      capacityText(config, capacity, [...overloads, ...shortages], columns),
  };
}

/** Lines that cannot carry what is asked of them. */
function overloadsOf({ config, place }: CheckedConfig): readonly Problem[] {
  return config.lines.flatMap((line) => {
    const shortfall = shortfallOf(line);
    if (shortfall === undefined) return [];
    const path = ["lines", line.name];
    const wrong = `${line.name} ${shortfall.needs}`;
    return [{ file: config.file, ...place(path), key: keyOf(path), wrong, remedy: shortfall.remedy }];
  });
}

function mistakesText({ message, problems }: ConfigurationError): string {
  return `${message}\n${counted(problems.length, "mistake")}\n`;
}

function parse(args: string[]): Arguments | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        board: { type: "string" },
        force: { type: "boolean", default: false },
        "without-key": { type: "boolean", default: false },
        capacity: { type: "boolean", default: false },
        change: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    const [file, ...more] = positionals;
    if (file === undefined) throw new Error("name the file to check");
    if (more.length > 0) throw new Error("name one file only");
    const { board, force, "without-key": withoutKey, json, capacity } = values;
    if (values.change !== undefined && !capacity) throw new Error("--change is for --capacity");
    const change = capacity ? shareOf(values.change ?? CHANGE_DEFAULT) : undefined;
    return { file, board, force, withoutKey, json, change };
  });
}

function shareOf(text: string): number {
  const percent = Number(PERCENT.exec(text)?.[1]);
  if (percent >= 0 && percent <= 100) return percent / 100;
  throw new Error(`--change is a share of all looks, as 10%, not ${text}`);
}

function report(
  { config, notices }: CheckedConfig,
  budget: readonly LineBudget[],
  { overloads, open }: { readonly overloads: readonly Problem[]; readonly open: readonly Problem[] },
  columns: number,
): string {
  const tags = config.lines.flatMap((line) => line.devices.flatMap((device) => device.tags)).length;
  const blocks = [
    `${config.file}: no mistakes\n`,
    `gateway ${config.gateway.group} ${config.gateway.name}: ${counted(tags, "tag")}, ${counted(config.inputs.length, "input")}\n`,
    `uplinks\n${listing(config.uplinks.flatMap(uplinkRows), { columns, indent: 2, yielding: [3, 2, 0] })}`,
    ...(config.lines.length === 0 ? [] : [`lines\n${config.lines.map((line) => lineText(line, columns)).join("\n")}`]),
    ...(config.inputs.length === 0
      ? []
      : [`inputs\n${listing(config.inputs.map(inputRow), { columns, indent: 2, yielding: [0, 1, 3] })}`]),
    ...(budget.length === 0 ? [] : [busBudgetText(budget, columns)]),
    keptText(config),
    ...(overloads.length === 0
      ? []
      : [problemsText("ACCEPTED, BUT ASKED LESS OFTEN THAN THE FILE SAYS", overloads, columns)]),
    ...(open.length === 0 ? [] : [problemsText("ACCEPTED, BUT ANYBODY AT THE BROKER CAN WRITE", open, columns)]),
    ...(notices.length === 0 ? [] : [noticesText(notices, columns)]),
  ];
  return blocks.join("\n");
}

function uplinkRows({ name, servers, format, topic }: UplinkConfig): string[][] {
  return servers.map((server, index) => {
    if (index > 0) return ["", "", `else ${server}`, ""];
    return [name, format, server, format === "sparkplug" ? "" : `topic ${topic}`];
  });
}

function lineText({ name, path, serial, devices }: LineConfig, columns: number): string {
  const head = listing([[name, path, serialText(serial)]], { columns, indent: 2, yielding: [1, 0] });
  const texts = devices.map((device) => {
    const state = device.enabled ? "" : ", switched off";
    const title = `    ${device.name}: unit ${device.unitId}, ${counted(device.tags.length, "tag")}${state}\n`;
    return title + tagListing(device.tags, columns, 6);
  });
  return head + texts.join("");
}

function inputRow({ name, pin, counter, activeLow, debounceMs, units = "" }: InputConfig): string[] {
  const label = typeof pin === "string" ? pin : `${pin.chip}:${pin.line}`;
  const kind = counter === undefined ? "on or off" : `counts ${counter.edge === "both" ? "both edges" : counter.edge}`;
  return [name, label, kind, units, activeLow ? "active low" : "", `debounce ${durationText(debounceMs)}`];
}

function keptText({ outbox }: Config): string {
  const { path, maxSizeBytes, maxAgeMs, commitIntervalMs } = outbox;
  return `outbox ${path}: up to ${sizeText(maxSizeBytes)} or ${durationText(maxAgeMs)}, committed every ${durationText(commitIntervalMs)}\n`;
}

function problemsText(title: string, problems: readonly Problem[], columns: number): string {
  const texts = problems.map(({ line, key, wrong, remedy }) => {
    return `  line ${line} ${key}\n${wrapped(`${wrong}; ${remedy}`, columns, 4)}`;
  });
  return `${title}\n${texts.join("")}`;
}

function noticesText(notices: readonly Notice[], columns: number): string {
  const texts = notices.map(({ line, key, text }) => `  line ${line} ${key}\n${wrapped(text, columns, 4)}`);
  return `ACCEPTED, BUT NOT ACTED ON\n${texts.join("")}`;
}
