/** A Sparkplug uplink between current values set by hand and simulated brokers, and what a host sees of it. */
import type { UplinkConfig } from "../config/config.ts";
import { createLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import type { ConnectRequest, Device, Message, Sample } from "../pipeline.ts";
import { decodePayload, encodePayload, type Metric } from "../uplinks/sparkplug/payload.ts";
import { createUplink, type Uplink } from "../uplinks/uplink.ts";
import { MemoryQueue } from "./memory-queue.ts";
import { MemoryState } from "./memory-state.ts";
import { deviceOf, SettableValues } from "./settable-values.ts";
import { SimulatedBroker, type SimulatedBrokerOptions } from "./simulated-broker.ts";
import { type Heard, SparkplugHost } from "./sparkplug-host.ts";
import { rigConfig } from "./uplink-rig.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { passUntil, passWhile } from "./virtual-wait.ts";

export interface SparkplugRigOptions {
  readonly devices?: readonly Device[];
  /** The gateway's own tags. */
  readonly nodeTags?: readonly string[];
  readonly broker?: Omit<SimulatedBrokerOptions, "clock">;
  readonly config?: Partial<UplinkConfig>;
}

const NODE = { group: "plant", name: "gateway" };
/** The second of two servers. */
export const OTHER_SERVER = "mqtts://other:8883";

export class SparkplugRig {
  readonly clock = new VirtualClock();
  readonly broker: SimulatedBroker;
  readonly other: SimulatedBroker;
  readonly queue: MemoryQueue;
  readonly state = new MemoryState();
  readonly values: SettableValues;
  readonly heard: Heard[] = [];
  /** A host that hears the first broker. */
  readonly scada: SparkplugHost;
  /** Every sample that was taken in. */
  readonly taken: Sample[] = [];
  readonly log: string[] = [];
  uplink: Uplink;
  readonly #config: Partial<UplinkConfig>;

  constructor(options: SparkplugRigOptions = {}) {
    const { clock, values: _, ...rest } = { ...options, clock: this.clock, values: undefined };
    this.broker = new SimulatedBroker({ clock, ...rest.broker });
    this.other = new SimulatedBroker({ clock });
    this.queue = new MemoryQueue(clock);
    const node = deviceOf("gateway", options.nodeTags ?? ["process/uptimeS"]);
    this.values = new SettableValues(
      clock,
      [...(options.devices ?? [deviceOf("pump", ["speed", "flow"])]), node],
      [this.queue, { append: (samples) => this.taken.push(...samples.filter((one) => "sourceTimestampMs" in one)) }],
    );
    this.scada = new SparkplugHost(() =>
      this.values.devices().flatMap(({ name }) => (name === "gateway" || this.values.isLost(name) ? [] : [name])),
    );
    for (const broker of [this.broker, this.other]) broker.subscribe("spBv1.0/#", (message) => this.#hear(message));
    this.#config = options.config ?? {};
    this.uplink = this.#uplink([]);
  }

  /** As a reload does where brokers are told of something else. */
  async reload(config: Partial<UplinkConfig> = {}): Promise<void> {
    await this.stop();
    this.uplink = this.#uplink([this.uplink], config);
    await this.start();
  }

  begin(): void {
    this.uplink.start();
  }

  start(): Promise<void> {
    this.begin();
    return this.until("connected", () => this.uplink.report().state === "connected");
  }

  stop(): Promise<void> {
    return passWhile(this.clock, "the uplink has stopped", this.uplink.stop());
  }

  until(what: string, holds: () => boolean, limitMs?: number): Promise<void> {
    return passUntil(this.clock, `${what}: ${this.uplink.report().state}`, holds, limitMs);
  }

  /** Lets so much time pass. */
  pass(ms: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + ms;
    return this.until(`${ms} ms`, () => this.clock.monotonicMs() >= untilMs, ms + 1_000);
  }

  /** Messages of the node, `NBIRTH` or `DDATA pump`, in order. */
  story(): readonly string[] {
    return this.heard.map(({ type, device }) => (device === undefined ? type : `${type} ${device}`));
  }

  of(type: string, device?: string): readonly Heard[] {
    return this.heard.filter((heard) => heard.type === type && heard.device === device);
  }

  /** A host says something to the node. */
  command(metrics: readonly Metric[], device?: string): void {
    const topic = device === undefined ? "spBv1.0/plant/NCMD/gateway" : `spBv1.0/plant/DCMD/gateway/${device}`;
    this.broker.publish({ topic, payload: encodePayload({ metrics }), qos: 0, retain: false });
  }

  rebirth(): void {
    this.command([{ name: "Node Control/Rebirth", value: { field: "boolean", value: true } }]);
  }

  /** The host tells its state, as it is retained. */
  host(online: boolean, timestamp: number, broker = this.broker): void {
    this.hostOf("scada", online, timestamp, broker);
  }

  hostOf(name: string, online: boolean, timestamp: number, broker = this.broker): void {
    const payload = Buffer.from(JSON.stringify({ online, timestamp }));
    broker.publish({ topic: `spBv1.0/STATE/${name}`, payload, qos: 1, retain: true });
  }

  #uplink(former: readonly Uplink[], config: Partial<UplinkConfig> = {}): Uplink {
    const options = {
      config: rigConfig({ format: "sparkplug", node: NODE, ...this.#config, ...config }),
      values: this.values,
      queue: this.queue,
      transport: {
        connect: (request: ConnectRequest) =>
          (request.server === OTHER_SERVER ? this.other : this.broker).connect(request),
      },
      state: this.state,
      clock: this.clock,
      random: seededRandom(1),
      log: createLog({ write: (line: string) => this.log.push(line.trimEnd()), level: "info", format: "text" }),
    };
    return createUplink(options, former);
  }

  #hear({ topic, payload }: Message): void {
    const [, , type = "", , device] = topic.split("/");
    if (!/^[ND](BIRTH|DATA|DEATH)$/.test(type)) return;
    const { metrics, seq } = decodePayload(payload);
    const number = seq === undefined ? undefined : Number(seq);
    const heard = { type, device, seq: number, metrics, atMs: this.clock.monotonicMs() };
    this.heard.push(heard);
    this.scada.hear(heard);
  }
}
