import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hostClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { hostRandom } from "../../core/random.ts";
import type { Message } from "../../pipeline.ts";
import { writeCertificates } from "../../testing/certificates.ts";
import { startFrozenProxy } from "../../testing/frozen-proxy.ts";
import { MemoryQueue } from "../../testing/memory-queue.ts";
import { MemoryState } from "../../testing/memory-state.ts";
import { startMosquitto } from "../../testing/mosquitto.ts";
import { deviceOf, SettableValues, tagOf } from "../../testing/settable-values.ts";
import { subscribe } from "../../testing/subscriber.ts";
import { uplinkConfig } from "../../testing/uplink-config.ts";
import { within } from "../../testing/within.ts";
import { createMqttTransport } from "../mqtt-transport.ts";
import { createUplink } from "../uplink.ts";
import { decodePayload, encodePayload, type Metric } from "./payload.ts";

const OUTAGE_VALUES = 5_000;

async function setUp(version: "5" | "3.1.1") {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-sparkplug-"));
  const certificates = await writeCertificates(dir, hostClock);
  const broker = await startMosquitto({ certificates });
  const host = await subscribe(broker.url, { certificates, topics: ["spBv1.0/#"] });
  const link = await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock);
  const queue = new MemoryQueue(hostClock);
  const node = { name: "gateway", tags: [tagOf("gateway", "process/uptimeS")] };
  const values = new SettableValues(hostClock, [deviceOf("pump", ["speed", "flow"]), node], [queue]);
  const config = uplinkConfig(certificates, [`mqtts://localhost:${link.port}`], {
    format: "sparkplug",
    mqttVersion: version,
    reconnect: { spreadMs: 100, maxMs: 200 },
  });
  const transport = createMqttTransport({ config, clock: hostClock, log: silentLog });
  const state = new MemoryState();
  const around = { clock: hostClock, random: hostRandom, log: silentLog };
  const uplink = createUplink({ config, values, queue, transport, state, ...around });
  const end = async () => {
    await uplink.stop();
    await host.close();
    await link.close();
    await broker.close();
    await rm(dir, { recursive: true, force: true });
  };
  return { broker, host, link, queue, values, transport, uplink, end };
}

type Site = Awaited<ReturnType<typeof setUp>>;

function told({ host }: Site, type: string): readonly Message[] {
  return host.messages.filter(({ topic }) => typeOf(topic) === type);
}

function typeOf(topic: string): string | undefined {
  return topic.split("/")[2];
}

function metricsOf(messages: readonly Message[]): readonly Metric[] {
  return messages.flatMap(({ payload }) => decodePayload(payload).metrics);
}

async function askForRebirth({ transport, broker }: Site): Promise<void> {
  const will: Message = { topic: "x", payload: new Uint8Array(), qos: 0, retain: false };
  const sender = await transport.connect({ server: broker.url, clientId: "host", keepAliveMs: 15_000, will });
  const rebirth = { name: "Node Control/Rebirth", value: { field: "boolean", value: true } } as const;
  const payload = encodePayload({ metrics: [rebirth] });
  await sender.publish({ ...will, topic: "spBv1.0/plant/NCMD/gateway", payload });
  await sender.close();
}

/** Every message of the node but its deaths counts on from the last one, and each NBIRTH begins at 0. */
function assertNumbered(messages: readonly Message[]): void {
  let expected = 0;
  for (const { topic, payload } of messages) {
    const type = typeOf(topic);
    if (type === "NDEATH" || type === "NCMD") continue;
    if (type === "NBIRTH") expected = 0;
    assert.equal(decodePayload(payload).seq, expected, type);
    expected = (expected + 1) % 256;
  }
}

for (const version of ["5", "3.1.1"] as const) {
  test(`P3 P4: Sparkplug through Mosquitto over TLS, MQTT ${version}: births, data, an outage, its history, a rebirth, the end`, async () => {
    const site = await setUp(version);
    const { host, link, queue, values, uplink } = site;
    const speedIs = (value: number, type: string) => () =>
      metricsOf(told(site, type)).some((metric) => metric.name === "speed" && metric.value?.value === value);
    const replayed = () =>
      new Set(
        metricsOf(told(site, "DDATA")).flatMap(({ isHistorical, value }) => (isHistorical ? [value?.value] : [])),
      );
    try {
      values.set("pump/speed", 1);
      uplink.start();
      await host.until("the pump is born", speedIs(1, "DBIRTH"));
      values.set("pump/speed", 1490.5);
      await host.until("the value is there", speedIs(1490.5, "DDATA"));

      link.refuse(true);
      for (let i = 1; i <= OUTAGE_VALUES; i++) values.set("pump/speed", i);
      await host.until("the gateway is known to be gone", () => told(site, "NDEATH").length === 1);
      link.refuse(false);
      await host.until("the pump is born again", speedIs(OUTAGE_VALUES, "DBIRTH"));
      await host.until("all is there", () => replayed().size >= OUTAGE_VALUES, 20_000);

      const births = told(site, "NBIRTH").length;
      await askForRebirth(site);
      await host.until("the node is born anew", () => told(site, "NBIRTH").length > births);
      await within(hostClock, uplink.stop(), "the uplink has stopped");
      await host.until("the end is told", () => told(site, "NDEATH").length >= 2);
      assert.equal(queue.depth(), 0, "all is acknowledged");

      assertNumbered(host.messages);
      const sessions = host.messages.filter(({ topic }) => /NBIRTH|NDEATH/.test(topic));
      const bdSeqs = metricsOf(sessions).filter(({ name }) => name === "bdSeq");
      assert.deepEqual(
        bdSeqs.slice(0, 5).map(({ value }) => value?.value),
        [0n, 0n, 1n, 1n, 1n],
      );
    } finally {
      await site.end();
    }
  });
}
