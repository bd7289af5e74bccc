import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { type AedesBroker, type AedesOptions, startAedes } from "../testing/aedes-broker.ts";
import { startHttpProxy } from "../testing/http-proxy.ts";
import { CLIENT_ID, message, TransportFixture, type UplinkChanges, WILL } from "../testing/transport-fixture.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { within } from "../testing/within.ts";
import { nextSendMs } from "./service-limits.ts";

/** What the certificate `wrongHost` is for. */
const HOST = "other.example.com";
/** Each message takes a hundredth of a second. */
const SHARE_MS = 10;

const fixture = new TransportFixture();

/** A broker on a loopback port that the proxy takes for the cloud's. */
async function cloud(port: number, options: Partial<AedesOptions> = {}) {
  const { certificates } = fixture;
  const broker = await startAedes({ certificates, identity: certificates.wrongHost, ...options });
  fixture.leave(() => broker.close());
  const proxy = await startHttpProxy({ routes: { [`${HOST}:${port}`]: broker.port } });
  fixture.leave(() => proxy.close());
  const connect = (changes: UplinkChanges) =>
    fixture.connect(`mqtts://${HOST}:${port}`, { mqttVersion: "3.1.1", proxy: { url: proxy.url }, ...changes });
  return { broker, connect };
}

describe("P2: AWS IoT Core", () => {
  test("on port 443 it is called by its name, and told that MQTT with a certificate is meant", async () => {
    const { broker, connect } = await cloud(443, { alpn: ["http/1.1", "x-amzn-mqtt-ca"] });
    const connection = await connect({ format: "aws-iot" });
    await connection.publish(message("plant/data"));
    assert.deepEqual(broker.handshakes, [{ servername: HOST, alpn: "x-amzn-mqtt-ca" }]);
    assert.deepEqual(connection.limits.maxPacketBytes, 131_072);
    assert.equal(broker.published[0]?.qos, 1);
    await connection.close();
  });

  test("on its MQTT port nothing is added, and what the configuration says holds", async () => {
    const { broker, connect } = await cloud(8883, { alpn: ["mqtt", "x-amzn-mqtt-ca"] });
    await (await connect({ format: "aws-iot" })).close();
    await (await connect({ format: "aws-iot", tls: { alpn: ["mqtt"] } })).close();
    assert.deepEqual(broker.handshakes, [
      { servername: HOST, alpn: undefined },
      { servername: HOST, alpn: "mqtt" },
    ]);
  });
});

describe("P2: Azure IoT Hub", () => {
  test("CONNECT names the hub, the device and the version of its interface; the certificate is the password", async () => {
    const { broker, connect } = await cloud(8883);
    const connection = await connect({ format: "azure-iot-hub" });
    assert.equal(connection.limits.retainAvailable, false);
    assert.equal(connection.limits.maxPacketBytes, 262_144);
    const [packet] = broker.connects;
    assert.deepEqual(
      { ...packet, will: undefined },
      {
        version: 4,
        clientId: CLIENT_ID,
        clean: true,
        keepAliveS: 10,
        username: `${HOST}/${CLIENT_ID}/?api-version=2021-04-12`,
        password: undefined,
        will: undefined,
      },
    );
    await connection.close();
  });
});

describe("P7: a service that counts messages is sent no more than it takes", () => {
  async function paced(): Promise<{
    broker: AedesBroker;
    clock: VirtualClock;
    connection: Awaited<ReturnType<typeof fixture.connect>>;
  }> {
    const broker = await startAedes({ certificates: fixture.certificates });
    fixture.leave(() => broker.close());
    const clock = new VirtualClock();
    const connection = await fixture.connect(broker.url, { format: "aws-iot", mqttVersion: "3.1.1" }, clock);
    return { broker, clock, connection };
  }

  test("one after the other, in order, each at its time", async () => {
    const { broker, clock, connection } = await paced();
    const acknowledged = ["a", "b", "c"].map((text) => connection.publish(message("t", Buffer.from(text))));
    for (const [index, one] of acknowledged.entries()) {
      await within(hostClock, one, "it is acknowledged");
      assert.equal(broker.published.length, index + 1, "the next one waits");
      assert.equal(connection.bufferedBytes(), acknowledged.length - index - 1);
      await clock.advance(SHARE_MS);
    }
    assert.deepEqual(
      broker.published.map(({ payload }) => Buffer.from(payload).toString()),
      ["a", "b", "c"],
    );
  });

  test("what still waits at the end is not acknowledged, and leaves no timer", async () => {
    const { clock, connection } = await paced();
    const [first, second] = [connection.publish(message("t")), connection.publish(message("t"))];
    const rejected = assert.rejects(second, /not acknowledged: cut by the gateway/);
    await within(hostClock, first, "it is acknowledged");
    connection.destroy();
    await within(hostClock, rejected, "the second one is given up");
    assert.equal(clock.pendingTimers(), 0);
  });

  test("a second takes a hundred messages or half a megabyte, wherever it begins; pauses are not saved up", () => {
    const limits = { packetMaxBytes: 131_072, retainAvailable: true, messagesPerS: 100, bytesPerS: 524_288 };
    let sendFromMs = 0;
    const sentMs: number[] = [];
    for (let n = 0; n < 300; n++) {
      sentMs.push(sendFromMs);
      sendFromMs = nextSendMs(sendFromMs, sendFromMs, 200, limits);
    }
    for (const from of sentMs) assert.ok(sentMs.filter((ms) => ms >= from && ms < from + 1_000).length <= 100);
    assert.equal(nextSendMs(0, 0, 131_072, limits), 250);
    assert.equal(nextSendMs(0, 5_000, 200, limits), 5_010);
  });
});

test("a broker of one's own is not paced", async () => {
  const broker = await fixture.mosquitto();
  const connection = await fixture.connect(broker.url, {}, new VirtualClock());
  const all = Array.from({ length: 50 }, (_, n) => connection.publish(message(WILL.topic, Buffer.from(`${n}`))));
  await within(hostClock, Promise.all(all), "all are acknowledged, though no time passes");
});
