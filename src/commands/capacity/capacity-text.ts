/** A capacity as text for people. */
import type { Config } from "../../config/config.ts";
import { durationText } from "../../config/values.ts";
import { listing, wrapped } from "../listing.ts";
import { ALL, type Capacity, type Intake, NONE, type OutboxCapacity, type UplinkCapacity } from "./capacity.ts";
import { FOOTPRINT_MEASURED } from "./measured.ts";
import type { Shortage } from "./shortages.ts";

const DAY_S = 86_400;
const MIB_BYTES = 1_048_576;
const DIGITS = 3;
const LEAST = 0.001;
const SIZES = [
  ["GB", 1e9],
  ["MB", 1e6],
  ["kB", 1e3],
] as const;

const INTAKE_HEAD = ["line", "tags", "values/s", "bus load"];
const UPLINK_HEAD = ["what changes", "values/s", "messages/s", "network a day"];
const OUTBOX_HEAD = ["what changes", "values/s", "bytes each", "a day", "lasts"];

const TAKEN_FOR_GRANTED = [
  "all: every look finds another value, beyond its deadband. A share: so many of the looks do, and the read before each change goes out with it. Nothing: each tag once a maxInterval, pings, what the format tells each minute, and what the gateway counts of itself.",
  "values/s of an uplink are those that go out. On/off inputs change once a scanRate at most. Nothing is sent as history.",
  "The network's bytes are those of both ways: MQTT in TLS 1.3, TCP and IPv4 with an MTU of 1500, each message answered by itself (npm run bench:capacity holds them, to 5 %, to what a kernel counts). A slow link gets fewer, larger messages.",
  "Values are made up: within min and max, else as large as four digits of 16 bits, or six of 32, and they move by about 1 % a look. What repeats takes less room in the outbox, noise takes more; the card is large enough for it.",
];

export function capacityText(config: Config, capacity: Capacity, shortages: readonly Shortage[], columns: number) {
  const blocks = [
    `${config.file}: what it carries\n`,
    intakeText(capacity, columns),
    ...capacity.uplinks.map((uplink) => uplinkText(uplink, columns)),
    outboxText(capacity, columns),
    boardText(capacity, columns),
    ...(shortages.length === 0 ? [] : [shortagesText(shortages, columns)]),
    `taken for granted\n${TAKEN_FOR_GRANTED.map((text) => item(text, columns)).join("")}`,
  ];
  return blocks.join("\n");
}

function intakeText({ intake }: Capacity, columns: number): string {
  const { lines, inputs, gateway, all } = intake;
  const rows = [
    INTAKE_HEAD,
    ...lines.map(({ line, utilisation, ...each }) => [line, ...intakeCells(each), `${digits(utilisation)} %`]),
    ...(inputs.tags === 0 ? [] : [["inputs", ...intakeCells(inputs), ""]]),
    ["the gateway's own", ...intakeCells(gateway), ""],
    ["in sum", ...intakeCells(all), ""],
  ];
  return `what is read\n${table(rows, columns)}`;
}

function intakeCells({ tags, valuesPerS }: Intake): string[] {
  return [`${tags}`, digits(valuesPerS)];
}

function uplinkText({ uplink, format, loads, connectBytes }: UplinkCapacity, columns: number): string {
  const rows = loads.map(({ share, samplesPerS, messagesPerS, networkBytesPerS }) => {
    return [shareText(share), digits(samplesPerS), digits(messagesPerS), bytesText(networkBytesPerS * DAY_S)];
  });
  return `what goes out: ${uplink}, ${format}\n${table([UPLINK_HEAD, ...rows], columns)}  each connect ${bytesText(connectBytes)}\n`;
}

function outboxText({ outbox }: Capacity, columns: number): string {
  const { roomBytes, maxAgeMs, keeps, less } = outbox;
  const rows = keeps.map((each) => [
    shareText(each.share),
    digits(each.samplesPerS),
    digits(each.bytesPerSample),
    bytesText(each.bytesPerDay),
    lastsText(each),
  ]);
  const title = `what an outage keeps: ${bytesText(roomBytes)} or ${durationText(maxAgeMs)}`;
  const ofUplinks = less.map(
    (each) => `  for ${each.uplink} only ${lastsText(each)}${each.days === 0 ? "" : ", where all changes"}\n`,
  );
  return `${title}\n${table([OUTBOX_HEAD, ...rows], columns)}${ofUplinks.join("")}`;
}

function lastsText({ days, isByAge }: Pick<OutboxCapacity, "days" | "isByAge">): string {
  if (days === 0) return "nothing (history: off)";
  const text = days < 2 ? `${digits(days * 24)} h` : `${digits(days)} days`;
  return isByAge ? `${text} (maxAge)` : text;
}

function boardText({ board }: Capacity, columns: number): string {
  const { rssBytes, rssMostBytes, memoryMaxBytes, cpu } = board;
  const rows = [
    ["memory", `${bytesText(rssBytes)}; ${bytesText(rssMostBytes)} while a backlog drains`],
    ["", `the service may use ${digits(memoryMaxBytes / MIB_BYTES)} MiB (MemoryMax)`],
    ["processor", `${digits(cpu)} % of one core`],
  ];
  return `what it takes of a board\n${listing(rows, { columns, indent: 2, yielding: [1] })}${wrapped(`as measured with one JSON uplink: ${FOOTPRINT_MEASURED}; a board is slower`, columns, 2)}`;
}

function shortagesText(shortages: readonly Shortage[], columns: number): string {
  const texts = shortages.map(({ key, wrong, remedy }) => `  ${key}\n${wrapped(`${wrong}; ${remedy}`, columns, 4)}`);
  return `TOO MUCH\n${texts.join("")}`;
}

function item(text: string, columns: number): string {
  const [first = "", ...rest] = wrapped(text, columns, 4).split("\n");
  return [`  - ${first.trimStart()}`, ...rest].join("\n");
}

/** Numbers stand one below the other; names are cut where they are too long. */
function table(rows: readonly (readonly string[])[], columns: number): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const aligned = rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell : cell.padStart(widths[column] ?? 0))),
  );
  return listing(aligned, { columns, indent: 2, yielding: [0] });
}

function shareText(share: number): string {
  if (share === ALL) return "all";
  return share === NONE ? "nothing" : `${digits(share * 100)} %`;
}

/** Three digits: more is not known. */
function digits(value: number): string {
  if (value > 0 && value < LEAST) return `< ${LEAST}`;
  return String(Number(value.toPrecision(DIGITS)));
}

function bytesText(bytes: number): string {
  const [unit, size] = SIZES.find(([, least]) => bytes >= least) ?? ["B", 1];
  return `${digits(bytes / size)} ${unit}`;
}
