/**
 * One MQTT session on one secure socket, by mqtt.js, whose own reconnecting, queueing and storing stay unused:
 * they would send old messages before the session has told what is true now.
 */
import type { IClientOptions, MqttClient } from "mqtt";
import mqttClient from "mqtt/lib/client";
import mqttPacket from "mqtt-packet";
import type { Clock, Timer } from "../core/clock.ts";
import { type BrokerLimits, ConnectFailure, type Connection, type ConnectionEnd, type Message } from "../pipeline.ts";
import { announcedKeepAliveS } from "./keep-alive.ts";
import { ARRIVING_MAX_BYTES, CLOSED_INSTEAD_OF_ANSWER, Lifeline } from "./mqtt-lifeline.ts";
import { bufferOf, packetBytes } from "./mqtt-packet-bytes.ts";
import { Pings } from "./mqtt-pings.ts";
import { publishRefusal, reasonCodeOf } from "./mqtt-reason.ts";
import type { SecureSocket } from "./secure-socket.ts";
import { nextSendMs, type ServiceLimits } from "./service-limits.ts";

/** As the protocol counts them: 4 is MQTT 3.1.1. */
export type ProtocolVersion = 4 | 5;

export interface MqttSettings {
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly keepAliveMs: number;
  /** undefined: a visit, as of a tool, whose end tells nobody anything. */
  readonly will: Message | undefined;
  readonly login?: { readonly username: string; readonly password?: string };
  /** Present: MQTT inside a WebSocket to this address. */
  readonly webSocketUrl?: URL;
  /** What the service behind the broker allows beyond what CONNACK says. */
  readonly service?: ServiceLimits;
}

/** The broker may be one that does not know this version of MQTT. */
export class VersionRefusal extends ConnectFailure {}

/** Unsent bytes beyond this mean that nobody minds the link: a publish then fails instead of filling the memory. */
const UNSENT_MAX_BYTES = 16 * 1024 * 1024;
/** How long a broker may take to say what it makes of a subscription. */
const SUBSCRIBE_LIMIT_MS = 30_000;
/** How long a broker may take to close after DISCONNECT. */
const CLOSE_TIMEOUT_MS = 3_000;
/** Reason codes of SUBACK from here on (MQTT 5.0, section 3.9.3; 3.1.1 knows this one only). */
const REFUSED = 0x80;
const WEB_SOCKET_MAX_BYTES = 1024 * 1024;
/** A DISCONNECT packet, the same in both versions. Written by hand: mqtt.js would first wait for acknowledgements. */
const DISCONNECT = Uint8Array.of(0xe0, 0x00);
/** With reason code 0x04, "Disconnect with Will Message" (MQTT 5.0, section 3.14.2.1). */
const DISCONNECT_WITH_WILL = Uint8Array.of(0xe0, 0x01, 0x04);
const TAKES_NOTHING = "the broker does not keep to the protocol: it offers to take nothing at all";
/** What the protocol allows where CONNACK says nothing: four bytes of remaining length after the header. */
const PACKET_MAX_BYTES = 268_435_455 + 5;
const RECEIVE_MAXIMUM = 65_535;

// mqtt-packet would keep a buffer for each number of two bytes, 7 MB of them, for numbers that are written in a moment.
mqttPacket.writeToStream.cacheNumbers = false;

/** Of Node's pool for small buffers, all of which is kept for as long as any slice of it: for the whole process. */
const BUFFER_POOL_BYTES = 64;

// mqtt-packet keeps the bytes of each length that a message had, for good: 16,384 slices of 8 kB each in the end.
Buffer.poolSize = BUFFER_POOL_BYTES;

/** Sends CONNECT. Rejects with a ConnectFailure, which is a VersionRefusal where the version may be at fault. */
export async function openMqtt(
  secure: SecureSocket,
  settings: MqttSettings,
  clock: Clock,
  late: AbortSignal,
): Promise<Connection> {
  const { webSocketUrl } = settings;
  // What speaks WebSocket is loaded by those who need it.
  const webSocket = webSocketUrl && { connect: (await import("mqtt")).default.connect, url: webSocketUrl };
  const failure = secure.failure();
  if (failure !== undefined) throw new ConnectFailure(secure.explain(failure));
  if (secure.socket.destroyed) throw new ConnectFailure(CLOSED_INSTEAD_OF_ANSWER);
  const lifeline = new Lifeline(secure, settings);
  const options = clientOptions(settings);
  const client =
    webSocket === undefined
      ? new mqttClient.default(() => secure.socket, options)
      : webSocket.connect({ ...options, ...webSocketOptions(secure, webSocket.url) });
  lifeline.watch(client);
  const onLate = () => lifeline.end("the broker does not answer CONNECT; it may be overloaded, or the link frozen");
  if (late.aborted) onLate();
  else late.addEventListener("abort", onLate, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      client.once("connect", (connack) => {
        const { receiveMaximum, maximumPacketSize } = connack.properties ?? {};
        // Protocol errors (MQTT 5.0, sections 3.2.2.3.3 and 3.2.2.3.6); nothing could ever be sent.
        if (receiveMaximum === 0 || maximumPacketSize === 0) return lifeline.end(TAKES_NOTHING);
        lifeline.accepted = true;
        resolve(new MqttConnection(client, secure, lifeline, settings, connack.properties ?? {}, clock));
      });
      void lifeline.closed.then(({ reason }) => {
        reject(lifeline.versionSuspect ? new VersionRefusal(reason) : new ConnectFailure(reason));
      });
    });
  } finally {
    late.removeEventListener("abort", onLate);
  }
}

function clientOptions({ version, clientId, keepAliveMs, will, login }: MqttSettings): IClientOptions {
  return {
    protocolId: "MQTT",
    protocolVersion: version,
    clientId,
    clean: true,
    keepalive: announcedKeepAliveS(keepAliveMs),
    reconnectPeriod: 0,
    ...(version === 5 && { properties: { maximumPacketSize: ARRIVING_MAX_BYTES } }),
    queueQoSZero: false,
    resubscribe: false,
    timerVariant: "native",
    ...(will && { will: { topic: will.topic, payload: bufferOf(will.payload), qos: will.qos, retain: will.retain } }),
    ...login,
  };
}

function webSocketOptions(secure: SecureSocket, webSocketUrl: URL): IClientOptions {
  return {
    protocol: "wss",
    hostname: webSocketUrl.hostname,
    port: Number(webSocketUrl.port || 443),
    path: `${webSocketUrl.pathname}${webSocketUrl.search}`,
    wsOptions: { createConnection: () => secure.socket, perMessageDeflate: false, maxPayload: WEB_SOCKET_MAX_BYTES },
  };
}

interface Turn {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Flight extends Turn {
  readonly message: Message;
}

/** Its answer confirms what was published before it: it must not overtake what waits. Whoever asks bounds how often. */
interface Question extends Turn {
  readonly message?: never;
}

/** The part of a CONNACK's properties that limits what may be sent (MQTT 5.0, section 3.2.2.3). */
interface ServerProperties {
  readonly receiveMaximum?: number;
  readonly maximumQoS?: number;
  readonly retainAvailable?: boolean;
  readonly maximumPacketSize?: number;
}

class MqttConnection implements Connection {
  readonly limits: BrokerLimits;
  readonly closed: Promise<ConnectionEnd>;
  readonly #client: MqttClient;
  readonly #secure: SecureSocket;
  readonly #lifeline: Lifeline;
  readonly #version: ProtocolVersion;
  readonly #clock: Clock;
  /** QoS 1 messages the broker is willing to hold unacknowledged; more wait here, in order. */
  readonly #receiveMaximum: number;
  readonly #unacknowledged = new Set<Flight>();
  readonly #waiting: (Flight | Question)[] = [];
  #waitingBytes = 0;
  readonly #pings: Pings;
  readonly #service: ServiceLimits | undefined;
  /** When the service takes the next message. */
  #sendFromMs = 0;
  #pause: Timer | undefined;

  constructor(
    client: MqttClient,
    secure: SecureSocket,
    lifeline: Lifeline,
    { version, service }: MqttSettings,
    properties: ServerProperties,
    clock: Clock,
  ) {
    this.#client = client;
    this.#secure = secure;
    this.#lifeline = lifeline;
    this.#version = version;
    this.#service = service;
    this.#clock = clock;
    this.#receiveMaximum = properties.receiveMaximum ?? RECEIVE_MAXIMUM;
    this.limits = {
      maxPacketBytes: Math.min(
        properties.maximumPacketSize ?? PACKET_MAX_BYTES,
        service?.packetMaxBytes ?? PACKET_MAX_BYTES,
      ),
      maxQos: properties.maximumQoS === 0 ? 0 : properties.maximumQoS === 1 ? 1 : 2,
      retainAvailable: (properties.retainAvailable ?? true) && (service?.retainAvailable ?? true),
      tellsReasons: this.#version === 5,
    };
    this.#pings = new Pings(() => client.sendPing());
    client.on("packetsend", ({ cmd }) => {
      if (cmd === "pingreq") this.#pings.sent();
    });
    client.on("packetreceive", ({ cmd }) => {
      if (cmd === "pingresp") this.#pings.answered();
    });
    this.closed = lifeline.closed;
    void lifeline.closed.then(({ reason }) => this.#abandon(reason));
  }

  async publish(message: Message): Promise<void> {
    const refusal = this.#refusal(message);
    if (refusal !== undefined) throw new Error(refusal);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject });
      this.#waitingBytes += message.payload.length;
      this.#sendWaiting();
    });
  }

  async subscribe(filters: Readonly<Record<string, 0 | 1>>): Promise<readonly string[]> {
    this.#assertOpen();
    const topics = Object.fromEntries(Object.entries(filters).map(([filter, qos]) => [filter, { qos }]));
    const limit = this.#clock.after(SUBSCRIBE_LIMIT_MS, () =>
      this.#lifeline.end("the broker does not answer SUBSCRIBE; it may be overloaded, or the link frozen"),
    );
    return new Promise<readonly string[]>((resolve, reject) => {
      void this.closed.then(({ reason }) => reject(new Error(`not subscribed: ${reason}`)));
      this.#client.subscribe(topics, (error, _asked, suback) => {
        if (error !== null && suback === undefined) reject(error);
        else resolve(Object.keys(filters).filter((_, index) => Number(suback?.granted[index] ?? REFUSED) >= REFUSED));
      });
    }).finally(() => limit.cancel());
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    this.#assertOpen();
    this.#client.unsubscribe([...filters], () => undefined);
  }

  onMessage(listener: (message: Message) => void): void {
    this.#client.on("message", (topic, payload, { qos, retain }) => {
      listener({ topic, payload, qos: qos === 0 ? 0 : 1, retain });
    });
  }

  async ping(): Promise<void> {
    this.#assertOpen();
    if (this.#waiting.length > 0) {
      await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
      this.#assertOpen();
    }
    await this.#pings.ping();
  }

  bufferedBytes(): number {
    const { socket } = this.#secure;
    const { stream } = this.#client;
    const inWebSocket = stream === socket ? 0 : stream.writableLength;
    return socket.writableLength + inWebSocket + this.#waitingBytes;
  }

  async close(will?: "send will"): Promise<void> {
    if (this.#lifeline.reason === undefined) {
      this.#lifeline.note("closed by the gateway");
      this.#client.stream.write(will === "send will" && this.#version === 5 ? DISCONNECT_WITH_WILL : DISCONNECT);
      this.#client.stream.end();
    }
    const timer = this.#clock.after(CLOSE_TIMEOUT_MS, () => this.#secure.socket.destroy());
    await this.closed;
    timer.cancel();
  }

  destroy(): void {
    this.#lifeline.end("cut by the gateway");
  }

  #assertOpen(): void {
    const { reason } = this.#lifeline;
    if (reason !== undefined) throw new Error(`not connected: ${reason}`);
  }

  /** Why this message must not be sent: the broker would end the connection over it. */
  #refusal(message: Message): string | undefined {
    const { reason } = this.#lifeline;
    if (reason !== undefined) return `not connected: ${reason}`;
    const { limits } = this;
    const bytes = packetBytes(message, this.#version === 5);
    if (bytes > limits.maxPacketBytes) {
      return `a message of ${bytes} bytes to ${message.topic} is larger than the broker's limit of ${limits.maxPacketBytes}`;
    }
    if (message.qos > limits.maxQos) return `the broker does not offer QoS ${message.qos}`;
    if (message.retain && !limits.retainAvailable) return "the broker does not keep retained messages";
    const unsent = this.bufferedBytes();
    if (unsent > UNSENT_MAX_BYTES) return `the link is too slow: ${unsent} bytes are waiting to be sent`;
    return undefined;
  }

  #sendWaiting(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || this.#lifeline.reason !== undefined) return;
      if (next.message === undefined) {
        this.#waiting.shift();
        next.resolve();
        continue;
      }
      if (next.message.qos === 1 && this.#unacknowledged.size >= this.#receiveMaximum) return;
      if (this.#pausesFor(next.message)) return;
      this.#waiting.shift();
      this.#waitingBytes -= next.message.payload.length;
      this.#send(next);
    }
  }

  /** A service that counts messages hangs up on whoever sends more, or drops them: they wait here, in order. */
  #pausesFor(message: Message): boolean {
    if (this.#service === undefined) return false;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#sendFromMs) {
      this.#pause ??= this.#clock.after(this.#sendFromMs - nowMs, () => {
        this.#pause = undefined;
        this.#sendWaiting();
      });
      return true;
    }
    this.#sendFromMs = nextSendMs(this.#sendFromMs, nowMs, packetBytes(message, this.#version === 5), this.#service);
    return false;
  }

  #send(flight: Flight): void {
    const { topic, payload, qos, retain } = flight.message;
    if (qos === 0) {
      // Its callback tells nothing but that the socket drained, at the price of a listener a message.
      this.#client.publish(topic, bufferOf(payload), { qos, retain });
      flight.resolve();
      return;
    }
    this.#unacknowledged.add(flight);
    this.#client.publish(topic, bufferOf(payload), { qos, retain }, (error) => {
      // An error without a reason code is the end of the connection, which has its own words.
      if (error && reasonCodeOf(error) === undefined) return;
      this.#unacknowledged.delete(flight);
      if (error) flight.reject(new Error(publishRefusal(topic, error)));
      else flight.resolve();
      this.#sendWaiting();
    });
  }

  #abandon(reason: string): void {
    this.#pause?.cancel();
    const unsettled = [...this.#unacknowledged, ...this.#waiting.splice(0)];
    this.#unacknowledged.clear();
    this.#pings.abandon(reason);
    this.#waitingBytes = 0;
    for (const flight of unsettled) flight.reject(new Error(`not acknowledged: ${reason}`));
  }
}
