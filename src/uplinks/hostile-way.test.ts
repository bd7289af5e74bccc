import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { startTlsListener } from "../testing/tls-listener.ts";
import { failsWith, TransportFixture } from "../testing/transport-fixture.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";

const CONNECT_LIMIT_MS = 30_000;
const BROKER = "mqtts://broker.example.com:8883";

const fixture = new TransportFixture();

/** A proxy that says what a test has it say. */
async function proxyThat(serve: (client: Socket) => void): Promise<{ url: string; asked: Promise<unknown> }> {
  const server = createServer((client) => {
    client.on("error", () => undefined);
    fixture.leave(() => void client.destroy());
    client.once("data", () => serve(client));
  }).listen(0, "127.0.0.1");
  fixture.leave(() => void server.close());
  const asked = once(server, "connection").then(([client]) => once(client, "data"));
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { url: `http://127.0.0.1:${address.port}`, asked };
}

describe("P7: a proxy that is none is named, and takes neither memory nor time", () => {
  const proxies: readonly (readonly [name: string, serve: (client: Socket) => void])[] = [
    ["hangs up", (client) => client.destroy()],
    ["speaks of something else", (client) => client.end("SSH-2.0-OpenSSH_9.2\r\n")],
    ["never ends its header", (client) => client.write(`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(100_000)}`)],
    ["sends the caller elsewhere", (client) => client.end("HTTP/1.1 302 Found\r\nlocation: http://x/\r\n\r\n")],
  ];
  for (const [name, serve] of proxies) {
    test(`it ${name}`, async () => {
      const { url } = await proxyThat(serve);
      await failsWith(fixture.connect(BROKER, { proxy: { url } }), /^proxy 127\.0\.0\.1:\d+ can(not|'t)/);
    });
  }

  test("it says nothing", async () => {
    const clock = new VirtualClock();
    const { url, asked } = await proxyThat(() => undefined);
    const failed = failsWith(fixture.connect(BROKER, { proxy: { url } }, clock), /^proxy .* does not answer/);
    await asked;
    await clock.advance(CONNECT_LIMIT_MS);
    await failed;
    assert.equal(clock.pendingTimers(), 0);
  });

  test("it lets the caller through to nobody", async () => {
    const { url } = await proxyThat((client) => client.end("HTTP/1.1 200 OK\r\n\r\n"));
    await failsWith(fixture.connect(BROKER, { proxy: { url } }), /broker\.example\.com:8883/);
  });
});

describe("P7: a web server that has no broker behind it is named as that", () => {
  const servers: readonly (readonly [name: string, answer: string])[] = [
    ["knows no such page", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"],
    [
      "agrees to another key",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n\r\n",
    ],
    ["hangs up", ""],
  ];
  for (const [name, answer] of servers) {
    test(`it ${name}`, async () => {
      const listener = await startTlsListener(fixture.certificates, {}, (client: TLSSocket) => {
        client.once("data", () => client.end(answer));
      });
      fixture.leave(() => listener.close());
      await failsWith(
        fixture.connect(listener.url.replace("mqtts:", "wss:")),
        /no MQTT broker|instead of answering CONNECT/,
      );
    });
  }
});
