/** Everything of a soak that is real: lines, pins, two brokers behind proxies, their subscribers, the bundle as a process. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostClock, sleep } from "../../core/clock.ts";
import { seededRandom } from "../../core/random.ts";
import { type Certificates, writeCertificates } from "../../testing/certificates.ts";
import { type FrozenProxy, startFrozenProxy } from "../../testing/frozen-proxy.ts";
import { type GatewayProcess, runGateway } from "../../testing/gateway-process.ts";
import { type Mosquitto, startMosquitto } from "../../testing/mosquitto.ts";
import { unitEnvironment } from "../../testing/process-figures.ts";
import { type Subscriber, subscribe } from "../../testing/subscriber.ts";
import { ArrivalBook } from "./arrival-book.ts";
import { type FarEnd, JsonFarEnd, SparkplugFarEnd } from "./far-ends.ts";
import { FaultList } from "./fault-list.ts";
import type { PlannedTrouble } from "./plan.ts";
import { SoakInputs } from "./soak-inputs.ts";
import { SoakPlant } from "./soak-plant.ts";

export interface SiteOptions {
  /** Holds all its files. */
  readonly folder: string;
  /** The bundle's entry, and the probe that is loaded before it. */
  readonly program: string;
  readonly probe: string;
  readonly seed: number;
  readonly lookEveryMs: number;
}

interface Uplink {
  readonly name: string;
  readonly broker: Mosquitto;
  readonly proxy: FrozenProxy;
  readonly subscriber: Subscriber;
  readonly book: ArrivalBook;
  readonly farEnd: FarEnd;
}

export const SIZE = { lines: 4, devicesPerLine: 10, tagsPerDevice: 50, scanRateMs: 1_000 } as const;
export const UPLINKS = ["json", "sparkplug"] as const;

const TOPIC = "soak/gateway";
const NODE = "gateway";
const SLOW_MS = 300;
/** What a broker has read reaches its subscribers within this: QoS 0 is not kept over its stop. */
const PASSED_ON_MS = 500;

export class SoakSite {
  readonly plant: SoakPlant;
  readonly inputs: SoakInputs | undefined;
  readonly faults: FaultList;
  readonly uplinks: readonly Uplink[];
  readonly #options: SiteOptions;
  #gateway: GatewayProcess | undefined;
  #life = 0;
  #bornMs = 0;

  private constructor(options: SiteOptions, parts: Pick<SoakSite, "plant" | "inputs" | "faults" | "uplinks">) {
    this.#options = options;
    this.plant = parts.plant;
    this.inputs = parts.inputs;
    this.faults = parts.faults;
    this.uplinks = parts.uplinks;
  }

  static async open(options: SiteOptions): Promise<SoakSite> {
    const { folder } = options;
    await mkdir(folder, { recursive: true });
    const certificates = await writeCertificates(join(folder, "tls"), hostClock);
    const plant = await SoakPlant.open(SIZE, seededRandom(options.seed + 1));
    const faults = new FaultList();
    const uplinks: Uplink[] = [];
    for (const name of UPLINKS) uplinks.push(await openUplink(name, folder, certificates, plant, faults));
    const inputs = await SoakInputs.open(join(folder, "inputs"));
    const site = new SoakSite(options, { plant, inputs, faults, uplinks });
    await writeFile(site.#config, configText(certificates, uplinks, plant, inputs));
    return site;
  }

  /** 0: none runs. */
  get pid(): number {
    return this.#gateway?.pid ?? 0;
  }

  get life(): number {
    return this.#life;
  }

  get lifeS(): number {
    return (hostClock.monotonicMs() - this.#bornMs) / 1_000;
  }

  get stateDir(): string {
    return join(this.#options.folder, "state");
  }

  get probeFile(): string {
    return join(this.#options.folder, "probe.json");
  }

  log(): string {
    return this.#gateway?.log() ?? "";
  }

  async startGateway(): Promise<void> {
    const { program, probe, lookEveryMs } = this.#options;
    const environment = {
      ...(await unitEnvironment()),
      ...this.inputs?.environment(process.env.PATH),
      SALLYPORT_SOAK_PROBE: this.probeFile,
      SALLYPORT_SOAK_PROBE_MS: String(lookEveryMs),
    };
    const command = ["--import", probe, program];
    this.#life += 1;
    this.#bornMs = hostClock.monotonicMs();
    this.#gateway = runGateway(this.#config, this.stateDir, environment, command, this.inputs?.enter);
    await this.#gateway.started();
    this.inputs?.begin();
  }

  async stopGateway(): Promise<void> {
    const gateway = this.#gateway;
    if (gateway === undefined) return;
    this.inputs?.rest();
    // An edge that was driven shall be counted.
    await sleep(hostClock, PASSED_ON_MS);
    const code = await gateway.stop();
    this.#gateway = undefined;
    this.plant.readerEnded();
    if (code !== 0) this.faults.add("stop", `SIGTERM ended with ${code}: ${gateway.log().slice(-500)}`);
  }

  async begin({ kind, line, device, uplink: nth }: PlannedTrouble): Promise<void> {
    const { broker, proxy } = this.#uplink(nth);
    switch (kind) {
      case "device dead":
        return this.plant.trouble(line, device, "dead");
      case "device garbled":
        return this.plant.trouble(line, device, "garbled");
      case "adapter gone":
        return await this.plant.vanish(line);
      case "broker stopped":
        proxy.refuse(true);
        await sleep(hostClock, PASSED_ON_MS);
        return await broker.stop();
      case "link frozen":
        return proxy.freeze();
      case "link cut":
        return proxy.cut();
      case "link slow":
        return proxy.delay(SLOW_MS);
      case "gateway restarted":
        return await this.stopGateway();
    }
  }

  async end({ kind, line, device, uplink: nth }: PlannedTrouble): Promise<void> {
    const { broker, proxy } = this.#uplink(nth);
    switch (kind) {
      case "device dead":
      case "device garbled":
        return this.plant.trouble(line, device, "none");
      case "adapter gone":
        return await this.plant.comeBack(line);
      case "broker stopped":
        await broker.start();
        return proxy.refuse(false);
      case "link frozen":
        return proxy.thaw();
      case "link cut":
        return;
      case "link slow":
        proxy.delay(0);
        // What is still under way would be overtaken by what comes now.
        return proxy.cut();
      case "gateway restarted":
        return await this.startGateway();
    }
  }

  /** Whether every far end has all that was served up to these numbers. */
  hasAll(upTo: ReadonlyMap<string, number>): boolean {
    return this.uplinks.every(({ book }) => book.hasAll(upTo));
  }

  async close(): Promise<void> {
    await this.#gateway?.kill();
    await this.inputs?.close();
    for (const { subscriber, proxy, broker } of this.uplinks) {
      await subscriber.close();
      await proxy.close();
      await broker.close();
    }
    await this.plant.close();
  }

  get #config(): string {
    return join(this.#options.folder, "gateway.yaml");
  }

  #uplink(nth: number): Uplink {
    const uplink = this.uplinks[nth];
    if (uplink === undefined) throw new Error(`there is no uplink ${nth}`);
    return uplink;
  }
}

async function openUplink(
  name: (typeof UPLINKS)[number],
  folder: string,
  certificates: Certificates,
  plant: SoakPlant,
  faults: FaultList,
): Promise<Uplink> {
  const kept = join(folder, `broker-${name}`);
  await mkdir(kept, { recursive: true });
  const broker = await startMosquitto({ certificates, configuration: (port) => brokerText(port, kept, certificates) });
  const proxy = await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock);
  const book = new ArrivalBook(name, plant.served(), SIZE.tagsPerDevice, faults);
  const farEnd = name === "json" ? new JsonFarEnd(TOPIC, book, faults) : new SparkplugFarEnd(NODE, book, faults);
  const subscriber = await subscribe(broker.url, {
    certificates,
    topics: [name === "json" ? `${TOPIC}/#` : "spBv1.0/#"],
    onMessage: (message) => farEnd.take(message, hostClock.wallMs()),
  });
  return { name, broker, proxy, subscriber, book, farEnd };
}

/** A subscriber that is away for a moment misses nothing, at QoS 0 either. */
function brokerText(port: number, folder: string, { ca, server }: Certificates): string {
  return `log_type error
log_type warning
log_type notice
log_type information
persistence true
persistence_location ${folder}/
max_queued_messages 10000000
queue_qos0_messages true
allow_anonymous true
listener ${port} 127.0.0.1
cafile ${ca}
certfile ${server.certificate}
keyfile ${server.key}
require_certificate true`;
}

function configText(
  { ca, client }: Certificates,
  uplinks: readonly Uplink[],
  plant: SoakPlant,
  inputs: SoakInputs | undefined,
): string {
  const tls = `{ ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }`;
  const each = uplinks.map(
    ({ name, proxy }) => `  ${name}:
    servers: [ "mqtts://localhost:${proxy.port}" ]
    format: ${name}
    tls: ${tls}
    reconnect: { spread: 2s, max: 10s }
`,
  );
  return `version: 1
gateway: { group: soak, name: ${NODE} }
uplinks:
${each.join("")}clock: { source: host }
${plant.yaml()}${inputs?.yaml() ?? ""}`;
}
