/**
 * An observer between a gateway and a real broker. It ends TLS on both sides, so it sees every MQTT packet both ways,
 * and it can do to the link what the field does, at the byte.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import type { Packet } from "mqtt-packet";
import type { Certificates } from "../certificates.ts";
import { FrameReader, type ProtocolVersion } from "./mqtt-frames.ts";
import type { Recording, Side } from "./recording.ts";

export interface RecordingProxyOptions {
  readonly recording: Recording;
  readonly certificates: Certificates;
  /** Where the broker listens on loopback. */
  readonly port: number;
  /** What the entries call this server. */
  readonly name: string;
}

export interface RecordingProxy {
  /** mqtts://localhost:port */
  readonly url: string;
  /**
   * After this many more bytes of the gateway nothing passes any more, either way, and nobody is told: a link that
   * hangs half-open. Holds for the connections that are open, or for the next one where none is.
   */
  swallowAfter(bytes: number): void;
  /** As `swallowAfter`, but both sides see the connection break. */
  cutAfter(bytes: number): void;
  /** From the first acknowledgement on, what the broker says waits until told otherwise. */
  holdAcknowledgements(held: boolean): void;
  /** Breaks every connection at once, those that hang, too. */
  cut(): void;
  /** Breaks every connection, and every new one at once, until told otherwise. */
  refuse(refused: boolean): void;
  close(): Promise<void>;
}

interface Fault {
  readonly bytes: number;
  readonly cuts: boolean;
}

const ACKNOWLEDGEMENTS: readonly string[] = ["puback", "suback", "unsuback", "pingresp"];

export async function startRecordingProxy(options: RecordingProxyOptions): Promise<RecordingProxy> {
  const { ca, client, server } = options.certificates;
  const trust = await readFile(ca);
  const upstream = { ca: trust, cert: await readFile(client.certificate), key: await readFile(client.key) };
  const proxy = new TlsProxy(options, (port) =>
    connect({ host: "127.0.0.1", servername: "localhost", port, ...upstream }),
  );
  const shown = { ca: trust, cert: await readFile(server.certificate), key: await readFile(server.key) };
  await proxy.listen(createServer({ ...shown, requestCert: true, rejectUnauthorized: true }));
  return proxy;
}

class TlsProxy implements RecordingProxy {
  readonly #options: RecordingProxyOptions;
  readonly #reach: (port: number) => TLSSocket;
  readonly #links = new Set<Link>();
  #server: Server | undefined;
  #next: Fault | undefined;
  #held = false;
  #refused = false;

  constructor(options: RecordingProxyOptions, reach: (port: number) => TLSSocket) {
    this.#options = options;
    this.#reach = reach;
  }

  get url(): string {
    const address = this.#server?.address();
    if (address === null || typeof address !== "object") throw new Error("the observer is closed");
    return `mqtts://localhost:${address.port}`;
  }

  async listen(server: Server): Promise<void> {
    this.#server = server;
    // Refused before TLS: a gateway that got so far would count a session that nobody saw.
    server.on("connection", (socket: Socket) => {
      if (this.#refused) socket.destroy();
    });
    server.on("tlsClientError", () => undefined);
    server.on("secureConnection", (client) => this.#accept(client));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }

  swallowAfter(bytes: number): void {
    this.#arm({ bytes, cuts: false });
  }

  cutAfter(bytes: number): void {
    this.#arm({ bytes, cuts: true });
  }

  holdAcknowledgements(held: boolean): void {
    this.#held = held;
    for (const link of this.#links) link.hold(held);
  }

  cut(): void {
    this.#next = undefined;
    for (const link of this.#links) link.destroy();
  }

  refuse(refused: boolean): void {
    this.#refused = refused;
    if (refused) this.cut();
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined || !server.listening) return;
    server.close();
    this.cut();
    await once(server, "close");
  }

  #arm(fault: Fault): void {
    const open = [...this.#links].filter((link) => !link.hangs);
    for (const link of open) link.arm(fault);
    if (open.length === 0) this.#next = fault;
  }

  #accept(client: TLSSocket): void {
    // An error is followed by close.
    client.on("error", () => undefined);
    const { recording, name, port } = this.#options;
    const link = new Link(client, this.#reach(port), recording, name);
    this.#links.add(link);
    link.onEnd = () => this.#links.delete(link);
    link.hold(this.#held);
    if (this.#next !== undefined) link.arm(this.#next);
    this.#next = undefined;
  }
}

class Link {
  onEnd: () => void = () => undefined;
  readonly #gateway: TLSSocket;
  readonly #broker: TLSSocket;
  readonly #recording: Recording;
  readonly #connection: number;
  readonly #fromGateway = new FrameReader(4);
  #fromBroker = new FrameReader(4);
  #sentBytes = 0;
  #fault: { readonly atByte: number; readonly cuts: boolean } | undefined;
  #hangs = false;
  #held = false;
  readonly #waiting: Buffer[] = [];
  #closed = false;

  constructor(gateway: TLSSocket, broker: TLSSocket, recording: Recording, server: string) {
    this.#gateway = gateway;
    this.#broker = broker;
    this.#recording = recording;
    this.#connection = recording.nextConnection();
    recording.add({ kind: "opened", connection: this.#connection, server });
    for (const end of [gateway, broker]) {
      end.setNoDelay(true);
      end.on("error", () => undefined);
    }
    gateway.on("data", (chunk: Buffer) => this.#onGateway(chunk));
    broker.on("data", (chunk: Buffer) => this.#onBroker(chunk));
    gateway.on("close", () => this.#onClose("gateway"));
    broker.on("close", () => this.#onClose("broker"));
  }

  get hangs(): boolean {
    return this.#hangs;
  }

  arm(fault: Fault): void {
    this.#fault = { atByte: this.#sentBytes + fault.bytes, cuts: fault.cuts };
    this.#fail();
  }

  hold(held: boolean): void {
    this.#held = held;
    if (held) return;
    for (const bytes of this.#waiting.splice(0)) this.#gateway.write(bytes);
  }

  destroy(): void {
    this.#tellClosed("observer");
    this.#gateway.destroy();
    this.#broker.destroy();
  }

  #onGateway(chunk: Buffer): void {
    const atByte = this.#hangs ? 0 : (this.#fault?.atByte ?? Number.POSITIVE_INFINITY);
    for (const { packet, endByte } of this.#fromGateway.read(chunk)) {
      // The broker answers in the version it was asked in.
      if (packet?.cmd === "connect") this.#fromBroker = new FrameReader(versionOf(packet.protocolVersion));
      this.#tell("gateway", packet, endByte <= atByte);
    }
    const passing = chunk.subarray(0, Math.max(0, atByte - this.#sentBytes));
    this.#sentBytes += passing.length;
    if (passing.length > 0) this.#broker.write(passing);
    this.#fail();
  }

  #onBroker(chunk: Buffer): void {
    for (const { packet, bytes } of this.#fromBroker.read(chunk)) {
      this.#tell("broker", packet, !this.#hangs);
      if (this.#hangs) continue;
      const isFirstHeld = this.#held && ACKNOWLEDGEMENTS.includes(packet?.cmd ?? "");
      if (isFirstHeld || this.#waiting.length > 0) this.#waiting.push(bytes);
      else this.#gateway.write(bytes);
    }
  }

  /** Does what was asked for at this byte, once it has passed. */
  #fail(): void {
    if (this.#fault === undefined || this.#hangs || this.#sentBytes < this.#fault.atByte) return;
    this.#hangs = true;
    // What was written before is still to arrive.
    if (this.#fault.cuts) this.#broker.end(() => this.destroy());
  }

  #onClose(by: Side): void {
    this.#tellClosed(by);
    if (this.#hangs && by === "gateway") {
      // The broker is not told that the gateway went: it finds out by itself.
      this.#broker.once("close", () => this.onEnd());
      return;
    }
    this.#gateway.destroy();
    this.#broker.end();
    this.onEnd();
  }

  #tell(from: Side, packet: Packet | undefined, passed: boolean): void {
    this.#recording.add({ kind: "packet", connection: this.#connection, from, packet, passed });
  }

  #tellClosed(by: Side | "observer"): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#recording.add({ kind: "closed", connection: this.#connection, by });
  }
}

function versionOf(version: number | undefined): ProtocolVersion {
  return version === 5 ? 5 : 4;
}
