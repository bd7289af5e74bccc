import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { createLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import { type Certificates, writeCertificates } from "../testing/certificates.ts";
import { Condition } from "../testing/condition.ts";
import { Ledger } from "../testing/ledger.ts";
import { MemoryQueue } from "../testing/memory-queue.ts";
import { MemoryState } from "../testing/memory-state.ts";
import { type Mosquitto, startMosquitto } from "../testing/mosquitto.ts";
import { deviceOf, SettableValues } from "../testing/settable-values.ts";
import { type Received, subscribe } from "../testing/subscriber.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { parseWire } from "../testing/wire.ts";
import { createMqttTransport } from "./mqtt-transport.ts";
import { createUplink, type Uplink } from "./uplink.ts";

const TOPIC = "plant/gateway";
const VALUES = 500;

let certificates: Certificates;
let broker: Mosquitto;
/** Looked at whenever an uplink says something. */
const condition = new Condition(hostClock);
const leftovers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  certificates = await writeCertificates(await mkdtemp(join(tmpdir(), "sallyport-identity-")), hostClock);
  broker = await startMosquitto({ certificates });
});

afterEach(async () => {
  for (const undo of leftovers.splice(0).reverse()) await undo();
  await broker.close();
  await rm(certificates.dir, { recursive: true, force: true });
});

/** A gateway's uplink with all that belongs to it. */
function gateway(ledger: Ledger) {
  const queue = new MemoryQueue(hostClock);
  const values = new SettableValues(hostClock, [deviceOf("pump", ["speed"])], [ledger, queue]);
  const config = uplinkConfig(certificates, [broker.url], { reconnect: { spreadMs: 20, maxMs: 50 } });
  const log = createLog({ write: () => condition.changed(), level: "debug", format: "text" });
  const transport = createMqttTransport({ config, clock: hostClock, log });
  const state = new MemoryState();
  const uplink = createUplink({ config, values, queue, transport, state, clock: hostClock, random: hostRandom, log });
  leftovers.push(() => uplink.stop());
  uplink.start();
  const until = (words: RegExp) =>
    condition.until(
      `${words}`,
      () => words.test(uplink.report().state),
      undefined,
      () => uplink.report().state,
    );
  return { values, uplink, queue, until };
}

function book(ledger: Ledger, { topic, payload, again }: Received): void {
  const stage = topic.slice(TOPIC.length + 1);
  if (stage === "data" || stage === "history") ledger.arrived(stage, parseWire(payload), again);
}

test("P2 P4: CA, certificate and key are replaced on disk, one after the other, and no sample is lost", async () => {
  const ledger = new Ledger();
  const first = await subscribe(broker.url, { certificates, onMessage: (message) => book(ledger, message) });
  const { values, until } = gateway(ledger);
  await until(/^connected/);
  for (let n = 0; n < VALUES; n++) values.set("pump/speed", n);
  await first.until("the first values are there", () => ledger.missing(1).length === 0);
  await first.close();

  const renewed = await writeCertificates(await mkdtemp(join(tmpdir(), "sallyport-renewed-")), hostClock);
  leftovers.push(() => rm(renewed.dir, { recursive: true, force: true }));
  const replace = (file: (of: Certificates) => string) => copyFile(file(renewed), file(certificates));
  for (let n = 0; n < VALUES; n++) values.set("pump/speed", n);
  await broker.stop();
  await replace(({ server }) => server.certificate);
  await replace(({ server }) => server.key);
  await replace(({ client }) => client.certificate);
  await until(/client\.key \(tls\.key\) is not the key of client\.pem/);
  await replace(({ client }) => client.key);
  await replace(({ ca }) => ca);
  for (let n = 0; n < VALUES; n++) values.set("pump/speed", n);
  await broker.start();
  await until(/^connected/);
  for (let n = 0; n < VALUES; n++) values.set("pump/speed", n);

  const second = await subscribe(broker.url, { certificates, onMessage: (message) => book(ledger, message) });
  leftovers.push(() => second.close());
  await second.until("all values are there", () => ledger.missing(1).length === 0);
  assert.deepEqual(ledger.violations(), []);
  assert.equal(ledger.summary().takenIn, 4 * VALUES);
});

test("P7: a clone with the same identity is named, one of the two leaves the other in peace and keeps what it has", async () => {
  const all = [gateway(new Ledger()), gateway(new Ledger())];
  const named = /^failed: another gateway (probably )?uses the client id "plant-gateway-cloud"/;
  const loses = ({ uplink }: { uplink: Uplink }) => named.test(uplink.report().state);
  await condition.until("one of them is told", () => all.some(loses));
  const [loser, winner] = [all.find(loses), all.find((one) => !loses(one))];
  assert.ok(loser !== undefined && winner !== undefined);
  await winner.until(/^connected/);
  loser.values.set("pump/speed", 1);
  winner.values.set("pump/speed", 2);
  assert.equal(loser.queue.depth(), 1);
  assert.match(loser.uplink.report().state, named);
});
