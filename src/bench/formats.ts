/**
 * What each format costs: `npm run bench:formats [-- --rounds 9] [--json]`.
 *
 * A backlog goes through the real uplink over TLS to a Mosquitto; then bare mqtt.js publishes the very same messages
 * with as many in flight: made beforehand; made on the way with the least work there is (least-makers.ts); and (JSON)
 * by JSON.stringify, as the plainest program does. In turns, and the middle of all rounds counts. An uplink begins with
 * small messages, to find out what the link bears: what counts is what comes after these, for all. Kepware's form has no
 * word for history, so a backlog goes as JSON there, too.
 */
import { readFile } from "node:fs/promises";
import { loadavg } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import mqtt from "mqtt";
import type { UplinkConfig } from "../config/config.ts";
import { hostClock } from "../core/clock.ts";
import { assert } from "../core/errors.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import type { Connection, Message, Transport } from "../pipeline.ts";
import { writeCertificates } from "../testing/certificates.ts";
import { quietConfiguration } from "../testing/fleet.ts";
import { MemoryState } from "../testing/memory-state.ts";
import { startMosquitto } from "../testing/mosquitto.ts";
import { deviceOf, SettableValues } from "../testing/settable-values.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { MESSAGES_IN_FLIGHT_MAX } from "../uplinks/flow.ts";
import { bufferOf } from "../uplinks/mqtt-packet-bytes.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { createUplink } from "../uplinks/uplink.ts";
import { countOf, readCommandLine } from "./command-line.ts";
import { drained } from "./drained.ts";
import { atLeast, context, type Figure, type Held, hasMissed, heldTo, reportText, told } from "./figure.ts";
import { leastJsonMakers, leastSparkplugMakers } from "./least-makers.ts";
import { MadeBacklog } from "./made-backlog.ts";
import { median } from "./noise.ts";
import { openScratch } from "./scratch.ts";

const USAGE = "npm run bench:formats [-- --rounds 9] [--json]";
/** Those that differ: the clouds' are JSON, and sent no faster than the clouds allow. */
const FORMATS = ["json", "kepware", "sparkplug"] as const satisfies readonly UplinkConfig["format"][];
const DEVICES = 10;
const TAGS = 10;
const SAMPLES = 400_000;
const WARM_UP_SAMPLES = 200_000;
const RATIO_MIN = 0.8;
/** Between machines of one name these ratios were a third apart. */
const RATIO_MARGIN_SHARE = 0.4;
const MORE: Held = { better: "more", marginShare: RATIO_MARGIN_SHARE };
const LESS: Held = { better: "less", marginShare: RATIO_MARGIN_SHARE };
const LOOK_MS = 1;
/** A PUBLISH's fixed header, packet identifier and lengths. */
const HEADER_BYTES = 9;

interface Rate {
  readonly samplesPerS: number;
  /** Of this process: its share of TLS, and collecting what it leaves behind. */
  readonly cpuNsPerSample: number;
}

/** The messages of a pass that count, and the samples in them. */
interface Load {
  readonly messages: readonly Message[];
  readonly samples: number;
}

type Maker = () => Buffer;

const { rounds, json } = readCommandLine(USAGE, () => {
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "9" }, json: { type: "boolean" } } });
  return { rounds: countOf("--rounds", values.rounds), json: values.json };
});
const dir = openScratch("formats");
const certificates = await writeCertificates(dir, hostClock);
// Else its last acknowledgement waits for up to 40 ms until the one before has arrived, which is half of a pass.
const configuration = (port: number) => `set_tcp_nodelay true\n${quietConfiguration(port, dir)}`;
const broker = await startMosquitto({ certificates, configuration });
try {
  const figures: Figure[] = [];
  for (const format of FORMATS) figures.push(...(await measure(format)));
  process.stdout.write(reportText({ loadAverage: loadavg()[0] ?? Number.NaN, figures }, json));
  process.exitCode = hasMissed(figures) ? 1 : 0;
} finally {
  await broker.close();
}

async function measure(format: (typeof FORMATS)[number]): Promise<readonly Figure[]> {
  const load = await recordedLoad(format);
  const { messages, samples } = load;
  const payloads = messages.map(({ payload }) => bufferOf(payload));
  const isJson = format !== "sparkplug";
  const ready = payloads.map((payload) => () => payload);
  const least = isJson ? leastJsonMakers(payloads) : leastSparkplugMakers(payloads);
  const byStringify = isJson ? stringifyMakers(payloads) : [];
  const ours: Rate[] = [];
  const madeBefore: Rate[] = [];
  const madeWithLeast: Rate[] = [];
  const madeByStringify: Rate[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await throughUplink(format, () => undefined));
    madeBefore.push(await byMqttJs(load, ready));
    madeWithLeast.push(await byMqttJs(load, least));
    if (isJson) madeByStringify.push(await byMqttJs(load, byStringify));
  }
  const bytes = messages.reduce((sum, { topic, payload }) => sum + topic.length + payload.length + HEADER_BYTES, 0);
  return [
    ...figuresOf(`${format}_uplink`, ours),
    ...figuresOf(`${format}_mqttjs_made_before`, madeBefore),
    { ...atLeast(`${format}_ratio_to_made_before`, ratio(ours, madeBefore, rateOf), "ratio", RATIO_MIN), held: MORE },
    ...figuresOf(`${format}_mqttjs_made_with_least_work`, madeWithLeast),
    context(`${format}_least_work_to_made_before`, ratio(madeWithLeast, madeBefore, rateOf), "ratio"),
    heldTo(`${format}_ratio_to_least_work`, ratio(ours, madeWithLeast, rateOf), "ratio", MORE),
    heldTo(`${format}_cpu_to_least_work`, ratio(ours, madeWithLeast, cpuOf), "ratio", LESS),
    ...figuresOf(`${format}_mqttjs_made_on_the_way`, madeByStringify),
    ...(isJson
      ? [heldTo(`${format}_ratio_to_made_on_the_way`, ratio(ours, madeByStringify, rateOf), "ratio", MORE)]
      : []),
    told(`${format}_wire`, bytes / samples, "B/sample"),
    context(`${format}_message`, bytes / messages.length, "bytes"),
  ];
}

function stringifyMakers(payloads: readonly Buffer[]): readonly Maker[] {
  const objects = payloads.map((payload): unknown => JSON.parse(payload.toString()));
  return objects.map((object) => () => Buffer.from(JSON.stringify(object)));
}

/** In a pass of its own, after one to get warm: keeping what was sent costs an uplink memory that it gives back otherwise. */
async function recordedLoad(format: UplinkConfig["format"]): Promise<Load> {
  await throughUplink(format, () => undefined);
  const messages: Message[] = [];
  const { samples } = await throughUplink(format, (message) => messages.push(message));
  return { messages, samples };
}

/** From the first message that counts to the last acknowledgement. */
async function throughUplink(
  format: UplinkConfig["format"],
  onMessage: (message: Message) => void,
): Promise<Rate & { readonly samples: number }> {
  const devices = Array.from({ length: DEVICES }, (_, d) =>
    deviceOf(
      `meter-${d + 1}`,
      Array.from({ length: TAGS }, (_tag, t) => `value-${t + 1}`),
    ),
  );
  const tags = devices.flatMap((device) => device.tags);
  const queue = new MadeBacklog(tags, TAGS, WARM_UP_SAMPLES + SAMPLES, hostClock.wallMs());
  const values = new SettableValues(hostClock, devices, []);
  const config = uplinkConfig(certificates, [broker.url], { format, topic: "bench/formats" });
  const timed: { from?: { readonly samples: number; readonly stopwatch: Stopwatch } } = {};
  const transport = watched(createMqttTransport({ config, clock: hostClock, log: silentLog }), (message) => {
    const samples = queue.depth();
    if (samples > SAMPLES || samples === 0) return;
    timed.from ??= { samples, stopwatch: startStopwatch() };
    onMessage(message);
  });
  const parts = { config, values, queue, transport, state: new MemoryState() };
  const uplink = createUplink({ ...parts, clock: hostClock, random: hostRandom, log: silentLog });
  uplink.start();
  await drained(queue, hostClock, LOOK_MS, () => uplink.report().state);
  if (timed.from === undefined)
    throw new Error(`no message began within the last ${SAMPLES} samples: nothing was timed`);
  const { samples, stopwatch } = timed.from;
  const result = { ...stopwatch(samples), samples };
  await uplink.stop();
  return result;
}

/** Tells at what rate so many samples went since it was started. */
type Stopwatch = (samples: number) => Rate;

function startStopwatch(): Stopwatch {
  const fromMs = hostClock.monotonicMs();
  const cpuFrom = process.cpuUsage();
  return (samples) => {
    const { user, system } = process.cpuUsage(cpuFrom);
    const cpuNsPerSample = ((user + system) * 1_000) / samples;
    return { samplesPerS: samples / ((hostClock.monotonicMs() - fromMs) / 1_000), cpuNsPerSample };
  };
}

function watched(transport: Transport, onMessage: (message: Message) => void): Transport {
  return {
    async connect(request) {
      const connection: Connection = await transport.connect(request);
      const publish = connection.publish.bind(connection);
      connection.publish = (message) => {
        onMessage(message);
        return publish(message);
      };
      return connection;
    },
  };
}

async function byMqttJs({ messages, samples }: Load, makers: readonly Maker[]): Promise<Rate> {
  const client = await mqtt.connectAsync(broker.url, {
    ca: await readFile(certificates.ca),
    cert: await readFile(certificates.client.certificate),
    key: await readFile(certificates.client.key),
    protocolVersion: 5,
    clientId: "bare",
  });
  const stopwatch = startStopwatch();
  await new Promise<void>((resolve, reject) => {
    let next = 0;
    let acknowledged = 0;
    const send = () => {
      while (next < messages.length && next - acknowledged < MESSAGES_IN_FLIGHT_MAX) {
        const { topic, qos, retain } = messages[next] as Message;
        const payload = makers[next]?.() ?? Buffer.alloc(0);
        next += 1;
        client.publish(topic, payload, { qos, retain }, (error) => {
          if (error) return reject(error);
          acknowledged += 1;
          if (acknowledged === messages.length) resolve();
          else send();
        });
      }
    };
    send();
  });
  // What was sent at QoS 0 has arrived when this has.
  await client.publishAsync("bench/end", "", { qos: 1 });
  const rate = stopwatch(samples);
  await client.endAsync(true);
  return rate;
}

function rateOf({ samplesPerS }: Rate): number {
  return samplesPerS;
}

function cpuOf({ cpuNsPerSample }: Rate): number {
  return cpuNsPerSample;
}

/** Of each round by itself, and the middle one: what was measured one after the other had the same machine. */
function ratio(ours: readonly Rate[], others: readonly Rate[], of: (rate: Rate) => number): number {
  return median(ours.map((our, round) => of(our) / of(at(others, round))));
}

function at(rates: readonly Rate[], round: number): Rate {
  const rate = rates[round];
  assert(rate !== undefined, "all are measured in each round");
  return rate;
}

/** They tell of the machine and its hour, ours too: held to what they were are the ratios only. */
function figuresOf(name: string, rates: readonly Rate[]): readonly Figure[] {
  if (rates.length === 0) return [];
  return [
    context(name, median(rates.map(rateOf)), "samples/s"),
    context(`${name}_cpu`, median(rates.map(cpuOf)), "ns/sample"),
  ];
}
