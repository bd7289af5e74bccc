/**
 * The proof of the main job on real parts: counting devices behind terminal pairs, the service in a process of its
 * own, a proxy on the way, Mosquitto with TLS and client certificates, a subscriber that misses nothing.
 * Every read changes every tag, so whatever is lost anywhere between shows as a hole.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostClock, sleep } from "../core/clock.ts";
import type { Message } from "../pipeline.ts";
import { type Certificates, writeCertificates } from "./certificates.ts";
import { CountBook, type Hole, type LossRange } from "./count-book.ts";
import { type CountingPlant, openCountingPlant } from "./counting-plant.ts";
import { type FrozenProxy, startFrozenProxy } from "./frozen-proxy.ts";
import { type GatewayProcess, runGateway } from "./gateway-process.ts";
import { Ledger, type WireMessage } from "./ledger.ts";
import { type Mosquitto, startMosquitto } from "./mosquitto.ts";
import { SessionOrder } from "./session-order.ts";
import { listeners } from "./sockets.ts";
import { type Subscriber, subscribe } from "./subscriber.ts";

export interface MainJobOptions {
  readonly cycles: number;
  /** Length of each phase: healthy, broker stopped, link frozen, killed. */
  readonly phaseMs: number;
  readonly tell: (line: string) => void;
}

export interface MainJobReport {
  readonly served: number;
  readonly live: number;
  readonly history: number;
  readonly duplicates: number;
  /** Everything that must not be, in words; empty when the promise holds. */
  readonly faults: readonly string[];
  /** Values of the moments before a kill, lost within the promised bound and told as BadDataLost. */
  readonly toldLost: number;
}

export const COMMIT_INTERVAL_MS = 1_000;
/** P4 allows 1.25 × commitInterval and the commit that was running. */
const RUNNING_COMMIT_MAX_MS = 500;
const LOSS_BOUND_MS = 1.25 * COMMIT_INTERVAL_MS + RUNNING_COMMIT_MAX_MS;
/** A gap that is told begins so much earlier: the clock may have been stepped so far back. */
const CLOCK_STEP_MS = 1_000;
const LOAD = { lines: 2, devicesPerLine: 10, tagsPerDevice: 100, scanRateMs: 1_000 } as const;
/** Values per second that change: 2,000. */
export const CHANGES_PER_S = (LOAD.lines * LOAD.devicesPerLine * LOAD.tagsPerDevice * 1_000) / LOAD.scanRateMs;
const CATCH_UP_LIMIT_MS = 60_000;
const LOOK_MS = 100;
const LAST_WORDS_CHARACTERS = 2_000;
const TOPIC = "proof/gateway";

export async function proveMainJob(options: MainJobOptions): Promise<MainJobReport> {
  const site = await Site.open(options.tell);
  try {
    for (let cycle = 1; cycle <= options.cycles; cycle++) {
      options.tell(`cycle ${cycle} of ${options.cycles}`);
      await site.healthy(options.phaseMs);
      await site.brokerStopped(options.phaseMs);
      await site.linkFrozen(options.phaseMs);
      await site.killedInOutage(options.phaseMs);
    }
    return await site.closeTheBooks();
  } finally {
    await site.close();
  }
}

class Site {
  readonly #tell: (line: string) => void;
  readonly #dir: string;
  readonly #plant: CountingPlant;
  readonly #broker: Mosquitto;
  readonly #proxy: FrozenProxy;
  readonly #subscriber: Subscriber;
  readonly #config: string;
  readonly #ledger = new Ledger();
  readonly #counts = new CountBook(["unclean stop"]);
  readonly #order = new SessionOrder(TOPIC);
  readonly #faults: string[] = [];
  readonly #killsMs: number[] = [];
  #gateway: GatewayProcess;
  #read = 0;
  #watched = 0;
  #closed = false;
  readonly #listening = new Set<string>();

  private constructor(parts: {
    tell: (line: string) => void;
    dir: string;
    plant: CountingPlant;
    broker: Mosquitto;
    proxy: FrozenProxy;
    subscriber: Subscriber;
    config: string;
    gateway: GatewayProcess;
  }) {
    this.#tell = parts.tell;
    this.#dir = parts.dir;
    this.#plant = parts.plant;
    this.#broker = parts.broker;
    this.#proxy = parts.proxy;
    this.#subscriber = parts.subscriber;
    this.#config = parts.config;
    this.#gateway = parts.gateway;
    void this.#watchSockets();
  }

  static async open(tell: (line: string) => void): Promise<Site> {
    const dir = await mkdtemp(join(tmpdir(), "sallyport-proof-"));
    const certificates = await writeCertificates(join(dir, "tls"), hostClock);
    const broker = await startMosquitto({ certificates });
    const subscriber = await subscribe(broker.url, { certificates, topics: [`${TOPIC}/#`] });
    const proxy = await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock);
    const plant = await openCountingPlant(LOAD);
    const config = join(dir, "gateway.yaml");
    await writeFile(config, configText(certificates, proxy.port, plant.yaml));
    const gateway = runGateway(config, join(dir, "state"));
    const site = new Site({ tell, dir, plant, broker, proxy, subscriber, config, gateway });
    await gateway.started();
    return site;
  }

  async healthy(forMs: number): Promise<void> {
    await sleep(hostClock, forMs);
    await this.#caughtUp("healthy");
  }

  async brokerStopped(forMs: number): Promise<void> {
    await this.#broker.stop();
    await sleep(hostClock, forMs);
    await this.#broker.start();
    await this.#caughtUp("broker stopped");
  }

  async linkFrozen(forMs: number): Promise<void> {
    this.#proxy.freeze();
    await sleep(hostClock, forMs);
    this.#proxy.thaw();
    await this.#caughtUp("link frozen");
  }

  async killedInOutage(forMs: number): Promise<void> {
    await this.#broker.stop();
    await sleep(hostClock, forMs);
    await this.#gateway.kill();
    this.#killsMs.push(hostClock.wallMs());
    this.#gateway = runGateway(this.#config, join(this.#dir, "state"));
    await this.#gateway.started();
    await this.#broker.start();
    await this.#caughtUp("gateway killed in an outage");
  }

  async closeTheBooks(): Promise<MainJobReport> {
    this.#plant.fallSilent();
    await this.#caughtUp("the end");
    await this.#holesFilled();
    const code = await this.#gateway.stop();
    if (code !== 0) this.#faults.push(`SIGTERM ended with ${code}, not 0: ${this.#gateway.log().slice(-500)}`);
    await this.#offline();
    const { served, tagsPerDevice } = this.#plant;
    const holes = this.#counts.holes(served, tagsPerDevice);
    this.#faults.push(...this.#ledger.violations(), ...this.#order.violations(), ...this.#judge(holes));
    const replies = [...served.values()].reduce((sum, list) => sum + list.length, 0);
    this.#faults.push(...[...this.#listening].map((listener) => `it listened: ${listener}`));
    if (this.#watched === 0) this.#faults.push("nobody looked at its sockets");
    const { live, history, duplicates } = this.#ledger.summary();
    if (this.#faults.length > 0)
      this.#tell(`the gateway's last words: ${this.#gateway.log().slice(-LAST_WORDS_CHARACTERS)}`);
    return {
      served: replies * tagsPerDevice,
      live,
      history,
      duplicates,
      faults: this.#faults,
      toldLost: holes.filter((hole) => hole.told).length,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#gateway.kill();
    await this.#subscriber.close();
    await this.#proxy.close();
    await this.#broker.close();
    await this.#plant.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  #judge(holes: readonly Hole[]): readonly string[] {
    const nearKill = (atMs: number) => this.#killsMs.some((killMs) => atMs <= killMs && killMs - atMs <= LOSS_BOUND_MS);
    const words = (hole: Hole) => `${hole.id} count ${hole.count}, served ${this.#sinceKill(hole.servedAtMs)}`;
    const tooOld = holes.filter((hole) => !nearKill(hole.servedAtMs)).map((hole) => `lost: ${words(hole)}`);
    const untold = holes.filter((hole) => nearKill(hole.servedAtMs) && !hole.told).map((h) => `not told: ${words(h)}`);
    const isTooLong = ({ fromMs }: LossRange) => this.#untilKillMs(fromMs) > LOSS_BOUND_MS + CLOCK_STEP_MS;
    const tooLong = this.#counts.toldLosses().filter(isTooLong);
    const gaps = tooLong.map(({ fromMs }) => `told from ${new Date(fromMs).toISOString()}`);
    return [
      ...summary("lost beyond the bound", tooOld),
      ...summary("lost without a BadDataLost", untold),
      ...summary("gaps told that are longer than the bound", gaps),
    ];
  }

  #sinceKill(atMs: number): string {
    const untilMs = this.#untilKillMs(atMs);
    return Number.isFinite(untilMs) ? `${untilMs} ms before a kill` : "after the last kill";
  }

  /** To the next kill; minus infinity after the last. */
  #untilKillMs(atMs: number): number {
    return (this.#killsMs.find((killMs) => killMs >= atMs) ?? Number.NEGATIVE_INFINITY) - atMs;
  }

  /** Waits until all that was served up to now has arrived; tells how long it took. */
  async #caughtUp(phase: string): Promise<void> {
    const since = hostClock.monotonicMs();
    const beforeMs = hostClock.wallMs();
    const { served, tagsPerDevice } = this.#plant;
    for (;;) {
      this.#readArrivals();
      if (this.#counts.caughtUp(served, tagsPerDevice, beforeMs)) break;
      if (hostClock.monotonicMs() - since > CATCH_UP_LIMIT_MS) {
        const holes = this.#counts.holes(served, tagsPerDevice).filter((h) => h.servedAtMs < beforeMs && !h.told);
        const first = holes[0];
        throw new Error(
          `${phase}: ${holes.length} values missing after ${CATCH_UP_LIMIT_MS} ms, first ${first?.id} ${first?.count}: ${this.#gateway.log().slice(-2000)}`,
        );
      }
      await sleep(hostClock, LOOK_MS);
    }
    const { live, history } = this.#ledger.summary();
    const tookS = ((hostClock.monotonicMs() - since) / 1000).toFixed(1);
    this.#tell(`${phase}: all there after ${tookS} s (live ${live}, history ${history})`);
  }

  /** What lies in a gap that was told may arrive all the same, if it was stored in time: waits for that. */
  async #holesFilled(): Promise<void> {
    const { served, tagsPerDevice } = this.#plant;
    const since = hostClock.monotonicMs();
    while (this.#judge(this.#counts.holes(served, tagsPerDevice)).length > 0) {
      if (hostClock.monotonicMs() - since > CATCH_UP_LIMIT_MS) return;
      await sleep(hostClock, LOOK_MS);
      this.#readArrivals();
    }
  }

  #readArrivals(): void {
    const { messages } = this.#subscriber;
    for (; this.#read < messages.length; this.#read++) {
      const message = messages[this.#read];
      if (message === undefined) break;
      this.#order.arrived(message);
      const kind = topicKind(message);
      if (kind === undefined) continue;
      const wire = JSON.parse(Buffer.from(message.payload).toString()) as WireMessage;
      this.#ledger.arrived(kind, wire, message.again);
      this.#counts.arrived(wire);
    }
  }

  async #offline(): Promise<void> {
    await this.#subscriber.until("the gateway said goodbye", (messages) => {
      const status = messages.findLast((m) => m.topic === `${TOPIC}/status`);
      return status !== undefined && JSON.parse(Buffer.from(status.payload).toString()).online === false;
    });
    this.#readArrivals();
  }

  /** Looks at the sockets of the running gateway all the time: from its start to after its end. */
  async #watchSockets(): Promise<void> {
    while (!this.#closed) {
      // Between a kill and the next start there is no process to look at.
      const found = await listeners(this.#gateway.pid).catch(() => undefined);
      if (found !== undefined) this.#watched += 1;
      for (const listener of found ?? []) this.#listening.add(listener);
      await sleep(hostClock, LOOK_MS);
    }
  }
}

function topicKind(message: Message): "data" | "history" | undefined {
  if (message.topic === `${TOPIC}/data`) return "data";
  return message.topic === `${TOPIC}/history` ? "history" : undefined;
}

function summary(what: string, all: readonly string[]): readonly string[] {
  return all.length === 0 ? [] : [`${all.length} ${what}`, ...all.slice(0, 5)];
}

function configText(certificates: Certificates, port: number, lines: string): string {
  return `version: 1
gateway: { group: proof, name: gateway }
uplinks:
  cloud:
    servers: [ "mqtts://localhost:${port}" ]
    tls: { ca: ${certificates.ca}, certificate: ${certificates.client.certificate}, key: ${certificates.client.key} }
    reconnect: { spread: 1s, max: 2s }
outbox: { commitInterval: ${COMMIT_INTERVAL_MS}ms }
clock: { source: host }
${lines}`;
}
