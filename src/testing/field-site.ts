/** A small site on real parts: simulated devices behind a terminal pair, the service as a process, Mosquitto, a reader. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostClock, sleep } from "../core/clock.ts";
import type { StatusContent } from "../diagnostics/status-file.ts";
import { type Certificates, writeCertificates } from "./certificates.ts";
import { type GatewayProcess, runGateway, startGateway } from "./gateway-process.ts";
import { ModbusDevice } from "./modbus-device.ts";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "./mosquitto.ts";
import { openPtyPair, type PtyPair } from "./pty.ts";
import { Reader } from "./reader.ts";
import { serveDevices } from "./simulated-bus.ts";
import { type Subscriber, subscribe } from "./subscriber.ts";

const TOPIC = "site/gateway";
export const SCAN_RATE_MS = 200;
export const RESPONSE_TIMEOUT_MS = 200;
const LIMIT_MS = 30_000;
const LOOK_MS = 50;

export interface FieldSiteOptions {
  /** The broker shows this certificate in place of the one that is in order. */
  readonly identity?: "expired" | "wrongHost";
  /** What the broker asks for and shows, beside TLS. */
  readonly broker?: Omit<MosquittoOptions, "certificates">;
}

/** One uplink of status.json, as far as tests look at it. */
interface UplinkStatus {
  readonly name: string;
  readonly state: string;
  readonly depth: number;
}

export class FieldSite {
  readonly certificates: Certificates;
  readonly broker: Mosquitto;
  readonly pair: PtyPair;
  /** Unit ids 1 and 2: `pump` and `meter`, each with one register, `value`. */
  readonly pump: ModbusDevice;
  readonly meter: ModbusDevice;
  readonly #dir: string;
  readonly #stopServing: () => void;
  #gateway: GatewayProcess | undefined;
  #subscriber: Subscriber | undefined;
  #reader = new Reader(TOPIC);
  #read = 0;
  /** Of the pump's register, as `publishes` sets it. */
  #value = 0;

  private constructor(parts: { dir: string; certificates: Certificates; broker: Mosquitto; pair: PtyPair }) {
    this.#dir = parts.dir;
    this.certificates = parts.certificates;
    this.broker = parts.broker;
    this.pair = parts.pair;
    this.pump = new ModbusDevice(1);
    this.meter = new ModbusDevice(2);
    this.#stopServing = serveDevices(parts.pair.master, [this.pump, this.meter], hostClock);
  }

  static async open(options: FieldSiteOptions = {}): Promise<FieldSite> {
    const dir = await mkdtemp(join(tmpdir(), "sallyport-site-"));
    const certificates = await writeCertificates(join(dir, "tls"), hostClock);
    const broker = await startMosquitto({
      certificates,
      identity: certificates[options.identity ?? "server"],
      ...options.broker,
    });
    return new FieldSite({ dir, certificates, broker, pair: await openPtyPair() });
  }

  /**
   * Writes gateway.yaml with the uplink `cloud`, absent: one that is in order, and more of the section; with both
   * devices, or those of these names; `tag` is what stands at each value, `more` what stands behind all.
   */
  async configure(
    uplink: string = this.uplinkYaml(),
    {
      moreUplinks = "",
      devices = ["pump", "meter"],
      tag = "{ holdingRegister: 0 }",
      more = "",
    }: { moreUplinks?: string; devices?: readonly string[]; tag?: string; more?: string } = {},
  ): Promise<string> {
    const file = join(this.#dir, "gateway.yaml");
    const device = (name: string) =>
      `      ${name}: { unitId: ${name === "pump" ? 1 : 2}, scanRate: ${SCAN_RATE_MS}ms, tags: { value: ${tag} } }\n`;
    await writeFile(
      file,
      `version: 1
gateway: { group: site, name: gateway }
uplinks:
  cloud: ${uplink}
${moreUplinks}
clock: { source: host }
lines:
  line-1:
    path: ${this.pair.path}
    responseTimeout: ${RESPONSE_TIMEOUT_MS}ms
    devices:
${devices.map(device).join("")}${more}`,
    );
    return file;
  }

  /** Beside the uplink that works one that never will: its history wants the card at all times. */
  configureWithBacklog(): Promise<string> {
    const away = this.uplinkYaml({ server: "mqtts://127.0.0.1:9" }).replace("{", "{ topic: site/away, ");
    return this.configure(`${this.uplinkYaml()}\n  away: ${away}`);
  }

  uplinkYaml(more: { server?: string; ca?: string; login?: string } = {}): string {
    const { client } = this.certificates;
    const ca = more.ca ?? this.certificates.ca;
    const login = more.login === undefined ? "" : `, login: ${more.login}`;
    return `{ servers: [ "${more.server ?? this.broker.url}" ], tls: { ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }, reconnect: { spread: 1s, max: 2s }${login} }`;
  }

  get stateDir(): string {
    return join(this.#dir, "state");
  }

  /** A file beside gateway.yaml, readable by its owner only. */
  async writeSecret(name: string, text: string): Promise<void> {
    await writeFile(join(this.#dir, name), text, { mode: 0o600 });
  }

  async startGateway(configFile: string, environment: Record<string, string> = {}): Promise<GatewayProcess> {
    this.#gateway = await startGateway(configFile, this.stateDir, environment);
    return this.#gateway;
  }

  /** Starts it where it is expected to end by itself. */
  runGateway(configFile: string): GatewayProcess {
    this.#gateway = runGateway(configFile, this.stateDir);
    return this.#gateway;
  }

  async subscribe(login?: { username: string; password: string }): Promise<Subscriber> {
    const { certificates } = this;
    this.#subscriber = await subscribe(this.broker.url, {
      certificates,
      topics: [`${TOPIC}/#`],
      ...(login && { login }),
    });
    return this.#subscriber;
  }

  /** The far end's picture, up to date with all that has arrived. */
  reader(): Reader {
    const messages = this.#subscriber?.messages ?? [];
    for (; this.#read < messages.length; this.#read++) {
      const message = messages[this.#read];
      if (message !== undefined) this.#reader.receive(message.topic, message.payload, message.retain);
    }
    return this.#reader;
  }

  /** Waits until the far end's picture is so. */
  async seen(what: string, holds: (reader: Reader) => boolean, limitMs = LIMIT_MS): Promise<void> {
    await this.#until(what, async () => holds(this.reader()), limitMs);
  }

  /** Waits until a new value of the pump has arrived at the far end. */
  async publishes(when: string): Promise<void> {
    const next = ++this.#value;
    this.pump.set("holdingRegister", 0, next);
    await this.seen(`a value changes at the far end: ${when}`, (reader) => {
      const tag = reader.tag("pump/value");
      return tag?.value === next && tag.good;
    });
  }

  /** Waits until the far end has this of a self-tag. */
  async tells(name: string, what: RegExp, when: string, limitMs?: number): Promise<void> {
    const holds = (reader: Reader) => what.test(String(reader.tag(`gateway/${name}`)?.value ?? ""));
    await this.seen(`${name} is ${what}: ${when}`, holds, limitMs);
  }

  /** Waits until the file has all that was taken in before. */
  async stores(): Promise<void> {
    const { newest } = (await this.#status())?.outbox ?? { newest: Number.POSITIVE_INFINITY };
    await this.#until(`${newest} is stored`, async () => ((await this.#status())?.outbox.committed ?? 0) >= newest);
  }

  /** Waits until status.json tells this of the uplink. */
  async uplinkStatus(what: string, holds: (uplink: UplinkStatus) => boolean): Promise<UplinkStatus> {
    let found: UplinkStatus | undefined;
    await this.#until(what, async () => {
      const [uplink] = (await this.#status())?.uplinks ?? [];
      found = uplink;
      return uplink !== undefined && holds(uplink);
    });
    if (found === undefined) throw new Error(what);
    return found;
  }

  /** Waits until status.json tells this of a tag, and gives its value. */
  async heldTag(device: string, name: string, holds: (value: string) => boolean): Promise<string> {
    let value = "";
    await this.#until(`${device}/${name} is held`, async () => {
      const devices = (await this.#status())?.devices ?? [];
      value = String(devices.find((d) => d.name === device)?.tags.find((t) => t.name === name)?.value ?? "");
      return holds(value);
    });
    return value;
  }

  async #status(): Promise<StatusContent | undefined> {
    const text = await readFile(join(this.stateDir, "status.json"), "utf8").catch(() => undefined);
    return text === undefined ? undefined : JSON.parse(text);
  }

  async #until(what: string, holds: () => Promise<boolean>, limitMs = LIMIT_MS): Promise<void> {
    const deadlineMs = hostClock.monotonicMs() + limitMs;
    while (!(await holds())) {
      if (hostClock.monotonicMs() > deadlineMs) {
        throw new Error(`waited ${limitMs} ms in vain until ${what}: ${this.#gateway?.log().slice(-2000)}`);
      }
      await sleep(hostClock, LOOK_MS);
    }
  }

  async close(): Promise<void> {
    await this.#gateway?.kill();
    await this.#subscriber?.close();
    await this.broker.close();
    this.#stopServing();
    await this.pair.close();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
