import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { createUplink } from "../uplinks/uplink.ts";
import { heardBy, readmeBlock } from "./broker-rights.ts";
import { MemoryQueue } from "./memory-queue.ts";
import { MemoryState } from "./memory-state.ts";
import type { Mosquitto } from "./mosquitto.ts";
import { deviceOf, SettableValues } from "./settable-values.ts";
import { subscribe } from "./subscriber.ts";
import { TransportFixture } from "./transport-fixture.ts";
import { uplinkConfig } from "./uplink-config.ts";
import { within } from "./within.ts";

const STATE = "spBv1.0/STATE/scada-1";

const fixture = new TransportFixture();

/** A broker with what the README lets a Sparkplug gateway do, and a host beside it that may do all. */
async function brokerWith(...lists: readonly string[]): Promise<Mosquitto> {
  const { ca, dir, server } = fixture.certificates;
  const acl = join(dir, "sparkplug.acl");
  const rights = await Promise.all(lists.map(readmeBlock));
  await writeFile(acl, [...rights, "user historian\ntopic readwrite #\n"].join("\n"), { mode: 0o600 });
  const tls = [`cafile ${ca}`, `certfile ${server.certificate}`, `keyfile ${server.key}`, "require_certificate true"];
  return fixture.mosquitto({
    configuration: (port) =>
      [`listener ${port} 127.0.0.1`, ...tls, "use_identity_as_username true", `acl_file ${acl}`, ""].join("\n"),
  });
}

test("P2: with what the README lets it do on a real Mosquitto, a Sparkplug gateway is heard from birth to death", async () => {
  const { certificates } = fixture;
  const broker = await brokerWith("sparkplug-acl");
  const host = await subscribe(broker.url, { certificates, identity: certificates.historian, topics: ["spBv1.0/#"] });
  fixture.leave(() => host.close());
  const { certificate, key } = certificates.historian;
  const scada = await fixture.connect(broker.url, { tls: { certificate, key } });
  const online = Buffer.from(JSON.stringify({ online: true, timestamp: hostClock.wallMs() }));
  await scada.publish({ topic: STATE, payload: online, qos: 1, retain: true });
  await scada.close();

  const queue = new MemoryQueue(hostClock);
  const values = new SettableValues(hostClock, [deviceOf("pump-1", ["speed"])], [queue]);
  const config = uplinkConfig(certificates, [broker.url], {
    format: "sparkplug",
    node: { group: "plant-7", name: "pump-house-3" },
    primaryHost: "scada-1",
  });
  const transport = createMqttTransport({ config, clock: hostClock, log: silentLog });
  const around = { clock: hostClock, random: hostRandom, log: silentLog };
  const uplink = createUplink({ config, values, queue, transport, state: new MemoryState(), ...around });
  fixture.leave(() => uplink.stop());
  uplink.start();
  const heard = (type: string) => host.messages.some(({ topic }) => topic.split("/")[2] === type);
  await host.until("the node is born", () => heard("DBIRTH"));
  values.set("pump-1/speed", 5);
  await host.until("its data come", () => heard("DDATA"));
  await within(hostClock, uplink.stop(), "the uplink has stopped");
  assert.equal(queue.depth(), 0);
  await host.until("it says that it goes", () => heard("NDEATH"));
});

test("P10: a device's commands reach a Sparkplug gateway with the line for them only, others' never", async () => {
  const topics = [
    "NCMD/pump-house-3",
    "DCMD/pump-house-3/pump-1",
    "NCMD/other",
    "DCMD/other/pump-1",
    "DDATA/other/pump-1",
  ];
  const all = topics.map((topic) => `spBv1.0/plant-7/${topic}`);
  const without = await brokerWith("sparkplug-acl");
  assert.deepEqual(await heardBy(fixture, without.url, all), all.slice(0, 1));
  const withIt = await brokerWith("sparkplug-acl", "sparkplug-commands-acl");
  assert.deepEqual(await heardBy(fixture, withIt.url, all), all.slice(0, 2));
});
