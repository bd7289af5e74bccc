import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { createUplink } from "../uplinks/uplink.ts";
import { MemoryQueue } from "./memory-queue.ts";
import { MemoryState } from "./memory-state.ts";
import { deviceOf, SettableValues } from "./settable-values.ts";
import { subscribe } from "./subscriber.ts";
import { TransportFixture } from "./transport-fixture.ts";
import { uplinkConfig } from "./uplink-config.ts";
import { within } from "./within.ts";

const README = new URL("../../README.md", import.meta.url);
const STATE = "spBv1.0/STATE/scada-1";

const fixture = new TransportFixture();

/** What the README lets a Sparkplug gateway do, and a host beside it that may do all. */
async function accessList(): Promise<string> {
  const [block] = (await readFile(README, "utf8")).match(/(?<=```sparkplug-acl\n)[^`]*/) ?? [];
  assert.ok(block, "the README has the list");
  return `${block.replace("user pump-house-3", "user client")}\nuser historian\ntopic readwrite #\n`;
}

test("P2: with what the README lets it do on a real Mosquitto, a Sparkplug gateway is heard from birth to death", async () => {
  const { certificates } = fixture;
  const { ca, dir, server } = certificates;
  const acl = join(dir, "sparkplug.acl");
  await writeFile(acl, await accessList(), { mode: 0o600 });
  const tls = [`cafile ${ca}`, `certfile ${server.certificate}`, `keyfile ${server.key}`, "require_certificate true"];
  const broker = await fixture.mosquitto({
    configuration: (port) =>
      [`listener ${port} 127.0.0.1`, ...tls, "use_identity_as_username true", `acl_file ${acl}`, ""].join("\n"),
  });
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
