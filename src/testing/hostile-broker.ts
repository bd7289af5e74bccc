/**
 * A broker that speaks MQTT 5 over TLS and means harm: one misdeed at a time, or none. What it is sent it notes, whatever
 * it does: an acknowledgement that it gives is true.
 */
import type { TLSSocket } from "node:tls";
import { generate, type IConnackPacket, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { hostClock } from "../core/clock.ts";
import type { Certificates } from "./certificates.ts";
import { startTlsListener, type TlsListener } from "./tls-listener.ts";

const MQTT_5 = { protocolVersion: 5 } as const;
const MB = 1_048_576;
/** Between two reads of a broker that is slow on purpose. */
const SLOW_READ_MS = 500;
const ODD_ID = 30_000;
const ID_MAX = 65_535;
/** A refusal that a session outlives: implementation specific error (MQTT 5.0, section 3.4.2.1). */
const REFUSED = 0x83;

/** What it does beside, or instead of, what a broker must. */
export interface Misdeed {
  readonly name: string;
  /** What its CONNACK says beside, or instead of, the usual. */
  readonly greeting?: Partial<IConnackPacket>;
  /** Begins when a session does. */
  readonly begin?: (peer: Peer) => void;
  /** In place of an acknowledgement. */
  readonly acknowledge?: (peer: Peer, id: number) => void;
  /** In place of all that a broker answers, from the first byte on. */
  readonly instead?: (socket: TLSSocket) => void;
}

/** One session, as a misdeed has it. */
export interface Peer {
  readonly socket: TLSSocket;
  send(packet: Packet): void;
  /** Again and again, as fast as the gateway takes it. */
  flood(bytes: Uint8Array): void;
}

export interface HostileBroker {
  readonly url: string;
  /** Cuts all sessions; so many of the next ones meet the misdeed. More would look like a fight for a client id. */
  harm(misdeed: Misdeed, sessions: number): void;
  /** Cuts those that met it. */
  behave(): void;
  close(): Promise<void>;
}

export async function startHostileBroker(
  certificates: Certificates,
  onPublish: (packet: IPublishPacket) => void,
): Promise<HostileBroker> {
  let misdeed: Misdeed | undefined;
  let left = 0;
  const sockets = new Map<TLSSocket, Misdeed | undefined>();
  const listener: TlsListener = await startTlsListener(certificates, {}, (socket) => {
    const meets = left > 0 ? misdeed : undefined;
    left -= 1;
    sockets.set(socket, meets);
    socket.once("close", () => sockets.delete(socket));
    serve(socket, meets, onPublish);
  });
  return {
    url: listener.url,
    harm(next, sessions) {
      misdeed = next;
      left = sessions;
      for (const socket of sockets.keys()) socket.destroy();
    },
    behave() {
      left = 0;
      for (const [socket, met] of sockets) if (met !== undefined) socket.destroy();
    },
    close: () => listener.close(),
  };
}

function serve(socket: TLSSocket, misdeed: Misdeed | undefined, onPublish: (packet: IPublishPacket) => void): void {
  if (misdeed?.instead !== undefined) {
    misdeed.instead(socket);
    return;
  }
  const peer = peerOf(socket);
  const packets = parser(MQTT_5);
  packets.on("error", () => socket.destroy());
  packets.on("packet", (packet: Packet) => {
    if (packet.cmd === "connect") {
      peer.send({ cmd: "connack", reasonCode: 0, sessionPresent: false, ...misdeed?.greeting });
      misdeed?.begin?.(peer);
    } else if (packet.cmd === "subscribe") {
      peer.send({ cmd: "suback", messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => 1) });
    } else if (packet.cmd === "pingreq") peer.send({ cmd: "pingresp" });
    else if (packet.cmd === "publish") {
      onPublish(packet);
      if (/BIRTH/.test(packet.topic)) peer.send({ ...packet, qos: 0, dup: false, retain: false });
      if (packet.qos !== 1 || packet.messageId === undefined) return;
      if (misdeed?.acknowledge !== undefined) misdeed.acknowledge(peer, packet.messageId);
      else peer.send({ cmd: "puback", messageId: packet.messageId, reasonCode: 0 });
    }
  });
  socket.on("data", (chunk) => packets.parse(chunk));
}

function peerOf(socket: TLSSocket): Peer {
  return {
    socket,
    send: (packet) => void (socket.writable && socket.write(generate(packet, MQTT_5))),
    flood(bytes) {
      const more = () => {
        while (socket.writable && socket.write(bytes));
      };
      socket.on("drain", more);
      more();
    },
  };
}

function message(topic: string, payload: Uint8Array, more: Partial<IPublishPacket> = {}): Buffer {
  const packet: IPublishPacket = {
    cmd: "publish",
    topic,
    payload: Buffer.from(payload),
    qos: 0,
    dup: false,
    retain: false,
    ...more,
  };
  return generate(packet, MQTT_5);
}

const puback = (messageId: number, reasonCode = 0): Packet => ({ cmd: "puback", messageId, reasonCode });
const otherId = (id: number) => 1 + ((id + ODD_ID) % ID_MAX);

/** All floods in one, and no acknowledgement that is due: what there is time for in CI. */
export function allAtOnce(topics: readonly string[]): Misdeed {
  return {
    name: "all floods at once, and acknowledgements of other packets only",
    begin: (peer) => peer.flood(Buffer.concat(Object.values(floodsTo(topics)))),
    acknowledge: (peer, id) => peer.send(puback(otherId(id))),
  };
}

/** Packets to be sent again and again. */
function floodsTo(topics: readonly string[]) {
  const all = (payload: Uint8Array, more: Partial<IPublishPacket> = {}) =>
    Buffer.concat(topics.map((topic) => message(topic, payload, more)));
  return {
    large: all(Buffer.alloc(MB, 0x78)),
    small: repeated(all(Buffer.from("{}")), 200),
    sameId: repeated(all(Buffer.from("x"), { qos: 1, messageId: 7 }), 100),
    answers: Buffer.concat([
      repeated(generate({ cmd: "suback", messageId: 9, granted: [0] }, MQTT_5), 50),
      repeated(generate({ cmd: "pingresp" }, MQTT_5), 50),
      repeated(generate({ cmd: "unsuback", messageId: 9, granted: [0] }, MQTT_5), 50),
      repeated(generate(puback(11), MQTT_5), 50),
    ]),
  };
}

/** @param topics that the gateway listens to */
export function misdeeds(topics: readonly string[]): readonly Misdeed[] {
  const floods = floodsTo(topics);
  return [
    { name: "a flood of messages of 1 MB", begin: (peer) => peer.flood(floods.large) },
    { name: "a flood of small messages", begin: (peer) => peer.flood(floods.small) },
    { name: "a flood of QoS 1 messages with one packet id", begin: (peer) => peer.flood(floods.sameId) },
    {
      name: "a flood of QoS 2 messages that are never released",
      begin: (peer) => {
        for (let id = 1; id <= ID_MAX; id++) peer.send({ ...oneOfQos2, messageId: id, topic: topics[0] ?? "x" });
      },
    },
    {
      name: "endless SUBACK, UNSUBACK, PINGRESP and PUBACK that nobody asked for",
      begin: (peer) => peer.flood(floods.answers),
    },
    {
      name: "a packet that claims 256 MB, and begins to come",
      begin: (peer) => {
        peer.socket.write(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f));
        peer.flood(Buffer.alloc(MB, 0x78));
      },
    },
    { name: "acknowledgements of other packets only", acknowledge: (peer, id) => peer.send(puback(otherId(id))) },
    {
      name: "each acknowledgement ten times, with refusals between",
      acknowledge: (peer, id) => {
        peer.send(puback(id));
        for (let i = 0; i < 9; i++) peer.send(puback(id, i % 2 === 0 ? REFUSED : 0));
      },
    },
    { name: "a refusal of everything", acknowledge: (peer, id) => peer.send(puback(id, REFUSED)) },
    { name: "no acknowledgement at all", acknowledge: () => undefined },
    { name: "it reads nothing", begin: (peer) => void peer.socket.pause() },
    {
      name: "it reads a little now and then",
      begin: ({ socket }) => {
        socket.on("data", () => {
          socket.pause();
          hostClock.after(SLOW_READ_MS, () => socket.resume());
        });
      },
    },
    {
      name: "limits that let no message through",
      greeting: { properties: { maximumPacketSize: 64, receiveMaximum: 1, topicAliasMaximum: 65_535 } },
    },
    { name: "a session that it remembers, though none was to be", greeting: { sessionPresent: true } },
    {
      name: "it hangs up at every acknowledgement",
      acknowledge: (peer, id) => {
        peer.socket.write(generate(puback(id), MQTT_5).subarray(0, 3), () => peer.socket.destroy());
      },
    },
    { name: "noise instead of MQTT", instead: (socket) => void socket.write(Buffer.alloc(4_096, 0xa5)) },
    { name: "nothing instead of MQTT", instead: () => undefined },
    {
      name: "topics and properties of 64 kB",
      begin: (peer) => {
        const userProperties = { ["k".repeat(60_000)]: "v".repeat(60_000) };
        peer.flood(message(`spBv1.0/${"t".repeat(60_000)}`, Buffer.from("x"), { properties: { userProperties } }));
      },
    },
  ];
}

const oneOfQos2 = { cmd: "publish", payload: "x", qos: 2, dup: false, retain: false } as const;

function repeated(bytes: Uint8Array, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}
