/**
 * What each format costs: `npm run bench:formats [-- --rounds 9]`.
 *
 * A backlog goes through the real uplink over TLS to a Mosquitto; then bare mqtt.js publishes the very same messages
 * with as many in flight, once made beforehand, once (JSON) made on the way by JSON.stringify, as the plainest program does.
 * In turns, and the middle of all rounds counts.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import mqtt from "mqtt";
import type { UplinkConfig } from "../config/config.ts";
import { hostClock, sleep } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom, seededRandom } from "../core/random.ts";
import type { Connection, Message, Transport } from "../pipeline.ts";
import { type Certificates, writeCertificates } from "../testing/certificates.ts";
import { quietConfiguration } from "../testing/fleet.ts";
import { MemoryQueue } from "../testing/memory-queue.ts";
import { MemoryState } from "../testing/memory-state.ts";
import { startMosquitto } from "../testing/mosquitto.ts";
import { deviceOf, SettableValues } from "../testing/settable-values.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { MESSAGES_IN_FLIGHT_MAX } from "../uplinks/flow.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { createUplink } from "../uplinks/uplink.ts";

/** Those that differ: the clouds' are JSON, and sent no faster than the clouds allow. */
const FORMATS = ["json", "kepware", "sparkplug"] as const satisfies readonly UplinkConfig["format"][];
const DEVICES = 10;
const TAGS = 10;
const SAMPLES = 200_000;
const RATIO_MIN = 0.8;
const LOOK_MS = 1;
/** A PUBLISH's fixed header, packet identifier and lengths. */
const HEADER_BYTES = 9;

interface Pass {
  readonly seconds: number;
  readonly messages: readonly Message[];
}

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "9" } } });
const rounds = Number(options.rounds);
const dir = await mkdtemp(join(tmpdir(), "sallyport-formats-"));
const certificates = await writeCertificates(dir, hostClock);
const broker = await startMosquitto({ certificates, configuration: (port) => quietConfiguration(port, dir) });
try {
  const ratios: number[] = [];
  for (const format of FORMATS) ratios.push(await measure(format));
  process.exitCode = Math.min(...ratios) >= RATIO_MIN ? 0 : 1;
} finally {
  await broker.close();
  await rm(dir, { recursive: true, force: true });
}

/** Prints what it found, and gives the ratio that has a limit. */
async function measure(format: (typeof FORMATS)[number]): Promise<number> {
  const ours: number[] = [];
  const madeBefore: number[] = [];
  const madeOnTheWay: number[] = [];
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    const { seconds, messages } = await throughUplink(format, broker.url, certificates);
    ours.push(SAMPLES / seconds);
    bytes = messages.reduce((sum, { topic, payload }) => sum + topic.length + payload.length + HEADER_BYTES, 0);
    const ready = messages.map(
      ({ payload }) =>
        () =>
          bufferOf(payload),
    );
    madeBefore.push(SAMPLES / (await byMqttJs(messages, ready, broker.url, certificates)));
    if (format === "sparkplug") continue;
    const objects = messages.map(({ payload }): unknown => JSON.parse(bufferOf(payload).toString()));
    const makers = objects.map((object) => () => Buffer.from(JSON.stringify(object)));
    madeOnTheWay.push(SAMPLES / (await byMqttJs(messages, makers, broker.url, certificates)));
  }
  const ratio = middle(ours) / middle(madeBefore);
  print(`${format}_uplink`, middle(ours).toFixed(0), "samples/s");
  print(`${format}_mqttjs_made_before`, middle(madeBefore).toFixed(0), "samples/s");
  const verdict = ratio >= RATIO_MIN ? "pass" : "FAIL";
  print(`${format}_ratio_to_made_before`, ratio.toFixed(2), "", `limit >= ${RATIO_MIN} ${verdict}`);
  if (madeOnTheWay.length > 0) {
    print(`${format}_mqttjs_made_on_the_way`, middle(madeOnTheWay).toFixed(0), "samples/s");
    print(`${format}_ratio_to_made_on_the_way`, (middle(ours) / middle(madeOnTheWay)).toFixed(2), "");
  }
  print(`${format}_wire`, (bytes / SAMPLES).toFixed(1), "bytes/sample");
  return ratio;
}

/** From the first message to the last acknowledgement. */
async function throughUplink(format: UplinkConfig["format"], server: string, files: Certificates): Promise<Pass> {
  const queue = new MemoryQueue(hostClock);
  const devices = Array.from({ length: DEVICES }, (_, d) =>
    deviceOf(
      `meter-${d + 1}`,
      Array.from({ length: TAGS }, (_tag, t) => `value-${t + 1}`),
    ),
  );
  const values = new SettableValues(hostClock, devices, [queue]);
  const ids = devices.flatMap(({ tags }) => tags.map(({ id }) => id));
  const random = seededRandom(1);
  for (let n = 0; n < SAMPLES; n++) values.set(ids[n % ids.length] ?? "", Math.round(random.next() * 100_000) / 100);
  const config = uplinkConfig(files, [server], { format, topic: "bench/formats" });
  const messages: Message[] = [];
  let firstMs = 0;
  const transport = recorded(createMqttTransport({ config, clock: hostClock, log: silentLog }), (message) => {
    if (messages.length === 0) firstMs = hostClock.monotonicMs();
    messages.push(message);
  });
  const parts = { config, values, queue, transport, state: new MemoryState() };
  const uplink = createUplink({ ...parts, clock: hostClock, random: hostRandom, log: silentLog });
  uplink.start();
  while (queue.depth() > 0 || messages.length === 0) await sleep(hostClock, LOOK_MS);
  const seconds = (hostClock.monotonicMs() - firstMs) / 1_000;
  const sent = [...messages];
  await uplink.stop();
  return { seconds, messages: sent };
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
  messages: readonly Message[],
  payloads: readonly (() => Buffer)[],
  url: string,
  files: Certificates,
): Promise<number> {
  const client = await mqtt.connectAsync(url, {
    ca: await readFile(files.ca),
    cert: await readFile(files.client.certificate),
    key: await readFile(files.client.key),
    protocolVersion: 5,
    clientId: "bare",
  });
  const startMs = hostClock.monotonicMs();
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
  const seconds = (hostClock.monotonicMs() - startMs) / 1_000;
  await client.endAsync(true);
  return seconds;
}

function bufferOf(payload: Uint8Array): Buffer {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length);
}

function middle(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function print(name: string, value: string, unit: string, limit = ""): void {
  process.stdout.write(`${`${name}  ${value}  ${unit}  ${limit}`.trimEnd()}\n`);
}
