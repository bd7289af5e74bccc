import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { heardBy, readmeBlock } from "./broker-rights.ts";
import type { Mosquitto } from "./mosquitto.ts";
import { type Subscriber, subscribe } from "./subscriber.ts";
import { failsWith, message, TransportFixture, WILL } from "./transport-fixture.ts";
import { within } from "./within.ts";

const OWN = "plant-7/pump-house-3";

const fixture = new TransportFixture();

/** Mosquitto with what the README says, save where it lies, listens, and what its users are called. */
async function asTheReadmeSays(...added: readonly string[]): Promise<Mosquitto> {
  const { dir, server } = fixture.certificates;
  await copyFile(server.certificate, join(dir, "broker.pem"));
  await copyFile(server.key, join(dir, "broker.key"));
  const lists = await Promise.all(["acl", ...added].map(readmeBlock));
  await writeFile(join(dir, "gateways.acl"), lists.join("\n"), { mode: 0o600 });
  const text = (await readmeBlock("conf")).replaceAll("/etc/mosquitto", dir);
  return fixture.mosquitto({ configuration: (port) => text.replace("listener 8883", `listener ${port} 127.0.0.1`) });
}

async function subscriber(broker: Mosquitto, who: "client" | "historian"): Promise<Subscriber> {
  const { certificates } = fixture;
  const observer = await subscribe(broker.url, { certificates, identity: certificates[who], clientId: `${who} reads` });
  fixture.leave(() => observer.close());
  return observer;
}

describe("P2: the broker's side as the README says, on a real Mosquitto", () => {
  test("a gateway writes below its own topic and nowhere else, and is told so", async () => {
    const broker = await asTheReadmeSays();
    const historian = await subscriber(broker, "historian");
    const connection = await fixture.connect(broker.url);
    for (const topic of ["plant-7/other/data", "plant-7/pump-house-30/data", "iotgateway", "plant-7"]) {
      await assert.rejects(within(hostClock, connection.publish(message(topic)), "answered"), /not authorised/, topic);
    }
    await within(hostClock, connection.publish(message(`${OWN}/data`, Buffer.from("mine"))), "acknowledged");
    await historian.until("the historian has it", (all) => all.length === 1);
    assert.equal(historian.messages[0]?.topic, `${OWN}/data`);
  });

  test("a gateway reads nothing, not even its own; a historian writes nothing", async () => {
    const broker = await asTheReadmeSays();
    const [historian, gatewayReads] = [await subscriber(broker, "historian"), await subscriber(broker, "client")];
    const { certificate, key } = fixture.certificates.historian;
    const writes = await fixture.connect(broker.url, { tls: { certificate, key } });
    await assert.rejects(within(hostClock, writes.publish(message(`${OWN}/data`)), "answered"), /not authorised/);
    await writes.close();
    const connection = await fixture.connect(broker.url);
    await connection.publish(message(`${OWN}/data`));
    await historian.until("the historian has it", (all) => all.length === 1);
    assert.deepEqual(gatewayReads.messages, []);
  });

  test("P10: commands reach a gateway with the lines for them, and nothing else does; without them nothing does", async () => {
    const topics = [`${OWN}/write`, `${OWN}/data`, "plant-7/other/write", "other"];
    const without = await asTheReadmeSays();
    assert.deepEqual(await heardBy(fixture, without.url, topics), []);
    const withThem = await asTheReadmeSays("commands-acl");
    assert.deepEqual(await heardBy(fixture, withThem.url, topics), [`${OWN}/write`]);
  });

  test("its will goes where its topic is, and not elsewhere", async () => {
    const broker = await asTheReadmeSays();
    const historian = await subscriber(broker, "historian");
    for (const topic of ["plant-7/other/status", `${OWN}/status`]) {
      const transport = fixture.transport(broker.url);
      const connection = await fixture.connectBy(transport, { server: broker.url, will: { ...WILL, topic } });
      connection.destroy();
      await connection.closed;
    }
    await historian.until("the will that it may have is there", (all) => all.length === 1);
    assert.equal(historian.messages[0]?.topic, `${OWN}/status`);
  });

  test("nobody comes in without a certificate of this CA", async () => {
    const broker = await asTheReadmeSays();
    const { certificate, key } = fixture.certificates.stranger;
    await failsWith(fixture.connect(broker.url, { tls: { certificate, key } }), /refuses this gateway's certificate/);
  });
});
