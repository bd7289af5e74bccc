/**
 * Whether `sallyport check --capacity` foretells what a gateway really sends:
 * `npm run bench:capacity [-- --short | --minutes 3] [--only json] [--json]`.
 *
 * Real gateways beside a Mosquitto over TLS, in a network of their own whose packets are as small as on Ethernet, with
 * devices whose every value changes, and with such that stand still. What the kernel counted of the gateway's
 * connection is held against what was foretold of the very same file. As root; else the network is the machine's, whose
 * packets on loopback are larger, so that fewer go.
 */
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import process, { argv, execArgv, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { HANDSHAKE_BYTES } from "../commands/capacity/measured.ts";
import { type Traffic, times, trafficOf } from "../commands/capacity/network.ts";
import { turnsOf } from "../commands/capacity/turn.ts";
import { type UplinkLoad, uplinkLoad } from "../commands/capacity/uplink-load.ts";
import { uplinkWords } from "../commands/capacity/uplink-words.ts";
import { loadConfig } from "../config/load.ts";
import { hostClock, sleep } from "../core/clock.ts";
import { assert } from "../core/errors.ts";
import { silentLog } from "../core/log.ts";
import { type Certificates, writeCertificates } from "../testing/certificates.ts";
import { type CountingPlantOptions, openCountingPlant } from "../testing/counting-plant.ts";
import { runGateway } from "../testing/gateway-process.ts";
import { type Mosquitto, startMosquitto } from "../testing/mosquitto.ts";
import { subscribe } from "../testing/subscriber.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { lengthOf, readCommandLine } from "./command-line.ts";
import { between, type Figure, hasMissed, reportText } from "./figure.ts";
import { openScratch } from "./scratch.ts";

const USAGE = "npm run bench:capacity [-- --short | --minutes 3] [--only json] [--json]";
/** How far what was sent may lie from what was foretold. */
const ERROR_MAX = 0.05;
const ETHERNET_MTU = 1_500;
/** IPv4 and TCP with timestamps. */
const SEGMENT_BYTES = 52;
const CONNECT = "connect";
const CONNECT_ERROR_MAX = 0.1;
/** As long as a status is. */
const WILL_BYTES = 100;
const WARM_UP_MS = 12_000;
const LOOK_MS = 100;
const LONG_MINUTES = "3";
const SHORT_MINUTES = "1";
const FIRST_MESSAGE_LIMIT_MS = 60_000;
const FORMATS = ["json", "sparkplug", "kepware"] as const;

interface Case {
  readonly name: string;
  readonly load: CountingPlantOptions;
}

/** Numbers of four digits, as those that are made up. */
const COUNTED_BEFORE = 4_000;
const MANY = { lines: 4, devicesPerLine: 5, tagsPerDevice: 50, scanRateMs: 1_000, countedBefore: COUNTED_BEFORE };
const FEW = { ...MANY, lines: 1, devicesPerLine: 2, tagsPerDevice: 20 };
/** Long enough for a minute: of fewer values a snapshot that is renewed just outside weighs too much. */
const SHORT_CASE = "1000_change";
const CASES: readonly Case[] = [
  { name: SHORT_CASE, load: MANY },
  { name: "40_change", load: FEW },
  { name: "40_still", load: { ...FEW, still: true } },
];

const options = readCommandLine(USAGE, () => {
  const { values } = parseArgs({
    args: argv.slice(2),
    options: {
      short: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      // This is the process within the network of its own.
      alone: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      minutes: { type: "string" },
    },
  });
  const { short, only, minutes } = values;
  if (short && minutes !== undefined) throw new Error("--short lasts a minute each; leave out --minutes");
  const names = FORMATS.flatMap((format) => CASES.map(({ name }) => `${format}_${name}`));
  const asked = names.filter((name) => name.includes(only) && (!short || name.endsWith(SHORT_CASE)));
  if (only !== CONNECT && asked.length === 0) throw new Error(onlyMistake(only, names));
  return { ...values, asked, minutes: lengthOf("--minutes", minutes ?? (short ? SHORT_MINUTES : LONG_MINUTES)) };
});

if (!options.alone && process.getuid?.() === 0) {
  const network = `ip link set lo mtu ${ETHERNET_MTU} up && exec "$@"`;
  const again = [...execArgv, ...argv.slice(1), "--alone"];
  // setpriv: it ends with this process, however this one ends.
  const command = ["--pdeathsig", "TERM", "unshare", "--net", "sh", "-c", network, "sh", process.execPath, ...again];
  process.exitCode = spawnSync("setpriv", command, { stdio: "inherit" }).status ?? 1;
} else {
  if (!options.alone)
    stderr.write("run it as root: on loopback packets are larger than on Ethernet, so fewer go than foretold\n");
  await compareAll();
}

async function compareAll(): Promise<void> {
  const dir = openScratch("capacity");
  const figures: Figure[] = [];
  if (options.only === "" || options.only === CONNECT) figures.push(await connectFigure(dir));
  for (const format of FORMATS) {
    for (const each of CASES) {
      const name = `${format}_${each.name}`;
      if (!options.asked.includes(name)) continue;
      stderr.write(`${name}: ${options.minutes} min\n`);
      figures.push(...(await compare(join(dir, name), format, each)));
    }
  }
  stdout.write(reportText({ loadAverage: loadavg()[0] ?? Number.NaN, figures }, options.json));
  process.exitCode = hasMissed(figures) ? 1 : 0;
}

function onlyMistake(only: string, names: readonly string[]): string {
  return `--only ${only}: give ${CONNECT}, or a part of ${names.join(", ")}; with --short of those in ${SHORT_CASE}`;
}

async function compare(folder: string, format: string, { name, load }: Case): Promise<readonly Figure[]> {
  await mkdir(folder, { recursive: true });
  const certificates = await writeCertificates(join(folder, "tls"), hostClock);
  const broker = await startMosquitto({ certificates });
  const plant = await openCountingPlant(load);
  const file = join(folder, "gateway.yaml");
  const { ca, client } = certificates;
  await writeFile(
    file,
    `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks:
  cloud:
    servers: [ "${broker.url}" ]
    format: ${format}
    tls: { ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }
clock: { source: host }
${plant.yaml}`,
  );
  try {
    const counted = await countedOf(file, join(folder, "state"), broker, certificates);
    return judged(`${format}_${name}`, counted, forecastOf(file, load.still === true));
  } finally {
    await broker.close();
    await plant.close();
  }
}

/** From the first packet to CONNACK, with certificates of a CA that has signed them itself. */
async function connectFigure(folder: string): Promise<Figure> {
  const certificates = await writeCertificates(join(folder, "tls"), hostClock);
  const broker = await startMosquitto({ certificates });
  const config = uplinkConfig(certificates, [broker.url]);
  const transport = createMqttTransport({ config, clock: hostClock, log: silentLog });
  const { clientId, keepAliveMs } = config;
  const will = {
    topic: "plant-7/pump-house-3/status",
    payload: Buffer.alloc(WILL_BYTES),
    qos: 1,
    retain: true,
  } as const;
  try {
    const connection = await transport.connect({ server: broker.url, clientId, keepAliveMs, will });
    // The last bare acknowledgement goes a little later.
    await sleep(hostClock, LOOK_MS);
    const { networkBytes } = countsOf(process.pid, broker.port);
    await connection.close();
    const [from, to] = [HANDSHAKE_BYTES * (1 - CONNECT_ERROR_MAX), HANDSHAKE_BYTES * (1 + CONNECT_ERROR_MAX)];
    return between(`${CONNECT}_network`, networkBytes, "B", from, to);
  } finally {
    await broker.close();
  }
}

type Counted = Pick<UplinkLoad, "messagesPerS" | "sentBytesPerS" | "networkBytesPerS">;

/** Of a gateway that has come to rest after its start. */
async function countedOf(
  file: string,
  stateDir: string,
  broker: Mosquitto,
  certificates: Certificates,
): Promise<Counted> {
  let messages = 0;
  const subscriber = await subscribe(broker.url, { certificates, onMessage: () => void messages++ });
  const gateway = runGateway(file, stateDir);
  try {
    const startedMs = hostClock.monotonicMs();
    while (messages === 0) {
      assert(hostClock.monotonicMs() - startedMs < FIRST_MESSAGE_LIMIT_MS, `nothing came: ${gateway.log()}`);
      await sleep(hostClock, LOOK_MS);
    }
    await sleep(hostClock, WARM_UP_MS);
    const before = { ...countsOf(gateway.pid, broker.port), messages, atMs: hostClock.monotonicMs() };
    await sleep(hostClock, options.minutes * 60_000);
    const after = { ...countsOf(gateway.pid, broker.port), messages, atMs: hostClock.monotonicMs() };
    const perS = (of: keyof typeof before) => ((after[of] - before[of]) * 1_000) / (after.atMs - before.atMs);
    return {
      messagesPerS: perS("messages"),
      sentBytesPerS: perS("sentBytes"),
      networkBytesPerS: perS("networkBytes"),
    };
  } finally {
    await gateway.kill();
    await subscriber.close();
  }
}

interface Forecast {
  readonly least: Counted;
  readonly most: Counted;
  /** What a message costs but for the values in it. */
  readonly message: Traffic;
}

/** Where the plant stands still, the gateway's own gauges may, or may not. */
function forecastOf(file: string, isStill: boolean): Forecast {
  const config = loadConfig(file);
  const [uplink] = config.uplinks;
  assert(uplink !== undefined, "there is one");
  const words = uplinkWords(config, uplink);
  const bytes = Math.min(...[...words.devices.values()].map(({ messageBytes }) => messageBytes));
  const message = trafficOf({ bytes, question: words.question });
  const turns = turnsOf(config);
  const still = turns.map((turn) => {
    if (turn.line === undefined) return turn;
    return { ...turn, tags: turn.tags.map((each) => ({ ...each, motion: "never" as const })) };
  });
  const most = uplinkLoad(uplink, words, isStill ? still : turns, 1);
  return { least: isStill ? uplinkLoad(uplink, words, still, 0) : most, most, message };
}

/** A busy machine lets values of several replies share a message: that spares what stands around them. */
function judged(name: string, counted: Counted, { least, most, message }: Forecast): readonly Figure[] {
  const spared = times(message, Math.max(0, least.messagesPerS - counted.messagesPerS));
  const figure = (what: string, unit: string, of: keyof Counted, less: number): Figure => {
    const [from, to] = [(least[of] - less) * (1 - ERROR_MAX), (most[of] - less) * (1 + ERROR_MAX)];
    return between(`${name}_${what}`, counted[of], unit, from, to);
  };
  const messages = figure("messages", "messages/s", "messagesPerS", 0);
  const isShared = counted.messagesPerS < least.messagesPerS && messages.verdict === "FAIL";
  return [
    { ...messages, ...(isShared && { verdict: "disturbed" as const }) },
    figure("sent", "B/s", "sentBytesPerS", spared.sentBytes),
    figure("network", "B/s", "networkBytesPerS", spared.networkBytes),
  ];
}

/** What the kernel counted of the connection of a process to a port. */
function countsOf(pid: number, port: number): { readonly sentBytes: number; readonly networkBytes: number } {
  const { stdout: text } = spawnSync("ss", ["-OtinpH", "state", "established", `dport = :${port}`], {
    encoding: "utf8",
  });
  const line = text.split("\n").find((each) => each.includes(`pid=${pid},`)) ?? "";
  const count = (name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? Number.NaN);
  const sentBytes = count("bytes_sent");
  const segments = count("segs_out") + count("segs_in");
  return { sentBytes, networkBytes: sentBytes + count("bytes_received") + segments * SEGMENT_BYTES };
}
