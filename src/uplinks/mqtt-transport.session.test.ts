import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { hostClock } from "../core/clock.ts";
import { startBrokerProcess } from "../testing/broker-process.ts";
import { LEAF_DAYS } from "../testing/certificates.ts";
import { Condition } from "../testing/condition.ts";
import { startFrozenProxy } from "../testing/frozen-proxy.ts";
import { startHttpProxy } from "../testing/http-proxy.ts";
import { startTlsListener } from "../testing/tls-listener.ts";
import { failsWith, message, TransportFixture } from "../testing/transport-fixture.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { within } from "../testing/within.ts";

const CLOSE_LIMIT_MS = 3_000;
const DAY_MS = 86_400_000;

const fixture = new TransportFixture();

/** A Mosquitto behind a proxy that can be frozen. */
async function frozenLink() {
  const broker = await fixture.mosquitto();
  const proxy = await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock);
  fixture.leave(() => proxy.close());
  return { broker, proxy, server: `mqtts://localhost:${proxy.port}` };
}

describe("P4: a link that is frozen half-open", () => {
  test("P7: is closed within a limit", async () => {
    const { proxy, server } = await frozenLink();
    const clock = new VirtualClock();
    const connection = await fixture.connect(server, {}, clock);
    proxy.freeze();
    const closing = connection.close();
    await clock.advance(CLOSE_LIMIT_MS);
    await within(hostClock, closing, "closed");
    assert.equal((await connection.closed).reason, "closed by the gateway");
    assert.equal(clock.pendingTimers(), 0);
  });
});

describe("the version of MQTT", () => {
  test("auto takes 3.1.1 where the broker does not know 5, with a warning that says what that means", async () => {
    const broker = await startBrokerProcess({ certificates: fixture.certificates });
    fixture.leave(() => broker.kill());
    const connection = await fixture.connect(broker.url);
    await connection.publish(message("plant/data"));
    assert.match(fixture.logged.join(""), /warning: .* does not speak MQTT 5 .* using 3\.1\.1/);
    await failsWith(fixture.connect(broker.url, { mqttVersion: "5" }), /does not speak this version of MQTT/);
  });

  test("auto stays with 5 where the broker knows it, and 3.1.1 is used where it is asked for", async () => {
    const condition = new Condition(hostClock);
    const broker = await fixture.mosquitto({ onLog: () => condition.changed() });
    const logged = (words: RegExp) => condition.until(`${words}`, () => words.test(broker.log()));
    await fixture.connect(broker.url);
    await logged(/as plant-gateway \(p5,/);
    assert.deepEqual(fixture.logged, []);
    await fixture.connect(broker.url, { mqttVersion: "3.1.1" });
    await logged(/as plant-gateway \(p2,/);
  });

  test("a refused certificate is not taken for an old broker", async () => {
    const broker = await fixture.mosquitto();
    const { certificate, key } = fixture.certificates.stranger;
    await failsWith(fixture.connect(broker.url, { tls: { certificate, key } }), /certificate/);
    assert.equal(broker.log().match(/New connection/g)?.length, 1);
  });

  test("what answers and is no broker is named as that", async () => {
    const web = (client: TLSSocket) => client.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    const listener = await startTlsListener(fixture.certificates, {}, web);
    fixture.leave(() => listener.close());
    await failsWith(fixture.connect(listener.url), /no MQTT broker|instead of answering CONNECT/);
  });
});

describe("P2: TLS", () => {
  test("the handshake carries the server name and the protocols of the configuration", async () => {
    const listener = await startTlsListener(fixture.certificates, { ALPNProtocols: ["mqtt"] }, (client) =>
      client.end(),
    );
    fixture.leave(() => listener.close());
    const connecting = fixture.connect(listener.url.replace("localhost", "127.0.0.1"), {
      tls: { serverName: "localhost", alpn: ["mqtt"] },
    });
    const failed = failsWith(connecting, /./);
    const client: TLSSocket & { servername?: unknown } = await listener.client;
    assert.equal(client.servername, "localhost");
    assert.equal(client.alpnProtocol, "mqtt");
    await failed;
  });

  test("a login reaches the broker, without the line end of its file", async () => {
    const broker = await fixture.mosquitto({ users: { pump: "right" }, clientCertificates: false });
    const passwordFile = join(fixture.certificates.dir, "right.password");
    await writeFile(passwordFile, "right\n", { mode: 0o600 });
    const connection = await fixture.connect(broker.url, { login: { username: "pump", passwordFile } });
    await connection.publish(message("plant/data"));
  });

  test("the revocation list is read at each attempt: a broker is trusted until a list that names it takes the place of the last", async () => {
    const { certificates } = fixture;
    const broker = await fixture.mosquitto({ identity: certificates.revoked });
    const crl = join(certificates.dir, "latest-crl.pem");
    await copyFile(certificates.earlierCrl, crl);
    const transport = fixture.transport(broker.url, { tls: { crl } });
    await (await fixture.connectBy(transport, { server: broker.url })).close();
    await copyFile(certificates.crl, crl);
    await failsWith(fixture.connectBy(transport, { server: broker.url }), /has been revoked/);
  });

  test("P2: in a session that goes on, the end of its certificate is told 30 and 7 days before, and when it has come", async () => {
    const broker = await fixture.mosquitto();
    const clock = new VirtualClock(hostClock.wallMs());
    const transport = fixture.transport(broker.url, {}, clock);
    const connection = await fixture.connectBy(transport, { server: broker.url });
    const toldAfter = async (days: number) => {
      fixture.logged.length = 0;
      clock.stepWall(days * DAY_MS);
      await clock.advance(60_000);
      transport.certificateDays();
      return fixture.logged.filter((line) => line.includes("client.pem")).length;
    };
    assert.deepEqual([await toldAfter(0), await toldAfter(1)], [1, 0]);
    assert.deepEqual([await toldAfter(LEAF_DAYS - 8), await toldAfter(1)], [1, 0]);
    assert.deepEqual([await toldAfter(7), await toldAfter(1)], [1, 0]);
    await connection.publish(message("plant/data"));
  });

  test("files are read at each attempt: a renewed certificate needs no restart", async () => {
    const { dir, client, expiredClient } = fixture.certificates;
    const certificate = join(dir, "renewed.pem");
    const key = join(dir, "renewed.key");
    await copyFile(expiredClient.certificate, certificate);
    await copyFile(expiredClient.key, key);
    const broker = await fixture.mosquitto();
    const clock = new VirtualClock(hostClock.wallMs());
    const transport = fixture.transport(broker.url, { tls: { certificate, key } }, clock);
    await failsWith(fixture.connectBy(transport, { server: broker.url }), /it expired on/);
    assert.equal(transport.certificateDays(), -2);
    await copyFile(client.certificate, certificate);
    await copyFile(client.key, key);
    await fixture.connectBy(transport, { server: broker.url });
    await clock.advance(60_000);
    assert.equal(transport.certificateDays(), LEAF_DAYS - 1);
    clock.stepWall(LEAF_DAYS * DAY_MS);
    assert.equal(transport.certificateDays(), -1);
  });
});

describe("an HTTP proxy", () => {
  async function httpProxy(answer: (authorization: string | undefined) => string): Promise<string> {
    const proxy = await startHttpProxy({ answer });
    fixture.leave(() => proxy.close());
    return proxy.url;
  }

  test("P2: carries TLS end to end", async () => {
    const broker = await fixture.mosquitto();
    const url = await httpProxy(() => "200 OK");
    const connection = await fixture.connect(broker.url, { proxy: { url } });
    await connection.publish(message("plant/data"));
    const { strangerCa } = fixture.certificates;
    const changes = { proxy: { url }, tls: { ca: strangerCa } };
    await failsWith(fixture.connect(broker.url, changes), /not signed by the CA/);
    await connection.close();
  });

  test("P2: carries a WebSocket in TLS, too", async () => {
    const broker = await fixture.mosquitto({ webSocket: true });
    const url = await httpProxy(() => "200 OK");
    const connection = await fixture.connect(broker.webSocketUrl ?? "", { proxy: { url } });
    await connection.publish(message("plant/data"));
    await connection.close();
    assert.equal((await connection.closed).reason, "closed by the gateway");
  });

  test("gets its login, and a refusal is told as the proxy's", async () => {
    const broker = await fixture.mosquitto();
    const expected = `Basic ${Buffer.from("u:secret").toString("base64")}`;
    const url = await httpProxy((authorization) => (authorization === expected ? "200 OK" : "407 Login"));
    await failsWith(fixture.connect(broker.url, { proxy: { url } }), /^proxy 127\.0\.0\.1:\d+ wants a login/);
    const passwordFile = join(fixture.certificates.dir, "proxy.password");
    await writeFile(passwordFile, "secret\n", { mode: 0o600 });
    const connection = await fixture.connect(broker.url, { proxy: { url, login: { username: "u", passwordFile } } });
    await connection.close();
  });

  test("that is not there, or does not allow the broker, is told as the proxy's", async () => {
    const server = "mqtts://localhost:8883";
    await failsWith(fixture.connect(server, { proxy: { url: "http://127.0.0.1:1" } }), /^proxy 127\.0\.0\.1:1 cannot/);
    const url = await httpProxy(() => "403 Forbidden");
    await failsWith(fixture.connect(server, { proxy: { url } }), /does not allow connections to localhost:8883/);
  });
});
