/**
 * One outbox and an uplink to each of several real brokers. While the way to one of them is broken, frozen, slow or
 * ends at a broker that is down, the others must get every value live, as if nothing were; and it all, later.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UplinkConfig } from "../config/config.ts";
import { hostClock, sleep } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import { openStore, type Store } from "../store/open-store.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { createUplink, type Uplink } from "../uplinks/uplink.ts";
import type { Certificates } from "./certificates.ts";
import { type FrozenProxy, startFrozenProxy } from "./frozen-proxy.ts";
import { Ledger, type WireMessage } from "./ledger.ts";
import { deviceOf, SettableValues } from "./settable-values.ts";
import { type Received, type Subscriber, subscribe } from "./subscriber.ts";
import { uplinkConfig } from "./uplink-config.ts";

export interface Broker {
  readonly name: string;
  readonly port: number;
  /** As the observer behind it logs in; without, its certificate is enough. */
  readonly observer?: { readonly username: string; readonly password: string };
  /** The version of MQTT that it speaks. */
  readonly version: 4 | 5;
  /** Only where it keeps what it has acknowledged. */
  readonly stop?: () => Promise<void>;
  readonly start?: () => Promise<void>;
}

export type Trouble = "broken" | "frozen" | "slow" | "stopped";

export interface SeveralOptions {
  readonly certificates: Certificates;
  readonly brokers: readonly Broker[];
  readonly troubles: readonly Trouble[];
  /** How long each trouble lasts. */
  readonly phaseMs: number;
  readonly worker: "thread" | "in-process";
  /** What a value may take to a broker that is well, and that it comes as live; absent: only that it comes meanwhile. */
  readonly liveLimitMs?: number;
  readonly tell: (line: string) => void;
}

export interface SeveralReport {
  /** By broker: what arrived there, and how. */
  readonly arrived: Readonly<Record<string, ReturnType<Ledger["summary"]>>>;
  /** From being taken in to the observer, while nothing was wrong with this broker. */
  readonly worstLiveMs: number;
  /** Everything that must not be, in words; empty when the promise holds. */
  readonly faults: readonly string[];
}

const TOPIC = "plant/gateway";
const TAGS = ["speed", "flow", "level", "pressure"] as const;
const TICK_MS = 10;
/** Within this a broker that is well has all. Shorter than a frozen link goes unnoticed: who waits for it is found out. */
const MEANWHILE_LIMIT_MS = 4_500;
const SLOW_LINK_MS = 1_000;
const CATCH_UP_LIMIT_MS = 60_000;
const LOOK_MS = 20;

export async function proveSeveral(options: SeveralOptions): Promise<SeveralReport> {
  const site = await Site.open(options);
  try {
    await site.caughtUp("at the beginning");
    for (const trouble of options.troubles) {
      for (const way of site.ways) {
        if (trouble === "stopped" && way.broker.stop === undefined) continue;
        await site.trouble(way, trouble, options.phaseMs);
      }
    }
    return await site.closeTheBooks();
  } finally {
    await site.close();
  }
}

/** The way to one broker, from the uplink to the observer behind it. */
class Way {
  readonly broker: Broker;
  readonly proxy: FrozenProxy;
  readonly ledger = new Ledger();
  /** The longest that a live value took since this was set to 0. */
  worstLiveMs = 0;
  uplink: Uplink | undefined;
  observer: Subscriber | undefined;

  constructor(broker: Broker, proxy: FrozenProxy) {
    this.broker = broker;
    this.proxy = proxy;
  }

  book({ topic, payload, again }: Received): void {
    const stage = topic.slice(TOPIC.length + 1);
    if (stage !== "data" && stage !== "history") return;
    const message = JSON.parse(Buffer.from(payload).toString()) as WireMessage;
    this.ledger.arrived(stage, message, again);
    if (stage === "history") return;
    // Each value is the moment at which it was set.
    const nowMs = hostClock.monotonicMs();
    for (const { v } of message.values) this.worstLiveMs = Math.max(this.worstLiveMs, nowMs - Number(v));
  }

  async begin(trouble: Trouble): Promise<void> {
    if (trouble === "broken") this.proxy.refuse(true);
    if (trouble === "frozen") this.proxy.freeze();
    if (trouble === "slow") this.proxy.delay(SLOW_LINK_MS);
    if (trouble === "stopped") await this.broker.stop?.();
  }

  async end(trouble: Trouble): Promise<void> {
    if (trouble === "broken") this.proxy.refuse(false);
    if (trouble === "frozen") this.proxy.thaw();
    if (trouble === "slow") this.proxy.delay(0);
    if (trouble === "stopped") await this.broker.start?.();
  }
}

class Site {
  readonly ways: readonly Way[];
  readonly #options: SeveralOptions;
  readonly #dir: string;
  readonly #store: Store;
  readonly #values: SettableValues;
  readonly #faults: string[] = [];
  #worstLiveMs = 0;
  #loading = true;
  readonly #load: Promise<void>;

  private constructor(
    options: SeveralOptions,
    dir: string,
    store: Store,
    ways: readonly Way[],
    values: SettableValues,
  ) {
    this.ways = ways;
    this.#options = options;
    this.#dir = dir;
    this.#store = store;
    this.#values = values;
    this.#load = this.#run();
  }

  static async open(options: SeveralOptions): Promise<Site> {
    const { brokers, certificates, worker } = options;
    const dir = await mkdtemp(join(tmpdir(), "sallyport-several-"));
    const device = deviceOf("pump", TAGS);
    const store = await openStore({
      config: {
        path: "outbox.db",
        maxSizeBytes: 256_000_000,
        maxAgeMs: 86_400_000,
        commitIntervalMs: 1_000,
        outageCommitIntervalMs: 1_000,
      },
      stateDir: dir,
      uplinks: brokers.map(({ name }) => ({ name, startAt: "now" })),
      tags: device.tags,
      clock: hostClock,
      log: silentLog,
      worker,
    });
    const ways = await Promise.all(
      brokers.map(
        async (broker) => new Way(broker, await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock)),
      ),
    );
    const values = new SettableValues(hostClock, [device], [...ways.map(({ ledger }) => ledger), store.outbox]);
    for (const way of ways) {
      const { name, port, version, observer: login } = way.broker;
      way.observer = await subscribe(`mqtts://localhost:${port}`, {
        certificates,
        version,
        ...(login && { login }),
        onMessage: (message) => way.book(message),
      });
      const config: UplinkConfig = { ...uplinkConfig(certificates, [`mqtts://localhost:${way.proxy.port}`]), name };
      way.uplink = createUplink({
        config,
        values,
        queue: store.outbox.uplink(name, "now"),
        transport: createMqttTransport({ config, clock: hostClock, log: silentLog }),
        state: store.state,
        clock: hostClock,
        random: hostRandom,
        log: silentLog,
      });
      way.uplink.start();
    }
    return new Site(options, dir, store, ways, values);
  }

  async trouble(sick: Way, trouble: Trouble, forMs: number): Promise<void> {
    const healthy = this.ways.filter((way) => way !== sick);
    const before = healthy.map(({ ledger }) => ledger.summary().history);
    for (const way of healthy) way.worstLiveMs = 0;
    const sickBefore = sick.ledger.summary();
    await sick.begin(trouble);
    await sleep(hostClock, forMs);
    const during = `${sick.broker.name} ${trouble}`;
    for (const [index, way] of healthy.entries()) this.#judge(way, before[index] ?? 0, during);
    await this.#pause(() => this.#allThere(healthy, `while ${during}`, MEANWHILE_LIMIT_MS));
    await sick.end(trouble);
    await this.caughtUp(`after ${during}`);
    const got = sick.ledger.summary();
    this.#options.tell(
      `${sick.broker.name} ${trouble} for ${forMs / 1_000} s: it got ${got.live - sickBefore.live} live and ${got.history - sickBefore.history} as history`,
    );
  }

  /** All brokers have all values that were taken in until now, and are connected. */
  async caughtUp(when: string): Promise<void> {
    await this.#pause(() => this.#allThere(this.ways, when, CATCH_UP_LIMIT_MS));
  }

  async #allThere(ways: readonly Way[], when: string, limitMs: number): Promise<void> {
    const untilMs = hostClock.monotonicMs() + limitMs;
    for (const { uplink, broker, ledger } of ways) {
      const done = () => uplink?.report().state === "connected" && ledger.missing(1).length === 0;
      while (!done()) {
        if (hostClock.monotonicMs() > untilMs) {
          this.#faults.push(`${broker.name} ${when}: ${uplink?.report().state}, missing ${ledger.missing(3)}`);
          return;
        }
        await sleep(hostClock, LOOK_MS);
      }
    }
  }

  async closeTheBooks(): Promise<SeveralReport> {
    this.#loading = false;
    await this.#load;
    await this.caughtUp("at the end");
    const arrived = Object.fromEntries(this.ways.map(({ broker, ledger }) => [broker.name, ledger.summary()]));
    const violations = this.ways.flatMap(({ broker, ledger }) =>
      ledger.violations().map((what) => `${broker.name}: ${what}`),
    );
    return { arrived, worstLiveMs: this.#worstLiveMs, faults: [...this.#faults, ...violations] };
  }

  async close(): Promise<void> {
    this.#loading = false;
    await this.#load;
    for (const { uplink, observer, proxy } of this.ways) {
      await uplink?.stop();
      await observer?.close();
      await proxy.close();
    }
    await this.#store.outbox.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  #judge({ broker, ledger, worstLiveMs }: Way, historyBefore: number, during: string): void {
    const { liveLimitMs } = this.#options;
    this.#worstLiveMs = Math.max(this.#worstLiveMs, worstLiveMs);
    if (liveLimitMs === undefined) return;
    const history = ledger.summary().history - historyBefore;
    if (history > 0) this.#faults.push(`${broker.name} got ${history} values late while ${during}`);
    if (worstLiveMs > liveLimitMs) this.#faults.push(`${broker.name} waited ${worstLiveMs} ms while ${during}`);
  }

  #paused: Promise<void> | undefined;

  async #pause(work: () => Promise<void>): Promise<void> {
    this.#paused = work();
    await this.#paused;
    this.#paused = undefined;
  }

  async #run(): Promise<void> {
    while (this.#loading) {
      const nowMs = hostClock.monotonicMs();
      this.#values.setAll(TAGS.map((tag) => [`pump/${tag}`, nowMs]));
      await sleep(hostClock, TICK_MS);
      await this.#paused;
    }
  }
}
