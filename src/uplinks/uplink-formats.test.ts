import assert from "node:assert/strict";
import { test } from "node:test";
import type { UplinkConfig } from "../config/config.ts";
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import { type AedesBroker, startAedes } from "../testing/aedes-broker.ts";
import { startFrozenProxy } from "../testing/frozen-proxy.ts";
import { MemoryQueue } from "../testing/memory-queue.ts";
import { MemoryState } from "../testing/memory-state.ts";
import { deviceOf, SettableValues } from "../testing/settable-values.ts";
import { TransportFixture } from "../testing/transport-fixture.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { within } from "../testing/within.ts";
import { createMqttTransport } from "./mqtt-transport.ts";
import { createUplink } from "./uplink.ts";

const fixture = new TransportFixture();

/** An uplink of that format to a broker that records, by a link that can be broken. */
async function uplinkTo(changes: Partial<UplinkConfig>) {
  const broker = await startAedes({ certificates: fixture.certificates });
  fixture.leave(() => broker.close());
  const link = await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock);
  fixture.leave(() => link.close());
  const config = uplinkConfig(fixture.certificates, [`mqtts://localhost:${link.port}`], {
    mqttVersion: "3.1.1",
    reconnect: { spreadMs: 20, maxMs: 50 },
    ...changes,
  });
  const queue = new MemoryQueue(hostClock);
  const values = new SettableValues(hostClock, [deviceOf("pump", ["speed"])], [queue]);
  const transport = createMqttTransport({ config, clock: hostClock, log: silentLog });
  const parts = { config, values, queue, transport, state: new MemoryState(), log: silentLog };
  const uplink = createUplink({ ...parts, clock: hostClock, random: hostRandom });
  fixture.leave(() => uplink.stop());
  uplink.start();
  return { broker, link, values, uplink };
}

function shown({ published }: AedesBroker, from = 0): readonly string[] {
  return published.slice(from).map(({ topic, retain }) => `${topic}${retain ? " retained" : ""}`);
}

/** The values of all messages on a topic. */
function valuesOn({ published }: AedesBroker, wanted: string): readonly unknown[] {
  return published
    .filter(({ topic }) => topic === wanted)
    .flatMap(({ payload }) => JSON.parse(Buffer.from(payload).toString()).values)
    .map(({ v }: { v: unknown }) => v);
}

test("P3 P4: kepware: every value once, then live; what an outage held back comes beside, and nothing else changes", async () => {
  const { broker, link, values } = await uplinkTo({
    format: "kepware",
    topic: "iotgateway",
    node: { group: "plant", name: "gw" },
  });
  const [status, history] = ["iotgateway/plant/gw/status", "iotgateway/plant/gw/history"];
  await broker.until("it is online", () => broker.published.length === 2);
  assert.deepEqual(shown(broker), ["iotgateway", `${status} retained`]);
  assert.equal(broker.connects[0]?.will?.topic, status);
  values.set("pump/speed", 1);
  await broker.until("the live value is there", () => broker.published.length === 3);
  assert.deepEqual(shown(broker, 2), ["iotgateway"]);

  link.refuse(true);
  values.set("pump/speed", 2);
  values.set("pump/speed", 3);
  link.refuse(false);
  await broker.until("what was held back is there", () => valuesOn(broker, history).includes(3));
  // Whether the first value was acknowledged in time is a matter of luck.
  assert.deepEqual(valuesOn(broker, history).slice(-2), [2, 3]);
  assert.deepEqual(valuesOn(broker, "iotgateway"), [null, 1, 3]);
});

test("P3: azure-iot-hub: all kinds on the device's topic, in the order of the contract, none retained, the will neither", async () => {
  const topic = "devices/pump-3/messages/events";
  const { broker, values, uplink } = await uplinkTo({ format: "azure-iot-hub", topic, clientId: "pump-3" });
  const kind = (name: string) => `${topic}/$.ct=application%2Fjson&$.ce=utf-8&kind=${name}`;
  await broker.until("it is online", () => broker.published.length === 3);
  values.set("pump/speed", 1);
  await broker.until("the live value is there", () => broker.published.length === 4);
  await within(hostClock, uplink.stop(), "it has stopped");
  assert.deepEqual(shown(broker), ["tags&device=pump", "snapshot&device=pump", "status", "data", "status"].map(kind));
  const { will, username, password } = broker.connects[0] ?? {};
  assert.deepEqual([will?.topic, will?.retain, will?.qos], [kind("status"), false, 1]);
  assert.deepEqual([username, password], ["localhost/pump-3/?api-version=2021-04-12", undefined]);
});
