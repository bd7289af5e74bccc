import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import mqtt, { type IClientOptions } from "mqtt";
import { hostClock } from "../../core/clock.ts";
import { type Certificates, writeCertificates } from "../certificates.ts";
import { type Mosquitto, startMosquitto } from "../mosquitto.ts";
import { type Subscriber, subscribe } from "../subscriber.ts";
import { type Entry, Recording } from "./recording.ts";
import { type RecordingProxy, startRecordingProxy } from "./recording-proxy.ts";

const QUIET = () => undefined;

describe("the recording observer before a real broker", () => {
  let dir = "";
  let certificates: Certificates;
  let broker: Mosquitto;
  let subscriber: Subscriber;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "sallyport-recording-"));
    certificates = await writeCertificates(join(dir, "tls"), hostClock);
    broker = await startMosquitto({ certificates });
    subscriber = await subscribe(broker.url, { certificates, topics: ["t/#"] });
  });

  after(async () => {
    await subscriber.close();
    await broker.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function connected(proxy: RecordingProxy, options: IClientOptions) {
    const tls = {
      ca: await readFile(certificates.ca),
      cert: await readFile(certificates.client.certificate),
      key: await readFile(certificates.client.key),
    };
    const client = await mqtt.connectAsync(proxy.url, { ...tls, reconnectPeriod: 0, ...options });
    client.on("error", QUIET);
    return client;
  }

  async function observed(
    run: (proxy: RecordingProxy, recording: Recording) => Promise<void>,
  ): Promise<readonly Entry[]> {
    const recording = new Recording();
    const proxy = await startRecordingProxy({ recording, certificates, port: broker.port, name: "a" });
    try {
      await run(proxy, recording);
    } finally {
      await proxy.close();
    }
    return recording.entries;
  }

  function packets(entries: readonly Entry[]) {
    return entries.flatMap((entry) => (entry.kind === "packet" && entry.packet ? [{ ...entry, ...entry.packet }] : []));
  }

  for (const version of [4, 5] as const) {
    test(`MQTT ${version}: CONNECT, will, SUBSCRIBE and DISCONNECT are seen as they were sent, both ways, in order`, async () => {
      const entries = await observed(async (proxy, recording) => {
        const will = { topic: "t/will", payload: Buffer.from("gone"), qos: 1, retain: false } as const;
        const properties = version === 5 ? { properties: { sessionExpiryInterval: 7 } } : {};
        const client = await connected(proxy, { protocolVersion: version, clientId: "seen", will, ...properties });
        await client.subscribeAsync("commands/x", { qos: 1 });
        await client.publishAsync("t/first", "1", { qos: 0 });
        await client.publishAsync("t/second", "2", { qos: 1, retain: true });
        await client.endAsync(false, version === 5 ? { reasonCode: 4 } : {});
        await recording.until("the end", (all) => all.some(({ kind }) => kind === "closed"));
      });
      const seen = packets(entries);
      assert.deepEqual(
        seen.map(({ from, cmd }) => `${from} ${cmd}`),
        [
          "gateway connect",
          "broker connack",
          "gateway subscribe",
          "broker suback",
          "gateway publish",
          "gateway publish",
          "broker puback",
          "gateway disconnect",
        ],
      );
      const [connect, , subscription, , first, second, , farewell] = seen;
      assert.ok(connect?.cmd === "connect" && connect.will !== undefined);
      assert.equal(connect.protocolVersion, version);
      assert.equal(connect.clean, true);
      assert.equal(connect.will.qos, 1);
      assert.equal(connect.will.retain, false);
      assert.equal(String(connect.will.payload), "gone");
      assert.equal(connect.properties?.sessionExpiryInterval, version === 5 ? 7 : undefined);
      assert.ok(subscription?.cmd === "subscribe" && first?.cmd === "publish" && second?.cmd === "publish");
      assert.deepEqual(
        subscription.subscriptions.map(({ topic, qos }) => [topic, qos]),
        [["commands/x", 1]],
      );
      assert.deepEqual([first.topic, first.qos, first.retain], ["t/first", 0, false]);
      assert.deepEqual([second.topic, second.qos, second.retain], ["t/second", 1, true]);
      assert.ok(farewell?.cmd === "disconnect");
      if (version === 5) assert.equal(farewell.reasonCode, 4);
    });
  }

  test("a link that hangs at a byte passes what was whole before it, and the rest is seen but swallowed", async () => {
    const entries = await observed(async (proxy, recording) => {
      const client = await connected(proxy, { protocolVersion: 5, clientId: "hangs", keepalive: 0 });
      // PUBLISH of 17 bytes: two of them pass, of the third one byte does.
      proxy.swallowAfter(35);
      for (const i of [1, 2, 3, 4]) await client.publishAsync("t/hang", `hang-${i}`, { qos: 0 });
      await recording.until("all four", (all) => packets(all).filter(({ cmd }) => cmd === "publish").length === 4);
      await client.endAsync(true);
    });
    const passed = packets(entries).filter(({ cmd }) => cmd === "publish");
    assert.deepEqual(
      passed.map((packet) => packet.passed),
      [true, true, false, false],
    );
    await subscriber.message("the second", ({ payload }) => String(payload) === "hang-2");
    assert.equal(subscriber.messages.filter(({ topic }) => topic === "t/hang").length, 2);
  });

  test("a link that breaks at a byte tells both sides", async () => {
    const entries = await observed(async (proxy, recording) => {
      const client = await connected(proxy, { protocolVersion: 4, clientId: "breaks", keepalive: 0 });
      proxy.cutAfter(15);
      client.publish("t/cut", "cut-1");
      client.publish("t/cut", "cut-2");
      await recording.until("the end", (all) => all.some((entry) => entry.kind === "closed"));
    });
    assert.deepEqual(entries.at(-1)?.kind === "closed" && entries.at(-1), { ...entries.at(-1), by: "observer" });
    await subscriber.message("the first", ({ payload }) => String(payload) === "cut-1");
  });

  test("acknowledgements are held in order, and come when they may", async () => {
    await observed(async (proxy) => {
      const client = await connected(proxy, { protocolVersion: 5, clientId: "held", keepalive: 0 });
      proxy.holdAcknowledgements(true);
      let acknowledged = false;
      const published = client.publishAsync("t/held", "held", { qos: 1 }).then(() => {
        acknowledged = true;
      });
      await subscriber.message("it reached the broker", ({ topic }) => topic === "t/held");
      assert.equal(acknowledged, false);
      proxy.holdAcknowledgements(false);
      await published;
      await client.endAsync();
    });
  });
});
