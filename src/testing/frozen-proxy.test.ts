import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { Condition } from "./condition.ts";
import { type FrozenProxy, startFrozenProxy } from "./frozen-proxy.ts";

let server: Server;
let proxy: FrozenProxy;
let client: Socket;
let atServer: string;
let atClient: string;
let served: Socket | undefined;
let condition: Condition;

beforeEach(async () => {
  condition = new Condition(hostClock);
  atServer = "";
  atClient = "";
  served = undefined;
  server = createServer((socket) => {
    served = socket;
    socket.setEncoding("utf8").on("data", (text: string) => {
      atServer += text;
      socket.write(text.toUpperCase());
      condition.changed();
    });
    socket.on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  proxy = await startFrozenProxy({ host: "127.0.0.1", port: address.port }, hostClock);
  client = connect(proxy.port, "127.0.0.1");
  client.on("error", () => undefined);
  client.setEncoding("utf8").on("data", (text: string) => {
    atClient += text;
    condition.changed();
  });
  client.write("a");
  await condition.until("the first echo", () => atClient === "A");
});

afterEach(async () => {
  client.destroy();
  served?.destroy();
  await proxy.close();
  server.close();
});

test("frozen, it forwards nothing and tells nobody; thawed, it forwards what waited, in order", async () => {
  proxy.freeze();
  client.write("b");
  const silent = connect(proxy.port, "127.0.0.1");
  let heard = "";
  silent.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
    condition.changed();
  });
  silent.write("x");
  await once(silent, "connect");
  served?.destroy();
  assert.equal(atServer, "a");
  assert.equal(client.destroyed, false);
  const told = once(client, "close");
  proxy.thaw();
  await condition.until("the newcomer is heard", () => heard === "X");
  silent.destroy();
  await told;
});

test("slow, it keeps the order", async () => {
  proxy.delay(20);
  for (const letter of "bcdef") client.write(letter);
  await condition.until("all echoed", () => atClient === "ABCDEF");
  assert.equal(atServer, "abcdef");
});

test("cut, both ends notice", async () => {
  assert.equal(proxy.open(), 1);
  assert.ok(served);
  const both = [once(client, "close"), once(served, "close")];
  proxy.cut();
  await Promise.all(both);
  assert.equal(proxy.open(), 0);
});

test("refusing, it breaks what there is and what comes, until it is told otherwise", async () => {
  const first = once(client, "close");
  proxy.refuse(true);
  await first;
  const second = connect(proxy.port, "127.0.0.1");
  second.on("error", () => undefined);
  await once(second, "close");
  proxy.refuse(false);
  const third = connect(proxy.port, "127.0.0.1");
  third.write("b");
  await condition.until("the third is served", () => atServer === "ab");
  third.destroy();
});
