/**
 * A fleet of light gateways on one Mosquitto that goes away and comes back: how hard do they come back, when is the
 * last one there, and is anything missing?
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { hostClock, sleep } from "../core/clock.ts";
import { writeCertificates } from "./certificates.ts";
import { Condition } from "./condition.ts";
import type { FleetGateway, FleetOrder, FleetReport } from "./fleet-main.ts";
import { startMosquitto } from "./mosquitto.ts";
import { subscribe } from "./subscriber.ts";
import type { ValuesOnWire } from "./wire.ts";

export interface FleetOptions {
  readonly gateways: number;
  readonly processes: number;
  readonly outageMs: number;
  readonly tell: (line: string) => void;
}

export interface FleetResult {
  /** Attempts that the gateways began in any second since the broker went away, also those that met nobody. */
  readonly attemptsPerSMax: number;
  /** Those that the broker took, in any second after its return. */
  readonly connectsPerSMax: number;
  /** From the broker's return to the last gateway that was connected again. */
  readonly allBackMs: number;
  readonly counted: number;
  readonly missing: number;
  /** Of all processes of gateways, at most. */
  readonly rssBytes: number;
}

/** Each gateway has a value to tell so often: enough to be missed, and little enough for some thousand on two cores. */
const PERIOD_MS = 5_000;
const STAGGER_MS = 20;
/** As every uplink has them where its file says nothing. */
export const RECONNECT = { spreadMs: 30_000, maxMs: 120_000 };
const BACK_LIMIT_MS = 600_000;
const CATCH_UP_LIMIT_MS = 120_000;
const SECOND_MS = 1_000;

export async function proveFleet(options: FleetOptions): Promise<FleetResult> {
  const { gateways, outageMs, tell } = options;
  const dir = await mkdtemp(join(tmpdir(), "sallyport-fleet-"));
  const certificates = await writeCertificates(dir, hostClock);
  const connectsMs: number[] = [];
  const broker = await startMosquitto({
    certificates,
    configuration: (port) => quietConfiguration(port, dir),
    onLog: (text) => {
      for (const _ of text.matchAll(/New client connected/g)) connectsMs.push(hostClock.monotonicMs());
    },
  });
  const seen = new Counts();
  const subscriber = await subscribe(broker.url, {
    certificates,
    topics: ["fleet/+/data", "fleet/+/history"],
    onMessage: ({ topic, payload }) => seen.arrived(topic, payload),
  });
  const names = Array.from({ length: gateways }, (_, n) => `gateway-${n + 1}`);
  const fleet = new Fleet({
    certificates,
    gateways: names.map((name) => ({ name, servers: [broker.url] })),
    processes: options.processes,
    reconnect: RECONNECT,
    periodMs: PERIOD_MS,
    staggerMs: STAGGER_MS,
  });
  try {
    await fleet.connected(gateways, BACK_LIMIT_MS);
    tell(`${gateways} gateways in ${options.processes} processes are connected`);
    fleet.forgetAttempts();
    await broker.stop();
    await fleet.connected(0, BACK_LIMIT_MS);
    await sleep(hostClock, outageMs);
    connectsMs.length = 0;
    await broker.start();
    const returnedMs = hostClock.monotonicMs();
    tell(`the broker was away for ${outageMs / SECOND_MS} s`);
    await fleet.connected(gateways, BACK_LIMIT_MS);
    const allBackMs = hostClock.monotonicMs() - returnedMs;
    tell(`all are back after ${(allBackMs / SECOND_MS).toFixed(1)} s`);
    const counted = await fleet.countNoFurther();
    const missing = () => seen.missing(counted);
    await subscriber.until("all values are there", () => missing() === 0, CATCH_UP_LIMIT_MS).catch(() => undefined);
    const total = [...counted.values()].reduce((sum, count) => sum + count, 0);
    return {
      attemptsPerSMax: busiestSecond(fleet.attemptsMs()),
      connectsPerSMax: busiestSecond(connectsMs),
      allBackMs,
      counted: total,
      missing: missing(),
      rssBytes: fleet.rssBytes(),
    };
  } finally {
    await fleet.end();
    await subscriber.close();
    await broker.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Most of the moments, in order, that lie within one second. */
export function busiestSecond(momentsMs: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [last, ms] of momentsMs.entries()) {
    while ((momentsMs[first] ?? ms) <= ms - SECOND_MS) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** Which numbers of each gateway have arrived. */
export class Counts {
  readonly #seen = new Map<string, Set<number>>();
  /** Values that came again. */
  doubled = 0;

  arrived(topic: string, payload: Uint8Array): void {
    const name = topic.split("/")[1] ?? "";
    const seen = this.#seen.get(name) ?? new Set();
    this.#seen.set(name, seen);
    const { values } = JSON.parse(Buffer.from(payload).toString()) as ValuesOnWire;
    for (const { v } of values) {
      if (seen.has(Number(v))) this.doubled += 1;
      seen.add(Number(v));
    }
  }

  missing(counted: ReadonlyMap<string, number>): number {
    let missing = 0;
    for (const [name, count] of counted) missing += count - (this.#seen.get(name)?.size ?? 0);
    return missing;
  }
}

export interface FleetLoad {
  readonly certificates: FleetOrder["certificates"];
  readonly gateways: readonly FleetGateway[];
  readonly processes: number;
  readonly reconnect: FleetOrder["reconnect"];
  readonly periodMs: number;
  /** Between the first connections of two gateways. */
  readonly staggerMs: number;
}

/** Light gateways in processes of their own, which end with this one. */
export class Fleet {
  readonly #children: readonly ChildProcess[];
  readonly #connected = new Map<ChildProcess, number>();
  readonly #counted = new Map<string, number>();
  readonly #told = new Set<ChildProcess>();
  readonly #rssBytes = new Map<ChildProcess, number>();
  #attemptsMs: number[] = [];
  readonly #condition = new Condition(hostClock);

  constructor({ certificates, gateways, processes, reconnect, periodMs, staggerMs }: FleetLoad) {
    const main = fileURLToPath(new URL("./fleet-main.ts", import.meta.url));
    this.#children = Array.from({ length: processes }, (_, index) => {
      const child = fork(main, { cwd: dirname(main), stdio: "inherit" });
      child.on("message", (report: FleetReport) => this.#report(child, report));
      const order: FleetOrder = {
        certificates,
        gateways: gateways.filter((_gateway, n) => n % processes === index),
        reconnect,
        periodMs,
        staggerMs: staggerMs * processes,
      };
      child.send(order);
      return child;
    });
  }

  /** @param lost these were connected to what has ended: it counts once so many attempts were begun since */
  connected(count: number, limitMs: number, lost = 0): Promise<void> {
    const now = () => [...this.#connected.values()].reduce((sum, one) => sum + one, 0);
    const complete = () => this.#connected.size === this.#children.length;
    return this.#condition.until(
      `${count} are connected`,
      () => complete() && now() === count && this.#attemptsMs.length >= lost,
      limitMs,
      () => `${now()}`,
    );
  }

  /** When the attempts were begun, in order. */
  attemptsMs(): readonly number[] {
    return this.#attemptsMs.toSorted((a, b) => a - b);
  }

  forgetAttempts(): void {
    this.#attemptsMs = [];
  }

  rssBytes(): number {
    return [...this.#rssBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async countNoFurther(): Promise<ReadonlyMap<string, number>> {
    for (const child of this.#children) child.send("count no further");
    const allTold = () => this.#told.size === this.#children.length;
    await this.#condition.until("all have told how far they counted", allTold, CATCH_UP_LIMIT_MS);
    return this.#counted;
  }

  async end(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null) continue;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
  }

  #report(child: ChildProcess, report: FleetReport): void {
    if ("connected" in report) {
      this.#connected.set(child, report.connected);
      this.#rssBytes.set(child, Math.max(report.rssBytes, this.#rssBytes.get(child) ?? 0));
      this.#attemptsMs.push(...report.begunMs);
    } else {
      this.#told.add(child);
      for (const [name, count] of Object.entries(report.counted)) this.#counted.set(name, count);
    }
    this.#condition.changed();
  }
}

/** Its log must not cost more than its work; each connection is told. */
export function quietConfiguration(port: number, dir: string): string {
  return [
    "persistence true",
    `persistence_location ${dir}/`,
    "max_queued_messages 10000000",
    "connection_messages true",
    "allow_anonymous true",
    `listener ${port} 127.0.0.1`,
    `cafile ${join(dir, "ca.pem")}`,
    `certfile ${join(dir, "server.pem")}`,
    `keyfile ${join(dir, "server.key")}`,
    "require_certificate true",
    "",
  ].join("\n");
}
