import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import type { Connection, Message } from "../pipeline.ts";
import { createMqttTransport } from "../uplinks/mqtt-transport.ts";
import { type BrokerProcess, startBrokerProcess } from "./broker-process.ts";
import { type Certificates, writeCertificates } from "./certificates.ts";
import { type Subscriber, subscribe } from "./subscriber.ts";
import { uplinkConfig } from "./uplink-config.ts";
import { within } from "./within.ts";

const WILL: Message = { topic: "plant/status", payload: Buffer.from("gone"), qos: 1, retain: true };

let certificates: Certificates;
let broker: BrokerProcess | undefined;
let subscriber: Subscriber | undefined;

before(async () => {
  certificates = await writeCertificates(await mkdtemp(join(tmpdir(), "sallyport-certificates-")), hostClock);
});
after(() => rm(certificates.dir, { recursive: true, force: true }));
afterEach(async () => {
  await subscriber?.close();
  await broker?.kill();
});

function connect(to: BrokerProcess, tls = {}): Promise<Connection> {
  const config = uplinkConfig(certificates, [to.url]);
  const transport = createMqttTransport({
    config: { ...config, tls: { ...config.tls, ...tls } },
    clock: hostClock,
    log: silentLog,
  });
  return transport.connect({ server: to.url, clientId: "gateway", keepAliveMs: 15_000, will: WILL });
}

test("it acknowledges, retains, and sends the will of who is cut off", async () => {
  broker = await startBrokerProcess({ certificates });
  const connection = await connect(broker);
  await connection.publish({ topic: "plant/data", payload: Buffer.from("1"), qos: 1, retain: true });
  subscriber = await subscribe(broker.url, { certificates, version: 4 });
  const retained = await subscriber.message("the retained message", (message) => message.topic === "plant/data");
  assert.equal(retained.retain, true);
  connection.destroy();
  const will = await subscriber.message("the will", (message) => message.topic === WILL.topic);
  assert.equal(Buffer.from(will.payload).toString(), "gone");
});

test("P2: it lets nobody in whose certificate it does not know", async () => {
  broker = await startBrokerProcess({ certificates });
  const { certificate, key } = certificates.stranger;
  await assert.rejects(connect(broker, { certificate, key }), /certificate/);
});

test("stopped and started, it is back on the same port", async () => {
  broker = await startBrokerProcess({ certificates });
  const { port, pid } = broker;
  const connection = await connect(broker);
  await broker.stop();
  await within(hostClock, connection.closed, "the connection has ended");
  await assert.rejects(connect(broker), /refuses connections/);
  await broker.start();
  assert.equal(broker.port, port);
  assert.notEqual(broker.pid, pid);
  (await connect(broker)).destroy();
});

test("it ends with the process that started it", async () => {
  // Starts a broker, tells its pid, and is killed.
  const source = `
    import { startBrokerProcess } from ${JSON.stringify(new URL("./broker-process.ts", import.meta.url).href)};
    const broker = await startBrokerProcess({ certificates: ${JSON.stringify(certificates)} });
    process.send(broker.pid);
  `;
  const file = join(certificates.dir, "parent.mts");
  await writeFile(file, source);
  const parent = fork(file);
  const [pid] = await once(parent, "message");
  parent.kill("SIGKILL");
  await within(hostClock, gone(pid), "the broker has ended");
});

async function gone(pid: number): Promise<void> {
  // A zombie nobody waits for keeps its entry, but has no files.
  while (existsSync(`/proc/${pid}/fd/0`)) await new Promise<void>((resolve) => hostClock.after(20, resolve));
}
