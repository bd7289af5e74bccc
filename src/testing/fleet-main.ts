/** A process of fleet.ts: many light gateways, each a real uplink on a TLS connection of its own. */
import { hostClock, sleep, type Timer } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import type { Transport } from "../pipeline.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { createUplink, type Uplink } from "../uplinks/uplink.ts";
import type { Certificates } from "./certificates.ts";
import { MemoryQueue } from "./memory-queue.ts";
import { MemoryState } from "./memory-state.ts";
import { deviceOf, SettableValues } from "./settable-values.ts";
import { uplinkConfig } from "./uplink-config.ts";

/** `fleet/<name>` is its topic. */
export interface FleetGateway {
  readonly name: string;
  readonly servers: readonly string[];
}

export interface FleetOrder {
  readonly certificates: Certificates;
  readonly gateways: readonly FleetGateway[];
  readonly reconnect: { readonly spreadMs: number; readonly maxMs: number };
  /** Each gateway counts on by one so often. */
  readonly periodMs: number;
  /** Between the first connections of two gateways. */
  readonly staggerMs: number;
}

/** What a process tells: how many are connected and which attempts were begun, and in the end how far each has counted. */
export type FleetReport =
  | {
      readonly connected: number;
      /** Of attempts since the last report: monotonic time, which all processes of a machine share. */
      readonly begunMs: readonly number[];
      readonly rssBytes: number;
    }
  | { readonly counted: Readonly<Record<string, number>> };

const REPORT_MS = 500;

class LightGateway {
  readonly name: string;
  readonly uplink: Uplink;
  count = 0;
  readonly #values: SettableValues;

  constructor({ name, servers }: FleetGateway, { certificates, reconnect }: FleetOrder, onAttempt: () => void) {
    this.name = name;
    const queue = new MemoryQueue(hostClock);
    this.#values = new SettableValues(hostClock, [deviceOf("meter", ["count"])], [queue]);
    const config = uplinkConfig(certificates, servers, { reconnect, clientId: name, topic: `fleet/${name}` });
    this.uplink = createUplink({
      config,
      values: this.#values,
      queue,
      transport: noticed(createMqttTransport({ config, clock: hostClock, log: silentLog }), onAttempt),
      state: new MemoryState(),
      clock: hostClock,
      random: hostRandom,
      log: silentLog,
    });
  }

  tick(): void {
    this.count += 1;
    this.#values.set("meter/count", this.count);
  }
}

function noticed(transport: Transport, onAttempt: () => void): Transport {
  return {
    connect(request) {
      onAttempt();
      return transport.connect(request);
    },
  };
}

async function run(order: FleetOrder): Promise<void> {
  const begunMs: number[] = [];
  const onAttempt = () => void begunMs.push(hostClock.monotonicMs());
  const gateways = order.gateways.map((gateway) => new LightGateway(gateway, order, onAttempt));
  const timers = new Map<LightGateway, Timer>();
  const tickOn = (gateway: LightGateway) => {
    gateway.tick();
    timers.set(
      gateway,
      hostClock.after(order.periodMs, () => tickOn(gateway)),
    );
  };
  const report = () => {
    const connected = gateways.filter(({ uplink }) => uplink.report().state === "connected").length;
    tell({ connected, begunMs: begunMs.splice(0), rssBytes: process.memoryUsage.rss() });
    hostClock.after(REPORT_MS, report);
  };
  process.on("message", (word) => {
    if (word !== "count no further") return;
    for (const timer of timers.values()) timer.cancel();
    tell({ counted: Object.fromEntries(gateways.map(({ name, count }) => [name, count])) });
  });
  report();
  for (const gateway of gateways) {
    gateway.uplink.start();
    tickOn(gateway);
    await sleep(hostClock, order.staggerMs);
  }
}

function tell(report: FleetReport): void {
  process.send?.(report);
}

// Nobody is left to tell.
process.on("disconnect", () => process.exit(0));
process.once("message", (order: FleetOrder) => void run(order));
