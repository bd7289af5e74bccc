/**
 * What each format costs: `npm run bench:formats [-- --rounds 9] [--json]`.
 *
 * A backlog goes through the real uplink over TLS to a Mosquitto; then bare mqtt.js publishes the very same messages
 * with as many in flight, once made beforehand, once (JSON) made on the way by JSON.stringify, as the plainest program
 * does. In turns, and the middle of all rounds counts. An uplink begins with small messages, to find out what the link
 * bears: what counts is what comes after these, for both.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import mqtt from "mqtt";
import type { UplinkConfig } from "../config/config.ts";
import { hostClock, sleep } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import type { Connection, Message, Transport } from "../pipeline.ts";
import { type Certificates, writeCertificates } from "../testing/certificates.ts";
import { quietConfiguration } from "../testing/fleet.ts";
import { MemoryState } from "../testing/memory-state.ts";
import { startMosquitto } from "../testing/mosquitto.ts";
import { deviceOf, SettableValues } from "../testing/settable-values.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { MESSAGES_IN_FLIGHT_MAX } from "../uplinks/flow.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { createUplink } from "../uplinks/uplink.ts";
import { atLeast, context, type Figure, hasMissed, reportText, told } from "./figure.ts";
import { MadeBacklog } from "./made-backlog.ts";

/** Those that differ: the clouds' are JSON, and sent no faster than the clouds allow. */
const FORMATS = ["json", "kepware", "sparkplug"] as const satisfies readonly UplinkConfig["format"][];
const DEVICES = 10;
const TAGS = 10;
const SAMPLES = 400_000;
const WARM_UP_SAMPLES = 200_000;
const RATIO_MIN = 0.8;
const LOOK_MS = 1;
/** A PUBLISH's fixed header, packet identifier and lengths. */
const HEADER_BYTES = 9;

interface Rate {
  readonly samplesPerS: number;
  /** Of this process: its share of TLS, and collecting what it leaves behind. */
  readonly cpuNsPerSample: number;
}

interface Pass extends Rate {
  /** Those that count. */
  readonly messages: readonly Message[];
  readonly samples: number;
}

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "9" }, json: { type: "boolean" } },
});
const rounds = Number(options.rounds);
const dir = await mkdtemp(join(tmpdir(), "sallyport-formats-"));
const certificates = await writeCertificates(dir, hostClock);
const broker = await startMosquitto({ certificates, configuration: (port) => quietConfiguration(port, dir) });
try {
  const figures: Figure[] = [];
  for (const format of FORMATS) figures.push(...(await measure(format)));
  process.stdout.write(reportText({ loadAverage: loadavg()[0] ?? Number.NaN, figures }, options.json));
  process.exitCode = hasMissed(figures) ? 1 : 0;
} finally {
  await broker.close();
  await rm(dir, { recursive: true, force: true });
}

async function measure(format: (typeof FORMATS)[number]): Promise<readonly Figure[]> {
  const ours: Rate[] = [];
  const madeBefore: Rate[] = [];
  const madeOnTheWay: Rate[] = [];
  let bytesPerSample = 0;
  for (let round = 0; round < rounds; round++) {
    const pass = await throughUplink(format, broker.url, certificates);
    const { messages, samples } = pass;
    ours.push(pass);
    const bytes = messages.reduce((sum, { topic, payload }) => sum + topic.length + payload.length + HEADER_BYTES, 0);
    bytesPerSample = bytes / samples;
    const ready = messages.map(
      ({ payload }) =>
        () =>
          bufferOf(payload),
    );
    madeBefore.push(await byMqttJs(pass, ready, broker.url, certificates));
    if (format === "sparkplug") continue;
    const objects = messages.map(({ payload }): unknown => JSON.parse(bufferOf(payload).toString()));
    const makers = objects.map((object) => () => Buffer.from(JSON.stringify(object)));
    madeOnTheWay.push(await byMqttJs(pass, makers, broker.url, certificates));
  }
  return [
    ...figuresOf(`${format}_uplink`, ours, told),
    ...figuresOf(`${format}_mqttjs_made_before`, madeBefore, context),
    atLeast(`${format}_ratio_to_made_before`, rate(ours) / rate(madeBefore), "ratio", RATIO_MIN),
    ...figuresOf(`${format}_mqttjs_made_on_the_way`, madeOnTheWay, context),
    ...(madeOnTheWay.length === 0
      ? []
      : [told(`${format}_ratio_to_made_on_the_way`, rate(ours) / rate(madeOnTheWay), "ratio")]),
    told(`${format}_wire`, bytesPerSample, "B/sample"),
  ];
}

/** From the first message that counts to the last acknowledgement. */
async function throughUplink(format: UplinkConfig["format"], server: string, files: Certificates): Promise<Pass> {
  const devices = Array.from({ length: DEVICES }, (_, d) =>
    deviceOf(
      `meter-${d + 1}`,
      Array.from({ length: TAGS }, (_tag, t) => `value-${t + 1}`),
    ),
  );
  const tags = devices.flatMap((device) => device.tags);
  const queue = new MadeBacklog(tags, WARM_UP_SAMPLES + SAMPLES, hostClock.wallMs());
  const values = new SettableValues(hostClock, devices, []);
  const config = uplinkConfig(files, [server], { format, topic: "bench/formats" });
  const messages: Message[] = [];
  let begun: { readonly samples: number; readonly stopwatch: Stopwatch } | undefined;
  const transport = recorded(createMqttTransport({ config, clock: hostClock, log: silentLog }), (message) => {
    const samples = queue.depth();
    if (samples > SAMPLES) return;
    begun ??= { samples, stopwatch: startStopwatch() };
    messages.push(message);
  });
  const parts = { config, values, queue, transport, state: new MemoryState() };
  const uplink = createUplink({ ...parts, clock: hostClock, random: hostRandom, log: silentLog });
  uplink.start();
  while (queue.depth() > 0) await sleep(hostClock, LOOK_MS);
  const { samples, stopwatch } = begun ?? { samples: 0, stopwatch: startStopwatch() };
  const pass = { ...stopwatch(samples), samples, messages: [...messages] };
  await uplink.stop();
  return pass;
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

function recorded(transport: Transport, record: (message: Message) => void): Transport {
  return {
    async connect(request) {
      const connection: Connection = await transport.connect(request);
      const publish = connection.publish.bind(connection);
      connection.publish = (message) => {
        record(message);
        return publish(message);
      };
      return connection;
    },
  };
}

async function byMqttJs(
  { messages, samples }: Pass,
  payloads: readonly (() => Buffer)[],
  url: string,
  files: Certificates,
): Promise<Rate> {
  const client = await mqtt.connectAsync(url, {
    ca: await readFile(files.ca),
    cert: await readFile(files.client.certificate),
    key: await readFile(files.client.key),
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
        const payload = payloads[next]?.() ?? Buffer.alloc(0);
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

function bufferOf(payload: Uint8Array): Buffer {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length);
}

function middle(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function rate(rates: readonly Rate[]): number {
  return middle(rates.map(({ samplesPerS }) => samplesPerS));
}

function figuresOf(name: string, rates: readonly Rate[], kind: typeof told): readonly Figure[] {
  if (rates.length === 0) return [];
  const cpuNs = middle(rates.map(({ cpuNsPerSample }) => cpuNsPerSample));
  return [kind(name, rate(rates), "samples/s"), kind(`${name}_cpu`, cpuNs, "ns/sample")];
}
