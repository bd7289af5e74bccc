import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import mqtt, { type MqttClient } from "mqtt";
import { askGateway } from "../commands/ask-gateway.ts";
import { hostClock } from "../core/clock.ts";
import { readEvents } from "../diagnostics/event-file.ts";
import type { Message } from "../pipeline.ts";
import { AHEAD_MAX_MS } from "../uplinks/commands/freshness.ts";
import { jsonEnvelope } from "../uplinks/commands/json-command.ts";
import { signText } from "../uplinks/commands/keyring.ts";
import { commandText } from "../uplinks/commands/signed-command.ts";
import { deviceCommand } from "../uplinks/commands/sparkplug-command.ts";
import { decodePayload } from "../uplinks/sparkplug/payload.ts";
import { FieldSite } from "./field-site.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { listeners } from "./sockets.ts";
import { type Subscriber, subscribe } from "./subscriber.ts";

const DCMD = "spBv1.0/site/DCMD/gateway/pump";
const DBIRTH = "spBv1.0/site/DBIRTH/gateway/pump";
const NDATA = "spBv1.0/site/NDATA/gateway";
const WRITE = "site/gateway/write";
const TAG = "{ holdingRegister: 0, type: int16, writable: { min: 0, max: 1500 } }";
const TAKES = /takes commands on site\/gateway\/write/;
const LIFETIME_MS = 60_000;
const STATES = ["accepted", "written", "confirmed"];

const { publicKey, privateKey } = generateKeyPairSync("ed25519");

function command(v: number) {
  // A new gateway refuses what it could have carried out before it was born: any clock can be so far ahead.
  const issuedMs = hostClock.wallMs() + AHEAD_MAX_MS;
  const nonce = randomBytes(16).toString("hex");
  const values = [{ id: "pump/value", v }];
  const content = { gateway: "site/gateway", issuedMs, expiresMs: issuedMs + LIFETIME_MS, nonce, values };
  const signed = signText(commandText(content), privateKey);
  return { content, signed, nonce, text: jsonEnvelope(signed) };
}

/** A DCMD to the pump, and the same command for the JSON topic. */
function dcmd(v: number) {
  const { content, signed, nonce, text } = command(v);
  return { nonce, text, payload: Buffer.from(deviceCommand(signed, content, () => "int16")) };
}

/** Of the command with this nonce, as the node's metric tells it. */
function statesOf(messages: readonly Message[], nonce: string): readonly string[] {
  return messages
    .filter(({ topic }) => topic === NDATA)
    .flatMap(({ payload }) => decodePayload(payload).metrics)
    .filter(({ name }) => name === "commands/result")
    .map(({ value }) => String(value?.value))
    .filter((text) => text !== "none")
    .map((text) => JSON.parse(text))
    .filter((result) => result.nonce === nonce)
    .map(({ state }) => state);
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

test("P10: through Mosquitto, the service and a serial line a signed command moves a device, once, and a kill forgets none of it", async (t) => {
  const site = await FieldSite.open();
  t.after(() => site.close());
  await site.writeSecret("ops.pub", String(publicKey.export({ type: "spki", format: "pem" })));
  const moreUplinks = `  scada: ${site.uplinkYaml().replace("{", "{ format: sparkplug, ")}\n`;
  const more = "commands: { authorizedKeys: [ ops.pub ] }\n";
  const config = await site.configure(undefined, { tag: TAG, moreUplinks, more });
  const subscriber = await site.subscribe();
  const host = await subscribe(site.broker.url, {
    certificates: site.certificates,
    clientId: "host",
    topics: ["spBv1.0/site/#"],
  });
  t.after(() => host.close());
  const gateway = await site.startGateway(config);
  const sender = await operator(site);
  t.after(() => sender.endAsync(true));
  await gateway.logged(TAKES);
  const written: number[] = [];
  site.pump.onWrite = (_, value) => written.push(value);

  const last = command(1_200);
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

  await commandAsHost(site, sender, host, subscriber);
  assert.deepEqual(written, [1_200, 1_400]);
  await noteAndKill(site, gateway, subscriber);
});

/** By DCMD: one with a bit flipped, one that is right, and that one again, here and through the other uplink. */
async function commandAsHost(
  site: FieldSite,
  sender: MqttClient,
  host: Subscriber,
  subscriber: Subscriber,
): Promise<void> {
  await host.until("the pump is born", (messages) => messages.some(({ topic }) => topic === DBIRTH));
  const bySparkplug = dcmd(1_300);
  const flipped = Buffer.from(bySparkplug.payload);
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  await sender.publishAsync(DCMD, flipped, { qos: 1 });
  const second = dcmd(1_400);
  await sender.publishAsync(DCMD, second.payload, { qos: 1 });
  await host.until("the host is told its end", (messages) => statesOf(messages, second.nonce).includes("confirmed"));
  assert.deepEqual(statesOf(host.messages, second.nonce), STATES);
  assert.equal(site.pump.get("holdingRegister", 0), 1_400);

  site.pump.set("holdingRegister", 0, 5);
  await sender.publishAsync(DCMD, second.payload, { qos: 1 });
  await host.until("the host is told", (messages) => statesOf(messages, second.nonce).includes("refused"));
  await sender.publishAsync(WRITE, second.text, { qos: 1 });
  const elsewhere = () => subscriber.messages.map(resultOf).filter(({ nonce }) => nonce === second.nonce);
  await subscriber.until("it is told by the other uplink, too", () => elsewhere().length > 0);
  assert.match(elsewhere()[0]?.reason ?? "", /it was here before/);
  assert.equal(site.pump.get("holdingRegister", 0), 5);
}

/** What was commanded, and what a tool says that it wrote, is on the card when the service is killed. */
async function noteAndKill(site: FieldSite, gateway: GatewayProcess, subscriber: Subscriber): Promise<void> {
  const noted = await askGateway(site.stateDir, { ask: "note", text: "wrote 5 to the pump" }, randomUUID(), hostClock);
  assert.equal(noted?.done, true);
  const isEvent = ({ topic, payload }: Message) =>
    topic === "site/gateway/events" && payload.toString().includes("bench: wrote 5 to the pump");
  await subscriber.message("a tool's write is on record", isEvent);
  await site.seen("the card has it", () => readEvents(site.stateDir).some(({ kind }) => kind === "bench"));
  await gateway.kill();
  const record = readEvents(site.stateDir).map(({ kind, text }) => `${kind} ${text}`);
  for (const [kind, words] of [
    ["command", '"pump/value"=1400 confirmed'],
    ["bench", "wrote 5 to the pump"],
  ] as const)
    assert.ok(
      record.some((event) => event.startsWith(`${kind} ${words}`)),
      record.join("\n"),
    );
}
