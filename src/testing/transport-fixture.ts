/** The real transport with certificates, a log and a broker to hand, for its own tests. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before } from "node:test";
import type { UplinkConfig } from "../config/config.ts";
import { type Clock, hostClock } from "../core/clock.ts";
import { createLog } from "../core/log.ts";
import { ConnectFailure, type Connection, type ConnectRequest, type Message } from "../pipeline.ts";
import { createMqttTransport, type MqttTransport } from "../uplinks/mqtt-transport.ts";
import { type Certificates, writeCertificates } from "./certificates.ts";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "./mosquitto.ts";
import { uplinkConfig } from "./uplink-config.ts";
import { within } from "./within.ts";

export const CLIENT_ID = "plant-gateway";
export const WILL: Message = { topic: "plant/status", payload: Buffer.from("gone"), qos: 1, retain: true };

/** `tls` is laid over the defaults key by key. */
export type UplinkChanges = Omit<Partial<UplinkConfig>, "tls"> & { readonly tls?: Partial<UplinkConfig["tls"]> };

/** Makes certificates before the tests of the file, and after each undoes what it left. */
export class TransportFixture {
  readonly logged: string[] = [];
  #certificates: Certificates | undefined;
  readonly #leftovers: (() => Promise<void> | void)[] = [];

  constructor() {
    before(async () => {
      const dir = await mkdtemp(join(tmpdir(), "sallyport-certificates-"));
      this.#certificates = await writeCertificates(dir, hostClock);
    });
    afterEach(async () => {
      this.logged.length = 0;
      for (const undo of this.#leftovers.splice(0).reverse()) await undo();
    });
    after(() => rm(this.certificates.dir, { recursive: true, force: true }));
  }

  get certificates(): Certificates {
    assert.ok(this.#certificates, "certificates are made before the first test");
    return this.#certificates;
  }

  /** Undone after the test, the last one first. */
  leave(undo: () => Promise<void> | void): void {
    this.#leftovers.push(undo);
  }

  async mosquitto(options: Partial<MosquittoOptions> = {}): Promise<Mosquitto> {
    const broker = await startMosquitto({ certificates: this.certificates, ...options });
    this.leave(() => broker.close());
    return broker;
  }

  transport(server: string, changes: UplinkChanges = {}, clock: Clock = hostClock): MqttTransport {
    const { tls, ...others } = changes;
    const defaults = uplinkConfig(this.certificates, [server], others);
    const config = { ...defaults, tls: { ...defaults.tls, ...tls } };
    const log = createLog({ write: (line) => this.logged.push(line), level: "debug", format: "text" });
    return createMqttTransport({ config, clock, log });
  }

  connect(server: string, changes: UplinkChanges = {}, clock: Clock = hostClock): Promise<Connection> {
    return this.connectBy(this.transport(server, changes, clock), { server });
  }

  async connectBy(
    transport: MqttTransport,
    request: Partial<ConnectRequest> & Pick<ConnectRequest, "server">,
  ): Promise<Connection> {
    const connection = await transport.connect({ clientId: CLIENT_ID, keepAliveMs: 15_000, will: WILL, ...request });
    this.leave(() => connection.destroy());
    return connection;
  }
}

export async function failsWith(connecting: Promise<Connection>, words: RegExp): Promise<void> {
  await assert.rejects(within(hostClock, connecting, "it failed"), (error: Error) => {
    assert.ok(error instanceof ConnectFailure, String(error));
    assert.match(error.message, words);
    return true;
  });
}

export function message(topic: string, payload: Uint8Array = Buffer.from("x")): Message {
  return { topic, payload, qos: 1, retain: false };
}
