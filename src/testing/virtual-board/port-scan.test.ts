import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { freePort } from "../mosquitto.ts";
import { scanPorts } from "./port-scan.ts";

describe("a port scan", () => {
  test("P1: sees what listens, and what refuses, over TCP and UDP", async () => {
    const port = await freePort();
    const only = { first: port, last: port };
    assert.deepEqual(await scanPorts("127.0.0.1", only), [`tcp ${port} refuses`, `udp ${port} refuses`]);

    const server = createServer().listen(port, "127.0.0.1");
    const echo = createSocket("udp4").on("message", (text, from) => echo.send(text, from.port, from.address));
    echo.bind(port, "127.0.0.1");
    await Promise.all([once(server, "listening"), once(echo, "listening")]);
    try {
      assert.deepEqual(await scanPorts("127.0.0.1", only), [`tcp ${port} is open`, `udp ${port} answers`]);
    } finally {
      server.close();
      echo.close();
    }
  });
});
