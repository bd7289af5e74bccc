/**
 * The proof that QoS 0 loses nothing: a link that hangs or breaks at random bytes, again and again, and a subscriber
 * behind the broker that holds what arrived against what the devices served.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostClock, sleep } from "../../core/clock.ts";
import { type Random, seededRandom } from "../../core/random.ts";
import { BRIEF_IS_A_FIGHT, HELD_AFTER_MS } from "../../uplinks/session.ts";
import { type Certificates, writeCertificates } from "../certificates.ts";
import { CountBook } from "../count-book.ts";
import { type GatewayProcess, runGateway } from "../gateway-process.ts";
import type { WireMessage } from "../ledger.ts";
import { type Mosquitto, startMosquitto } from "../mosquitto.ts";
import { type Subscriber, subscribe } from "../subscriber.ts";
import { decodePayloads, type Metric } from "./payload-decoder.ts";
import { openPlant, type Plant } from "./plant.ts";
import { type Entry, Recording } from "./recording.ts";
import { type RecordingProxy, startRecordingProxy } from "./recording-proxy.ts";

export interface BarrierOptions {
  readonly times: number;
  readonly seed: number;
  readonly tell: (line: string) => void;
}

export interface BarrierReport {
  readonly served: number;
  /** Values that arrived live and as history, and those among them that had arrived before. */
  readonly live: number;
  readonly history: number;
  readonly duplicates: number;
  /** Messages of data that the gateway sent and the observer swallowed: what a careless gateway would lose. */
  readonly swallowed: number;
  /** Everything that must not be, in words; empty when the promise holds. */
  readonly faults: readonly string[];
}

const DEVICES = ["d1", "d2"] as const;
const PLANT = { devices: DEVICES, tagsPerDevice: 3, scanRateMs: 50, responseTimeoutMs: 3_000, retries: 1 } as const;
const TOPICS = "spBv1.0/#";
const WAIT_LIMIT_MS = 60_000;
const LOOK_MS = 200;
/** Bytes from the moment of choice to the fault: within the births of a session, and within its data. */
const FAULT_MAX_BYTES = 6_000;
/** The link breaks where both sides see it; else it hangs. */
const BREAK_SHARE = 0.25;
/** A link that hangs breaks after a while; else the gateway has to find out by itself. */
const TOLD_SHARE = 0.4;
/** Somewhere from CONNECT on; else once data flow. */
const EARLY_SHARE = 0.25;
const HANG_MAX_MS = 1_200;
/** Gateways beside each other, for most of their time they wait: each asks its broker in another way. */
const LANES = [
  "mqttVersion: 5",
  "mqttVersion: 3.1.1",
  "mqttVersion: 5, sparkplug: { barrier: publish }",
  "mqttVersion: 3.1.1, sparkplug: { datatypeInData: true }",
] as const;
const SHOWN_MAX = 10;

export async function proveBarrier({ times, seed, tell }: BarrierOptions): Promise<BarrierReport> {
  let left = times;
  const next = () => left-- > 0;
  const sites: BarrierSite[] = [];
  try {
    // One after the other: a program that starts is the busiest.
    for (const options of LANES.slice(0, times)) {
      const site = await BarrierSite.open(options);
      sites.push(site);
      await site.started();
    }
    const lanes = sites.map((site, i) => runLane(site, seededRandom(seed * LANES.length + i), next, tell));
    return sumOf(await Promise.all(lanes));
  } finally {
    await Promise.all(sites.map((site) => site.close()));
  }
}

async function runLane(
  site: BarrierSite,
  random: Random,
  next: () => boolean,
  tell: (line: string) => void,
): Promise<BarrierReport> {
  try {
    while (next()) tell(await site.spoil(random));
    return await site.closeTheBooks();
  } catch (thrown) {
    tell(`the gateway's last words: ${site.log()}`);
    throw thrown;
  }
}

function sumOf(reports: readonly BarrierReport[]): BarrierReport {
  return reports.reduce((sum, report) => ({
    served: sum.served + report.served,
    live: sum.live + report.live,
    history: sum.history + report.history,
    duplicates: sum.duplicates + report.duplicates,
    swallowed: sum.swallowed + report.swallowed,
    faults: [...sum.faults, ...report.faults],
  }));
}

interface Parts {
  readonly dir: string;
  readonly broker: Mosquitto;
  readonly subscriber: Subscriber;
  readonly proxy: RecordingProxy;
  readonly recording: Recording;
  readonly plant: Plant;
  readonly gateway: GatewayProcess;
}

class BarrierSite {
  readonly #parts: Parts;
  readonly #book = new CountBook([]);
  readonly #arrived = new Set<string>();
  #read = 0;
  /** Connections in a row that the gateway saw break soon. */
  #brief = 0;
  #live = 0;
  #history = 0;
  #duplicates = 0;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  static async open(options: string): Promise<BarrierSite> {
    const dir = await mkdtemp(join(tmpdir(), "sallyport-barrier-"));
    const certificates = await writeCertificates(join(dir, "tls"), hostClock);
    const broker = await startMosquitto({ certificates });
    const subscriber = await subscribe(broker.url, { certificates, topics: [TOPICS] });
    const recording = new Recording();
    const proxy = await startRecordingProxy({ recording, certificates, port: broker.port, name: "a" });
    const plant = await openPlant(PLANT);
    const config = join(dir, "gateway.yaml");
    await writeFile(config, configuration(certificates, proxy.url, options, plant.yaml));
    const gateway = runGateway(config, join(dir, "state"));
    return new BarrierSite({ dir, broker, subscriber, proxy, recording, plant, gateway });
  }

  started(): Promise<void> {
    return this.#parts.gateway.started();
  }

  log(): string {
    return this.#parts.gateway.log().slice(-2_000);
  }

  /** One fault, to the end of its connection. Says what it was. */
  async spoil(random: Random): Promise<string> {
    const { proxy, recording } = this.#parts;
    const wantsEarly = random.next() < EARLY_SHARE;
    const breaks = random.next() < BREAK_SHARE;
    const isTold = breaks || wantsEarly || random.next() < TOLD_SHARE;
    // Too many short connections in a row would look like a fight with another gateway.
    const mustHold = isTold && this.#brief >= BRIEF_IS_A_FIGHT - 1;
    const isEarly = wantsEarly && !mustHold;
    if (isTold) this.#brief = mustHold ? 0 : this.#brief + 1;
    const bytes = Math.floor(random.next() * FAULT_MAX_BYTES);
    const hangMs = Math.round(random.next() * HANG_MAX_MS);
    if (!isEarly) await this.#flowing();
    if (mustHold) await sleep(hostClock, HELD_AFTER_MS);
    const since = recording.entries.length;
    if (breaks) proxy.cutAfter(bytes);
    else proxy.swallowAfter(bytes);
    if (!breaks) await this.#until("the link hangs", (later) => later.some(isSwallowed), since);
    if (!breaks && isTold) {
      await sleep(hostClock, hangMs);
      proxy.cut();
    }
    await this.#until("the gateway has left", (later) => later.some(({ kind }) => kind === "closed"), since);
    await this.#readArrivals();
    const where = `after ${bytes} bytes${isEarly ? " of a connection" : ""}`;
    if (breaks) return `broken ${where}`;
    return `hung ${where}, ${isTold ? `broken ${hangMs} ms later` : "found out by the gateway"}`;
  }

  async #flowing(): Promise<void> {
    const { entries } = this.#parts.recording;
    const last = entries.findLastIndex(({ kind }) => kind === "opened" || kind === "closed");
    await this.#until("data flow", (later) => later.some(isData), Math.max(0, last));
  }

  async closeTheBooks(): Promise<BarrierReport> {
    const { plant, recording, gateway } = this.#parts;
    for (const device of DEVICES) plant.silence(device, true);
    const faults: string[] = [];
    const since = hostClock.monotonicMs();
    const holes = () => this.#book.holes(plant.served, PLANT.tagsPerDevice);
    for (await this.#readArrivals(); holes().length > 0; await this.#readArrivals()) {
      if (hostClock.monotonicMs() - since > WAIT_LIMIT_MS) break;
      await sleep(hostClock, LOOK_MS);
    }
    const missing = holes();
    if (missing.length > 0) faults.push(`${missing.length} values that were served never arrived`);
    faults.push(...missing.slice(0, SHOWN_MAX).map(({ id, count }) => `${id} count ${count}`));
    const code = await gateway.stop();
    if (code !== 0) faults.push(`SIGTERM ended with ${code}: ${this.log()}`);
    const replies = [...plant.served.values()].reduce((sum, log) => sum + log.length, 0);
    return {
      served: replies * PLANT.tagsPerDevice,
      live: this.#live,
      history: this.#history,
      duplicates: this.#duplicates,
      swallowed: recording.entries.filter((entry) => isData(entry) && isSwallowed(entry)).length,
      faults,
    };
  }

  async close(): Promise<void> {
    const { gateway, subscriber, proxy, broker, plant, dir } = this.#parts;
    await gateway.kill();
    await subscriber.close();
    await proxy.close();
    await broker.close();
    await plant.close();
    await rm(dir, { recursive: true, force: true });
  }

  #until(what: string, holds: (later: readonly Entry[]) => boolean, since: number): Promise<void> {
    return this.#parts.recording.until(what, (entries) => holds(entries.slice(since)), WAIT_LIMIT_MS);
  }

  async #readArrivals(): Promise<void> {
    const { messages } = this.#parts.subscriber;
    const data = messages.slice(this.#read).filter(({ topic }) => topic.split("/")[2] === "DDATA");
    this.#read = messages.length;
    const payloads = await decodePayloads(data.map(({ payload }) => payload));
    for (const [i, { topic }] of data.entries()) {
      const [, , , , device = ""] = topic.split("/");
      for (const metric of payloads[i]?.metrics ?? []) this.#arrive(device, metric);
    }
  }

  #arrive(device: string, metric: Metric): void {
    const { name = "", timestamp = 0n, isHistorical, value } = metric;
    if (typeof value?.content !== "bigint" || !isGood(metric)) return;
    if (isHistorical === true) this.#history += 1;
    else this.#live += 1;
    const key = `${device} ${name} ${timestamp} ${value.content}`;
    if (this.#arrived.has(key)) this.#duplicates += 1;
    this.#arrived.add(key);
    const wire = { id: `${device}/${name}`, v: Number(value.content), q: true, t: Number(timestamp) };
    const message: WireMessage = { session: 1, epoch: 1, seq: 1, values: [wire] };
    this.#book.arrived(message);
  }
}

/** A value that was only kept is none that was read. */
function isGood({ properties }: Metric): boolean {
  const quality = properties?.values[properties.keys.indexOf("Quality")]?.value?.content;
  return quality === undefined || quality === 192n;
}

function isData(entry: Entry): boolean {
  const packet = entry.kind === "packet" && entry.from === "gateway" ? entry.packet : undefined;
  return packet?.cmd === "publish" && packet.topic.includes("/DDATA/");
}

function isSwallowed(entry: Entry): boolean {
  return entry.kind === "packet" && entry.from === "gateway" && !entry.passed;
}

function configuration({ ca, client }: Certificates, url: string, options: string, lines: string): string {
  const tls = `{ ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }`;
  return `version: 1
gateway: { group: proof, name: barrier }
uplinks:
  cloud: { servers: [ "${url}" ], format: sparkplug, tls: ${tls}, reconnect: { spread: 200ms, max: 1s }, ${options} }
clock: { source: host }
${lines}`;
}
