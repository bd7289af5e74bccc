import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { listeners, tcpListeners, udpListeners, unixListeners } from "./sockets.ts";

const HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "sallyport-sockets-"));
});
after(() => rm(dir, { recursive: true, force: true }));

async function listening(server: Server): Promise<number> {
  await once(server, "listening");
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}

test("P1: a process that does not listen has no listeners, however it is connected", async () => {
  assert.deepEqual(await listeners(process.pid), []);
});

test("P1: TCP listeners are found while they listen, connections are not listeners", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  const port = await listening(server);
  const client = connect(port, "127.0.0.1");
  const [served] = await once(server, "connection");
  assert.deepEqual(await listeners(process.pid), [`tcp 127.0.0.1:${port}`]);
  server.close();
  assert.equal(client.readyState, "open");
  assert.deepEqual(await listeners(process.pid), []);
  client.destroy();
  served.destroy();
});

test("P1: a Unix socket in listen state is found", async () => {
  const path = join(dir, "socket");
  const server = createServer().listen(path);
  await listening(server);
  assert.deepEqual(await listeners(process.pid), [`unix ${path}`]);
  server.close();
});

test("P1: a bound UDP socket is found, a connected one takes answers only", async () => {
  const bound = createSocket("udp4").bind(0, "127.0.0.1");
  await once(bound, "listening");
  const { port } = bound.address();
  assert.deepEqual(await listeners(process.pid), [`udp 127.0.0.1:${port}`]);
  const asking = createSocket("udp4");
  asking.connect(port, "127.0.0.1");
  await once(asking, "connect");
  assert.deepEqual(await listeners(process.pid), [`udp 127.0.0.1:${port}`]);
  bound.close();
  asking.close();
});

test("the listeners of other processes are not ours", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await listening(server);
  assert.ok((await listeners(process.pid)).length > 0);
  assert.deepEqual(
    (await listeners(process.ppid)).filter((name) => name.includes("127.0.0.1")),
    [],
  );
  server.close();
});

test("the tables of the kernel are read as they are", () => {
  const tcp6 =
    "   0: 00000000000000000000000001000000:22B3 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n" +
    "   1: 00000000000000000000000001000000:22B3 00000000000000000000000001000000:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n";
  assert.deepEqual(tcpListeners(HEADING + tcp6, "tcp6"), [
    { inode: "4711", name: "tcp6 [0000:0000:0000:0000:0000:0000:0000:0001]:8883" },
  ]);
  const udp =
    "  10: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 99 2 0 0\n" +
    "  11: 0100007F:A001 0100007F:0035 01 00000000:00000000 00:00000000 00000000   101        0 98 2 0 0\n";
  assert.deepEqual(udpListeners(HEADING + udp, "udp"), [{ inode: "99", name: "udp 127.0.0.1:53" }]);
  const unix =
    "Num       RefCount Protocol Flags    Type St Inode Path\n" +
    "0000000000000000: 00000002 00000000 00010000 0001 01 16155 /run/x\n" +
    "0000000000000000: 00000002 00000000 00010000 0001 01 16156\n" +
    "0000000000000000: 00000003 00000000 00000000 0001 03 16157 /run/x\n";
  assert.deepEqual(unixListeners(unix), [
    { inode: "16155", name: "unix /run/x" },
    { inode: "16156", name: "unix unnamed" },
  ]);
  assert.deepEqual(tcpListeners("", "tcp"), []);
});
