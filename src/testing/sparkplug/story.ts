/** A recording as the checks read it: sessions, their messages in the order of the wire, payloads decoded. */
import type { IConnectPacket, IPublishPacket } from "mqtt-packet";
import type { Payload } from "./payload-decoder.ts";
import type { Entry, Mark, Side } from "./recording.ts";

/** What the gateway was told to be. */
export interface SiteFacts {
  readonly group: string;
  readonly node: string;
  readonly devices: readonly string[];
  /** By the names that the recording gives them, in the order of the configuration. */
  readonly servers: readonly string[];
  readonly primaryHost?: string;
  readonly aliases: boolean;
  readonly datatypeInData: boolean;
  /** Its process ran far from UTC. */
  readonly farFromUtc: boolean;
}

export interface SentMessage {
  /** Its place among the entries of the story. */
  readonly index: number;
  readonly atMs: number;
  readonly topic: string;
  /** NBIRTH, DDATA…; empty where the topic has none. */
  readonly type: string;
  readonly device: string | undefined;
  readonly qos: number;
  readonly retain: boolean;
  readonly passed: boolean;
  /** Undefined where the bytes are no payload. */
  readonly payload: Payload | undefined;
}

export interface HeardMessage {
  readonly index: number;
  readonly atMs: number;
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  /** False: it never reached the gateway. */
  readonly passed: boolean;
  readonly bytes: Buffer;
  readonly payload: Payload | undefined;
}

export interface Subscription {
  readonly index: number;
  readonly filter: string;
  readonly qos: number;
}

/** What happened from one CONNECT on, on its connection. */
export interface Session {
  readonly connection: number;
  readonly server: string;
  readonly version: 4 | 5;
  readonly index: number;
  readonly connect: IConnectPacket;
  readonly will: Payload | undefined;
  /** Index of a CONNACK that accepts. */
  readonly accepted: number | undefined;
  readonly subscriptions: readonly Subscription[];
  readonly sent: readonly SentMessage[];
  readonly heard: readonly HeardMessage[];
  /** DISCONNECT of the gateway. */
  readonly farewell: { readonly index: number; readonly reasonCode: number } | undefined;
  readonly closed: { readonly index: number; readonly by: Side | "observer" } | undefined;
}

export interface StoryMark {
  readonly index: number;
  readonly atMs: number;
  readonly mark: Mark;
}

export interface Story {
  readonly name: string;
  readonly site: SiteFacts;
  readonly sessions: readonly Session[];
  readonly marks: readonly StoryMark[];
  /** Index behind the last entry. */
  readonly end: number;
}

export type Decode = (payloads: readonly Buffer[]) => Promise<readonly (Payload | undefined)[]>;

const STATE = /^spBv1\.0\/STATE\//;

export async function readStory(
  name: string,
  site: SiteFacts,
  entries: readonly Entry[],
  decode: Decode,
): Promise<Story> {
  const payloads = await decodeAll(entries, decode);
  const servers = new Map<number, string>();
  const drafts = new Map<number, Draft>();
  const marks: StoryMark[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.kind === "mark") marks.push({ index, atMs: entry.atMs, mark: entry.mark });
    else if (entry.kind === "opened") servers.set(entry.connection, entry.server);
    else if (entry.kind === "packet" && entry.packet?.cmd === "connect") {
      const server = servers.get(entry.connection) ?? "";
      drafts.set(entry.connection, newDraft(entry.connection, server, index, entry.packet, payloads));
    } else {
      const draft = drafts.get(entry.connection);
      if (draft !== undefined) addTo(draft, index, entry, payloads);
    }
  }
  return { name, site, sessions: [...drafts.values()], marks, end: entries.length };
}

type Payloads = ReadonlyMap<Buffer, Payload | undefined>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = Omit<Mutable<Session>, "subscriptions" | "sent" | "heard"> & {
  readonly subscriptions: Subscription[];
  readonly sent: SentMessage[];
  readonly heard: HeardMessage[];
  readonly topicAliases: Map<number, string>;
};
type OfConnection = Exclude<Entry, { kind: "mark" } | { kind: "opened" }>;

async function decodeAll(entries: readonly Entry[], decode: Decode): Promise<Payloads> {
  const bytes = entries.flatMap((entry) => {
    if (entry.kind !== "packet") return [];
    if (entry.packet?.cmd === "connect")
      return entry.packet.will === undefined ? [] : [bytesOf(entry.packet.will.payload)];
    if (entry.packet?.cmd !== "publish" || STATE.test(entry.packet.topic)) return [];
    return [bytesOf(entry.packet.payload)];
  });
  const decoded = await decode(bytes);
  return new Map(bytes.map((payload, i) => [payload, decoded[i]]));
}

function newDraft(
  connection: number,
  server: string,
  index: number,
  connect: IConnectPacket,
  payloads: Payloads,
): Draft {
  return {
    connection,
    server,
    version: connect.protocolVersion === 5 ? 5 : 4,
    index,
    connect,
    will: connect.will === undefined ? undefined : payloads.get(bytesOf(connect.will.payload)),
    accepted: undefined,
    subscriptions: [],
    sent: [],
    heard: [],
    farewell: undefined,
    closed: undefined,
    topicAliases: new Map(),
  };
}

function addTo(draft: Draft, index: number, entry: OfConnection, payloads: Payloads): void {
  if (entry.kind === "closed") {
    draft.closed = { index, by: entry.by };
    return;
  }
  const { packet, from, passed, atMs } = entry;
  switch (packet?.cmd) {
    case "connack":
      if ((packet.reasonCode ?? packet.returnCode) === 0) draft.accepted = index;
      return;
    case "subscribe":
      draft.subscriptions.push(...packet.subscriptions.map(({ topic, qos }) => ({ index, filter: topic, qos })));
      return;
    case "disconnect":
      if (from === "gateway") draft.farewell = { index, reasonCode: packet.reasonCode ?? 0 };
      return;
    case "publish": {
      const { qos, retain } = packet;
      const payload = payloads.get(bytesOf(packet.payload));
      const topic = topicOf(packet, draft);
      const seen = { index, atMs, topic, qos, retain, passed, payload };
      if (from === "gateway") draft.sent.push({ ...seen, ...typeOf(topic) });
      else draft.heard.push({ ...seen, bytes: bytesOf(packet.payload) });
      return;
    }
    default:
      return;
  }
}

function topicOf(packet: IPublishPacket, draft: Draft): string {
  const alias = packet.properties?.topicAlias;
  if (alias === undefined) return packet.topic;
  if (packet.topic !== "") draft.topicAliases.set(alias, packet.topic);
  return draft.topicAliases.get(alias) ?? "";
}

function typeOf(topic: string): { readonly type: string; readonly device: string | undefined } {
  const [, , type = "", , device] = topic.split("/");
  return { type, device };
}

/** mqtt-packet gives bytes where it reads; texts are for its writers. */
function bytesOf(payload: Buffer | string): Buffer {
  if (typeof payload === "string") throw new Error("a recorded payload is bytes");
  return payload;
}
