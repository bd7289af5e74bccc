import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { type Certificates, writeCertificates } from "../testing/certificates.ts";
import { startFrozenProxy } from "../testing/frozen-proxy.ts";
import { startMosquitto } from "../testing/mosquitto.ts";
import { subscribe } from "../testing/subscriber.ts";
import { type ContractBroker, transportContract } from "../testing/transport-contract.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { within } from "../testing/within.ts";
import { createMqttTransport } from "./mqtt-transport.ts";

const DENIED = "plant/denied";
const MAX_PACKET_BYTES = 100_000;

let certificates: Certificates;
before(async () => {
  certificates = await writeCertificates(await mkdtemp(join(tmpdir(), "sallyport-certificates-")), hostClock);
});
after(() => rm(certificates.dir, { recursive: true, force: true }));

async function mosquitto(webSocket: boolean): Promise<ContractBroker> {
  const broker = await startMosquitto({
    certificates,
    deniedTopics: [DENIED],
    maxPacketBytes: MAX_PACKET_BYTES,
    webSocket,
  });
  const observer = await subscribe(broker.url, { certificates, retainAsPublished: true });
  const target = new URL(broker.webSocketUrl ?? broker.url);
  const proxy = await startFrozenProxy({ host: "127.0.0.1", port: Number(target.port) }, hostClock);
  const server = (broker.webSocketUrl ?? broker.url).replace(target.port, `${proxy.port}`);
  const config = uplinkConfig(certificates, [server]);
  return {
    transport: createMqttTransport({ config, clock: hostClock, log: silentLog }),
    server,
    limits: { maxPacketBytes: MAX_PACKET_BYTES, maxQos: 2, retainAvailable: true, tellsReasons: true },
    deniedTopic: DENIED,
    received: () => observer.messages,
    settled: (promise, what) => within(hostClock, promise, what),
    until: (holds, what) => observer.until(what, holds),
    tellsTakeover: undefined,
    freeze: () => proxy.freeze(),
    stop: async () => {
      await broker.kill();
      proxy.refuse(true);
    },
    async close() {
      await proxy.close();
      await observer.close();
      await broker.close();
    },
  };
}

transportContract("Mosquitto over TLS", () => mosquitto(false));
transportContract("Mosquitto over a WebSocket in TLS", () => mosquitto(true));
