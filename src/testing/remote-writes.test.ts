import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import mqtt, { type MqttClient } from "mqtt";
import { hostClock } from "../core/clock.ts";
import type { Message } from "../pipeline.ts";
import { AHEAD_MAX_MS } from "../uplinks/commands/freshness.ts";
import { jsonEnvelope } from "../uplinks/commands/json-command.ts";
import { signText } from "../uplinks/commands/keyring.ts";
import { commandText } from "../uplinks/commands/signed-command.ts";
import { FieldSite } from "./field-site.ts";
import { listeners } from "./sockets.ts";

const WRITE = "site/gateway/write";
const TAG = "{ holdingRegister: 0, type: int16, writable: { min: 0, max: 1500 } }";
const TAKES = /takes commands on site\/gateway\/write/;
const LIFETIME_MS = 60_000;
const STATES = ["accepted", "written", "confirmed"];

const { publicKey, privateKey } = generateKeyPairSync("ed25519");

function envelope(v: number): { readonly nonce: string; readonly text: string } {
  // A new gateway refuses what it could have carried out before it was born: any clock can be so far ahead.
  const issuedMs = hostClock.wallMs() + AHEAD_MAX_MS;
  const nonce = randomBytes(16).toString("hex");
  const values = [{ id: "pump/value", v }];
  const content = { gateway: "site/gateway", issuedMs, expiresMs: issuedMs + LIFETIME_MS, nonce, values };
  return { nonce, text: jsonEnvelope(signText(commandText(content), privateKey)) };
}

function resultOf({ topic, payload }: Message): { nonce?: string; state?: string; reason?: string } {
  return topic === `${WRITE}/result` ? JSON.parse(Buffer.from(payload).toString()) : {};
}

async function operator(site: FieldSite): Promise<MqttClient> {
  const { ca, client } = site.certificates;
  const [caPem, cert, key] = await Promise.all([ca, client.certificate, client.key].map((file) => readFile(file)));
  return mqtt.connectAsync(site.broker.url, {
    ca: caPem,
    cert,
    key,
    clientId: "operator",
    protocolVersion: 5,
  } as object);
}

test("P10: through Mosquitto, the service and a serial line a signed command moves a device, once", async (t) => {
  const site = await FieldSite.open();
  t.after(() => site.close());
  await site.writeSecret("ops.pub", String(publicKey.export({ type: "spki", format: "pem" })));
  const config = await site.configure(undefined, { tag: TAG, more: "commands: { authorizedKeys: [ ops.pub ] }\n" });
  const subscriber = await site.subscribe();
  const gateway = await site.startGateway(config);
  const sender = await operator(site);
  t.after(() => sender.endAsync(true));
  await gateway.logged(TAKES);

  const last = envelope(1_200);
  const isOfLast = (message: Message) => resultOf(message).nonce === last.nonce;
  await sender.publishAsync(WRITE, last.text, { qos: 1 });
  await subscriber.until("its end is told", (messages) => messages.filter(isOfLast).length === STATES.length);
  assert.deepEqual(
    subscriber.messages.filter(isOfLast).map((message) => resultOf(message).state),
    STATES,
  );
  assert.equal(site.pump.get("holdingRegister", 0), 1_200);
  assert.equal(site.meter.get("holdingRegister", 0), 0);
  await site.seen("it is read as a value", (reader) => reader.tag("pump/value")?.value === 1_200);
  await site.tells("commands/result", /"state":"confirmed"/, "its result goes the way of all data");
  assert.deepEqual(await listeners(gateway.pid), []);

  site.pump.set("holdingRegister", 0, 5);
  const before = subscriber.messages.length;
  await sender.publishAsync(WRITE, last.text, { qos: 1 });
  const again = () => subscriber.messages.slice(before).filter(isOfLast).map(resultOf);
  await subscriber.until("it is told what came of it", () => again().length > 0);
  assert.deepEqual([...new Set(again().map(({ state }) => state))], ["refused"]);
  assert.match(again()[0]?.reason ?? "", /it was here before/);
  assert.equal(site.pump.get("holdingRegister", 0), 5);
});
