/**
 * One gateway with four Sparkplug uplinks to real brokers, an observer before each server: MQTT 5, MQTT 3.1.1 with
 * aliases, one with a primary host, and one with a primary host and two servers.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostClock } from "../../core/clock.ts";
import { SqliteState } from "../../store/sqlite-state.ts";
import { type Certificates, writeCertificates } from "../certificates.ts";
import { type GatewayProcess, startGateway } from "../gateway-process.ts";
import { type Mosquitto, startMosquitto } from "../mosquitto.ts";
import { connectHost, type Host } from "./host.ts";
import { decodePayloads } from "./payload-decoder.ts";
import { openPlant, type Plant } from "./plant.ts";
import { type Entry, type Mark, Recording } from "./recording.ts";
import { type RecordingProxy, startRecordingProxy } from "./recording-proxy.ts";
import { readStory, type SiteFacts, type Story } from "./story.ts";

export const GROUP = "plant-7";
export const DEVICES: readonly string[] = ["d1", "d2", "d3"];
/** Fourteen hours ahead of UTC. */
const FAR_FROM_UTC = { TZ: "Pacific/Kiritimati" };
/** No retries: a lost device is asked again the sooner, the less its silence costs. */
const PLANT = { devices: DEVICES, tagsPerDevice: 2, scanRateMs: 200, responseTimeoutMs: 300, retries: 0 } as const;
const WAL_BYTES = 1_000_000;
const WAIT_LIMIT_MS = 60_000;

/** An uplink as its observer sees it. */
export class Uplink {
  readonly facts: SiteFacts;
  readonly recording = new Recording();
  /** By server, in the order of the configuration. */
  readonly proxies: RecordingProxy[] = [];

  constructor(facts: SiteFacts) {
    this.facts = facts;
  }

  get node(): string {
    return this.facts.node;
  }

  topic(type: string, device?: string): string {
    return ["spBv1.0", GROUP, type, this.node, ...(device === undefined ? [] : [device])].join("/");
  }

  /** Where the recording stands now. */
  now(): number {
    return this.recording.entries.length;
  }

  /** Resolves when the gateway has published so many of a type since then, for that device or any. */
  async published(type: string, since: number, times = 1, device?: string): Promise<void> {
    const topic = this.topic(type, device);
    const isIt = (entry: Entry) => {
      const sent = sentTopic(entry);
      return device === undefined ? sent?.startsWith(topic) === true : sent === topic;
    };
    await this.#until(
      `${this.node}: ${times} ${type} ${device ?? ""}`,
      since,
      (later) => later.filter(isIt).length >= times,
    );
  }

  async born(since: number): Promise<void> {
    await this.published("NBIRTH", since);
    for (const device of DEVICES) await this.published("DBIRTH", since, 1, device);
    await this.published("DDATA", since);
  }

  async heard(topic: string, since: number, times = 1): Promise<void> {
    const isIt = (entry: Entry) => heardTopic(entry) === topic;
    await this.#until(`${this.node} hears ${topic}`, since, (later) => later.filter(isIt).length >= times);
  }

  /** Its host says this at a server, and the gateway hears it. */
  async state(host: Host, online: boolean, timestampMs: number): Promise<void> {
    const since = this.now();
    const id = this.facts.primaryHost ?? "";
    await host.state(id, online, timestampMs);
    await this.heard(`spBv1.0/STATE/${id}`, since);
  }

  /** Where its host's STATE belongs stands what is none, and the gateway hears it. */
  async noState(host: Host): Promise<void> {
    const id = this.facts.primaryHost ?? "";
    for (const text of NO_STATES) {
      const since = this.now();
      await host.stateText(id, text);
      await this.heard(`spBv1.0/STATE/${id}`, since);
    }
  }

  async subscribed(since: number): Promise<void> {
    const isIt = (entry: Entry) => entry.kind === "packet" && entry.packet?.cmd === "suback";
    await this.#until(`${this.node} is subscribed`, since, (later) => later.some(isIt));
  }

  async closed(since: number): Promise<void> {
    await this.#until(`${this.node} has left`, since, (later) => later.some(({ kind }) => kind === "closed"));
  }

  story(): Promise<Story> {
    return readStory(this.node, this.facts, this.recording.entries, decodePayloads);
  }

  #until(what: string, since: number, holds: (later: readonly Entry[]) => boolean): Promise<void> {
    return this.recording.until(what, (entries) => holds(entries.slice(since)), WAIT_LIMIT_MS);
  }
}

/** Of older versions, of other programs, and of nobody. */
const NO_STATES = [
  "ONLINE",
  "OFFLINE",
  "null",
  '{"online":true}',
  '{"online":false,"timestamp":"9000"}',
  '{"online":"false","timestamp":9000}',
  '{"online":true,"timestamp":1e999}',
  '{"online":false,"timestamp":-1}',
  '{"online":true,"timestamp":',
];

function sentTopic(entry: Entry): string | undefined {
  return entry.kind === "packet" && entry.from === "gateway" && entry.packet?.cmd === "publish"
    ? entry.packet.topic
    : undefined;
}

function heardTopic(entry: Entry): string | undefined {
  return entry.kind === "packet" && entry.from === "broker" && entry.packet?.cmd === "publish" && entry.passed
    ? entry.packet.topic
    : undefined;
}

const FACTS = { group: GROUP, devices: DEVICES, datatypeInData: false, farFromUtc: true } as const;

export class Site {
  readonly five = new Uplink({ ...FACTS, node: "five", servers: ["a"], aliases: false });
  readonly three = new Uplink({ ...FACTS, node: "three", servers: ["a"], aliases: true });
  readonly hosted = new Uplink({ ...FACTS, node: "hosted", servers: ["a"], aliases: false, primaryHost: "scada-1" });
  readonly walker = new Uplink({
    ...FACTS,
    node: "walker",
    servers: ["a", "b"],
    aliases: false,
    primaryHost: "scada-2",
  });
  readonly plant: Plant;
  /** By server. */
  readonly hosts = new Map<string, Host>();
  readonly #brokers = new Map<string, Mosquitto>();
  readonly #dir: string;
  readonly #certificates: Certificates;
  #gateway: GatewayProcess | undefined;

  private constructor(dir: string, certificates: Certificates, plant: Plant) {
    this.#dir = dir;
    this.#certificates = certificates;
    this.plant = plant;
  }

  static async open(): Promise<Site> {
    const dir = await mkdtemp(join(tmpdir(), "sallyport-sparkplug-"));
    const site = new Site(dir, await writeCertificates(join(dir, "tls"), hostClock), await openPlant(PLANT));
    try {
      await site.#openBrokers();
    } catch (thrown) {
      await site.close();
      throw thrown;
    }
    return site;
  }

  get uplinks(): readonly Uplink[] {
    return [this.five, this.three, this.hosted, this.walker];
  }

  host(server = "a"): Host {
    const host = this.hosts.get(server);
    if (host === undefined) throw new Error(`no server ${server}`);
    return host;
  }

  mark(mark: Mark): void {
    for (const { recording } of this.uplinks) recording.mark(mark);
  }

  async start(): Promise<void> {
    this.#gateway = await startGateway(join(this.#dir, "gateway.yaml"), join(this.#dir, "state"), FAR_FROM_UTC);
  }

  async kill(): Promise<void> {
    this.mark({ what: "killed" });
    await this.#gateway?.kill();
  }

  /** To be called while there is no gateway: its next CONNECT takes the number after this. */
  setBdSeq({ node, recording }: Uplink, to: number): void {
    const file = new SqliteState();
    file.open({ path: join(this.#dir, "state", "state.db"), nowMs: hostClock.wallMs(), walBytes: WAL_BYTES });
    file.save([[`bdSeq/${node}`, JSON.stringify(to)]]);
    file.close();
    recording.mark({ what: "bdSeq was set", to: BigInt(to) });
  }

  /** The exit code. */
  async stop(): Promise<number | null> {
    this.mark({ what: "told to stop" });
    const code = await this.#gateway?.stop();
    return code ?? null;
  }

  log(): string {
    return this.#gateway?.log() ?? "";
  }

  async close(): Promise<void> {
    await this.#gateway?.kill();
    for (const host of this.hosts.values()) await host.close();
    for (const proxy of this.uplinks.flatMap(({ proxies }) => proxies)) await proxy.close();
    for (const broker of this.#brokers.values()) await broker.close();
    await this.plant.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #openBrokers(): Promise<void> {
    const certificates = this.#certificates;
    for (const server of ["a", "b"]) {
      const broker = await startMosquitto({ certificates });
      this.#brokers.set(server, broker);
      this.hosts.set(server, await connectHost(broker.url, certificates));
    }
    for (const { facts, recording, proxies } of this.uplinks) {
      for (const name of facts.servers) {
        const port = this.#brokers.get(name)?.port ?? 0;
        proxies.push(await startRecordingProxy({ recording, certificates, port, name }));
      }
    }
    await writeFile(join(this.#dir, "gateway.yaml"), this.#configuration());
  }

  #configuration(): string {
    return `version: 1
gateway: { group: ${GROUP}, name: pump-house }
uplinks:
${this.#uplinkYaml(this.five, "mqttVersion: 5")}
${this.#uplinkYaml(this.three, "mqttVersion: 3.1.1, sparkplug: { aliases: true }")}
${this.#uplinkYaml(this.hosted, "mqttVersion: 5, primaryHost: scada-1")}
${this.#uplinkYaml(this.walker, "primaryHost: scada-2")}
clock: { source: host }
${this.plant.yaml}`;
  }

  #uplinkYaml({ node, proxies }: Uplink, options: string): string {
    const { ca, client } = this.#certificates;
    const servers = proxies.map(({ url }) => `"${url}"`).join(", ");
    const tls = `{ ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }`;
    return `  ${node}: { servers: [ ${servers} ], format: sparkplug, node: { group: ${GROUP}, name: ${node} }, tls: ${tls}, reconnect: { spread: 1s, max: 2s }, ${options} }`;
  }
}
