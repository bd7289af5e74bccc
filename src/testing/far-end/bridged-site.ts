/**
 * A gateway with its plant, a broker in a DMZ, another one in a cloud and the bridge between them, all real, over TLS,
 * with proxies on the ways between; and the reference consumer of either format at either broker.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostClock } from "../../core/clock.ts";
import { type Certificates, writeCertificates } from "../certificates.ts";
import type { ServedReply } from "../counting-plant.ts";
import { type FrozenProxy, startFrozenProxy } from "../frozen-proxy.ts";
import { type GatewayProcess, startGateway } from "../gateway-process.ts";
import { type Mosquitto, startMosquitto } from "../mosquitto.ts";
import { openPlant, type Plant } from "../sparkplug/plant.ts";
import { Consumer } from "./consumer.ts";
import type { Route } from "./picture.ts";
import { TrueBook } from "./true-book.ts";

export const SCAN_RATE_MS = 200;
export const RESPONSE_TIMEOUT_MS = 400;
export const RETRIES = 1;

export type Place = "dmz" | "cloud";
export type Format = "json" | "sparkplug";

/** A consumer, and all that ever arrived at it. */
export interface Observer {
  readonly place: Place;
  readonly format: Format;
  readonly consumer: Consumer;
  readonly book: TrueBook;
}

/** A connection that a broker has accepted. */
export interface Accepted {
  readonly clientId: string;
  readonly atMs: number;
}

/** Of the meter, whose replies are all to be read: on a busy machine it is late for reasons of its own. */
const PATIENT_TIMEOUT_MS = 5_000;
/** Each on a line of its own. */
const DEVICES = ["pump", "meter"] as const;
export const TAGS = DEVICES.map((device) => `${device}/r0`);
/** As in the README, whose bridge this is. */
const README = new URL("../../../README.md", import.meta.url);
const GROUP = "plant-7";
const NAME = "pump-house-3";
const BRIDGE_TOPIC = "bridges/dmz";
const BRIDGE_CLIENT = "dmz";
const FORMATS = ["json", "sparkplug"] as const;
const CONNACK = /Sending CONNACK to (\S+) \(\d, 0\)/g;

interface Parts {
  readonly dir: string;
  readonly configFile: string;
  readonly pump: Plant;
  readonly meter: Plant;
  readonly link: FrozenProxy;
  readonly bridge: FrozenProxy;
  readonly brokers: readonly Mosquitto[];
  readonly observers: readonly Observer[];
  readonly accepted: readonly Accepted[];
}

export class BridgedSite {
  /** What breaks. */
  readonly pump: Plant;
  /** What goes on, so that nothing it says may be lost. */
  readonly meter: Plant;
  /** From the gateway to the DMZ's broker. */
  readonly link: FrozenProxy;
  /** From there to the cloud's. */
  readonly bridge: FrozenProxy;
  readonly observers: readonly Observer[];
  readonly #parts: Parts;
  #gateway: GatewayProcess | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.pump = parts.pump;
    this.meter = parts.meter;
    this.link = parts.link;
    this.bridge = parts.bridge;
    this.observers = parts.observers;
  }

  static async open(keepAliveS: number): Promise<BridgedSite> {
    const dir = await mkdtemp(join(tmpdir(), "sallyport-far-end-"));
    const certificates = await writeCertificates(join(dir, "tls"), hostClock);
    const accepted: Accepted[] = [];
    const cloud = await startMosquitto({ certificates, onLog: acceptanceReader(accepted) });
    const bridge = await startFrozenProxy({ host: "127.0.0.1", port: cloud.port }, hostClock);
    const section = await bridgeOfReadme(certificates, bridge.port);
    const configuration = (port: number) => dmzConfiguration(certificates, port, section);
    const dmz = await startMosquitto({ certificates, configuration, onLog: acceptanceReader(accepted) });
    const link = await startFrozenProxy({ host: "127.0.0.1", port: dmz.port }, hostClock);
    const pump = await openLine("pump", RESPONSE_TIMEOUT_MS);
    const meter = await openLine("meter", PATIENT_TIMEOUT_MS);
    const lines = `${pump.yaml}${meter.yaml.replace("lines:\n", "").replace("line-1", "line-2")}`;
    const configFile = join(dir, "gateway.yaml");
    await writeFile(configFile, gatewayConfiguration(certificates, link.port, keepAliveS, lines));
    const observers = await Promise.all(
      FORMATS.flatMap((format) => [
        observe("dmz", dmz, format, certificates),
        observe("cloud", cloud, format, certificates),
      ]),
    );
    const brokers = [dmz, cloud];
    return new BridgedSite({ dir, configFile, pump, meter, link, bridge, brokers, observers, accepted });
  }

  async startGateway(): Promise<void> {
    this.#gateway = await startGateway(this.#parts.configFile, join(this.#parts.dir, "state"));
  }

  async killGateway(): Promise<void> {
    await this.#gateway?.kill();
    this.#gateway = undefined;
  }

  log(): string {
    return this.#gateway?.log() ?? "";
  }

  /** The last reply of each device, by tag. */
  served(): ReadonlyMap<string, ServedReply | undefined> {
    return new Map(DEVICES.map((device) => [`${device}/r0`, this[device].served.get(device)?.at(-1)]));
  }

  /** When the broker accepted the connection on which this observer waits, the last time since that moment. */
  acceptedAfter({ place, format }: Observer, sinceMs: number, link: "gateway" | "bridge"): number | undefined {
    if (link === "bridge" && place === "dmz") return undefined;
    const clientId = link === "bridge" ? BRIDGE_CLIENT : `${GROUP}-${NAME}-${format}`;
    return this.#parts.accepted.findLast((known) => known.clientId === clientId && known.atMs >= sinceMs)?.atMs;
  }

  async close(): Promise<void> {
    const { observers, link, bridge, brokers, pump, meter, dir } = this.#parts;
    await this.killGateway();
    await Promise.all(observers.map(({ consumer }) => consumer.close()));
    await link.close();
    await bridge.close();
    await Promise.all(brokers.map((broker) => broker.close()));
    await pump.close();
    await meter.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Of one broker, whose words come in pieces that end anywhere. */
function acceptanceReader(accepted: Accepted[]): (text: string) => void {
  let begun = "";
  return (text) => {
    const atMs = hostClock.wallMs();
    const lines = (begun + text).split("\n");
    begun = lines.pop() ?? "";
    for (const line of lines) {
      for (const [, clientId = ""] of line.matchAll(CONNACK)) accepted.push({ clientId, atMs });
    }
  };
}

function openLine(device: string, responseTimeoutMs: number): Promise<Plant> {
  return openPlant({
    devices: [device],
    tagsPerDevice: 1,
    scanRateMs: SCAN_RATE_MS,
    responseTimeoutMs,
    retries: RETRIES,
  });
}

async function observe(
  place: Place,
  { url }: Mosquitto,
  format: Format,
  certificates: Certificates,
): Promise<Observer> {
  const book = new TrueBook(format, `${GROUP}/${NAME}`);
  const route: Route = {
    from: format === "json" ? { format, topic: `${GROUP}/${NAME}` } : { format, group: GROUP, name: NAME },
    bridges: place === "cloud" ? [BRIDGE_TOPIC] : [],
  };
  const onArrival = book.arrived.bind(book);
  const consumer = await Consumer.start({ url, certificates, clientId: `${place}-${format}`, route, onArrival });
  return { place, format, consumer, book };
}

/** Save where its files lie, and where the cloud is. */
async function bridgeOfReadme({ ca, client }: Certificates, bridgePort: number): Promise<string> {
  const [block] = (await readFile(README, "utf8")).match(/(?<=```bridge\n)[^`]*/) ?? [];
  if (block === undefined) throw new Error("the README has no bridge");
  return block
    .replace("cloud.example.com:8883", `127.0.0.1:${bridgePort}`)
    .replace("/etc/mosquitto/ca.pem", ca)
    .replace("/etc/mosquitto/dmz.pem", client.certificate)
    .replace("/etc/mosquitto/dmz.key", client.key);
}

function dmzConfiguration({ ca, server }: Certificates, port: number, bridge: string): string {
  return `log_type all
allow_anonymous true
listener ${port} 127.0.0.1
cafile ${ca}
certfile ${server.certificate}
keyfile ${server.key}
require_certificate true
max_queued_messages 100000

${bridge}`;
}

function gatewayConfiguration({ ca, client }: Certificates, port: number, keepAliveS: number, lines: string): string {
  const common = `servers: [ "mqtts://localhost:${port}" ], keepAlive: ${keepAliveS}s, reconnect: { spread: 1s, max: 2s }`;
  const tls = `tls: { ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }`;
  return `version: 1
gateway: { group: ${GROUP}, name: ${NAME} }
uplinks:
  json: { ${common}, ${tls} }
  sparkplug: { format: sparkplug, ${common}, ${tls} }
clock: { source: host }
${lines}`;
}
