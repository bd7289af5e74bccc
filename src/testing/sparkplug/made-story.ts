/** A recording made by hand, right in everything, for tests that break one thing of it. */
import type { IConnectPacket, IPublishPacket, Packet } from "mqtt-packet";
import type { Metric, Payload, PropertySet } from "./payload-decoder.ts";
import type { Entry, Happening, Mark, Side } from "./recording.ts";
import { readStory, type SiteFacts, type Story } from "./story.ts";

const BEGAN_MS = 1_700_000_000_000;
const STEP_MS = 10;
const UINT16 = 6n;
const INT32 = 3n;
const INT64 = 4n;
const UINT64 = 8n;
const BOOLEAN = 11n;
const WITH_WILL = 4;
const SEQ_COUNT = 256n;

const GOOD: PropertySet = {
  keys: ["Quality"],
  values: [{ type: INT32, isNull: undefined, value: { field: "int_value", content: 192n } }],
};

/** What the maker of a metric does not say is as usual. */
export function metric(name: string, changes: Partial<Metric> = {}): Metric {
  const { datatype = UINT16 } = changes;
  return {
    name,
    alias: undefined,
    timestamp: 0n,
    datatype,
    isHistorical: undefined,
    isTransient: undefined,
    isNull: undefined,
    value: { field: "int_value", content: 1n },
    properties: undefined,
    ...changes,
  };
}

export class MadeStory {
  readonly site: SiteFacts;
  readonly entries: Entry[] = [];
  readonly #payloads = new Map<Buffer, Payload>();
  readonly #version: 4 | 5;
  #nowMs = BEGAN_MS;
  #connection = 0;
  #bdSeq = -1n;
  #seq = 0n;
  #count = 0n;

  constructor(site: SiteFacts, version: 4 | 5) {
    this.site = site;
    this.#version = version;
  }

  read(): Promise<Story> {
    const decode = async (payloads: readonly Buffer[]) => payloads.map((bytes) => this.#payloads.get(bytes));
    return readStory(this.site.node, this.site, this.entries, decode);
  }

  /** CONNECT to SUBACK. */
  open(server: string): void {
    this.#connection += 1;
    this.#bdSeq = (this.#bdSeq + 1n) % SEQ_COUNT;
    const { group, node, primaryHost } = this.site;
    this.#add({ kind: "opened", connection: this.#connection, server });
    this.packet("gateway", {
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: this.#version,
      clientId: node,
      clean: true,
      keepalive: 15,
      will: { topic: `spBv1.0/${group}/NDEATH/${node}`, payload: this.#bytes(this.#death()), qos: 1, retain: false },
    });
    this.packet("broker", { cmd: "connack", sessionPresent: false, returnCode: 0, reasonCode: 0 });
    const filters = [`spBv1.0/${group}/NCMD/${node}`, `spBv1.0/${group}/DCMD/${node}/#`];
    if (primaryHost !== undefined) filters.push(`spBv1.0/STATE/${primaryHost}`);
    const subscriptions = filters.map((topic) => ({ topic, qos: 1 as const }));
    this.packet("gateway", { cmd: "subscribe", messageId: 1, subscriptions });
  }

  births(devices: readonly string[] = this.site.devices): void {
    this.#count += 1n;
    const rebirth = { datatype: BOOLEAN, value: { field: "boolean_value", content: false } };
    this.publish("NBIRTH", undefined, [
      this.#bdSeqMetric(),
      metric("Node Control/Rebirth", rebirth),
      this.#aliased(metric("uptime", { datatype: UINT64, value: { field: "long_value", content: this.#count } }), 1n),
    ]);
    for (const device of devices) this.dbirth(device);
  }

  dbirth(device: string): void {
    this.#count += 1n;
    const alias = this.#alias(device);
    const still = this.#aliased(metric("r1"), alias + BigInt(this.site.devices.length));
    this.publish("DBIRTH", device, [this.#aliased(this.#reading(), alias), still]);
  }

  ddata(device: string, changes: Partial<Metric> = {}): void {
    this.#count += 1n;
    this.publish("DDATA", device, [this.#bare({ ...this.#reading(), ...changes }, this.#alias(device))]);
  }

  ndata(): void {
    this.#count += 1n;
    const uptime = metric("uptime", { value: { field: "long_value", content: this.#count } });
    this.publish("NDATA", undefined, [this.#bare(uptime, 1n)]);
  }

  ddeath(device: string): void {
    this.publish("DDEATH", device, []);
  }

  ndeath(): void {
    const { group, node } = this.site;
    this.#publishBytes(`spBv1.0/${group}/NDEATH/${node}`, 1, this.#death());
  }

  farewell(): void {
    this.packet("gateway", { cmd: "disconnect", reasonCode: this.#version === 5 ? WITH_WILL : 0 });
    this.closed("gateway");
  }

  closed(by: Side | "observer"): void {
    this.#add({ kind: "closed", connection: this.#connection, by });
  }

  mark(mark: Mark): void {
    this.#add({ kind: "mark", mark });
  }

  /** As if so many CONNECTs had been before. */
  age(to: bigint): void {
    this.#bdSeq = to;
    this.mark({ what: "bdSeq was set", to });
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  state(online: boolean, timestamp: number): void {
    const payload = Buffer.from(JSON.stringify({ online, timestamp }));
    const topic = `spBv1.0/STATE/${this.site.primaryHost}`;
    this.packet("broker", { cmd: "publish", topic, payload, qos: 1, dup: false, retain: true, messageId: 2 });
  }

  /** A command that reaches the gateway, with the metrics as they come. */
  command(path: string, metrics: readonly Metric[], changes: Partial<Payload & { retain: boolean }> = {}): void {
    const { retain = false, ...fields } = changes;
    const payload = this.#bytes({ timestamp: BigInt(this.#nowMs), seq: undefined, metrics, flaws: [], ...fields });
    const topic = `spBv1.0/${this.site.group}/${path}`;
    this.packet("broker", { cmd: "publish", topic, payload, qos: 0, dup: false, retain });
  }

  publish(type: string, device: string | undefined, metrics: readonly Metric[]): void {
    this.#seq = type === "NBIRTH" ? 0n : (this.#seq + 1n) % SEQ_COUNT;
    const { group, node } = this.site;
    const topic = `spBv1.0/${group}/${type}/${node}${device === undefined ? "" : `/${device}`}`;
    const timed = metrics.map((m) => ({ ...m, timestamp: m.timestamp === 0n ? BigInt(this.#nowMs) : m.timestamp }));
    this.#publishBytes(topic, 0, { timestamp: BigInt(this.#nowMs), seq: this.#seq, metrics: timed, flaws: [] });
  }

  packet(from: Side, packet: Packet): void {
    this.#add({ kind: "packet", connection: this.#connection, from, packet, passed: true });
  }

  /** Changes what the gateway published of a type; the first one of it, or each. */
  change(type: string, edit: Edit, which: "first" | "last" | "each" = "first"): void {
    const places = this.entries.flatMap((entry, i) => (publishOf(entry, type) === undefined ? [] : [i]));
    const chosen = which === "each" ? places : [which === "first" ? places[0] : places.at(-1)];
    for (const place of chosen) {
      const entry = this.entries[place ?? -1];
      const packet = entry === undefined ? undefined : publishOf(entry, type);
      if (packet === undefined || place === undefined || entry?.kind !== "packet") throw new Error(`no ${type}`);
      const payload = this.#edited(packet.payload, edit.payload);
      this.entries[place] = { ...entry, packet: { ...packet, ...edit.packet, payload } };
    }
  }

  changeConnect(edit: (packet: IConnectPacket) => IConnectPacket, will: (payload: Payload) => Payload = same): void {
    for (const [place, entry] of this.entries.entries()) {
      if (entry.kind !== "packet" || entry.packet?.cmd !== "connect") continue;
      const packet = edit(entry.packet);
      const payload = packet.will && this.#edited(packet.will.payload, will);
      const changed = packet.will && payload ? { ...packet, will: { ...packet.will, payload } } : packet;
      this.entries[place] = { ...entry, packet: changed };
    }
  }

  /** Whatever this says of an entry takes its place. */
  edit(what: (entry: Entry) => readonly Entry[]): void {
    this.entries.splice(0, this.entries.length, ...this.entries.flatMap(what));
  }

  #edited(bytes: Buffer | string, edit: (payload: Payload) => Payload = same): Buffer {
    const payload = typeof bytes === "string" ? undefined : this.#payloads.get(bytes);
    if (payload === undefined) throw new Error("no payload of ours");
    return this.#bytes(edit(payload));
  }

  #publishBytes(topic: string, qos: 0 | 1, payload: Payload): void {
    this.packet("gateway", { cmd: "publish", topic, payload: this.#bytes(payload), qos, dup: false, retain: false });
  }

  #death(): Payload {
    const timestamp = BigInt(this.#nowMs);
    return { timestamp, seq: undefined, metrics: [{ ...this.#bdSeqMetric(), timestamp }], flaws: [] };
  }

  #bdSeqMetric(): Metric {
    return metric("bdSeq", { datatype: INT64, value: { field: "long_value", content: this.#bdSeq } });
  }

  #reading(): Metric {
    return metric("r0", { value: { field: "int_value", content: this.#count }, properties: GOOD });
  }

  #alias(device: string): bigint {
    return BigInt(2 + this.site.devices.indexOf(device));
  }

  #aliased(born: Metric, alias: bigint): Metric {
    return this.site.aliases ? { ...born, alias } : born;
  }

  #bare(told: Metric, alias: bigint): Metric {
    const bare = { ...told, datatype: undefined };
    return this.site.aliases ? { ...bare, alias, name: undefined } : bare;
  }

  #bytes(payload: Payload): Buffer {
    const bytes = Buffer.from(`payload ${this.#payloads.size}`);
    this.#payloads.set(bytes, payload);
    return bytes;
  }

  #add(happening: Happening): void {
    this.#nowMs += STEP_MS;
    this.entries.push({ ...happening, atMs: this.#nowMs });
  }
}

export interface Edit {
  readonly packet?: Partial<Omit<IPublishPacket, "payload">>;
  readonly payload?: (payload: Payload) => Payload;
}

export function publishOf(entry: Entry, type: string): IPublishPacket | undefined {
  if (entry.kind !== "packet" || entry.from !== "gateway" || entry.packet?.cmd !== "publish") return undefined;
  return entry.packet.topic.split("/")[2] === type ? entry.packet : undefined;
}

function same(payload: Payload): Payload {
  return payload;
}
