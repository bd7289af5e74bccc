import assert from "node:assert/strict";
import { once } from "node:events";
import { Writable } from "node:stream";
import { test } from "node:test";
import mqttPacket from "mqtt-packet";
import { hostClock } from "../core/clock.ts";
import { CONNECT, type Packet, PUBLISH, puback, readPackets, scripted } from "../testing/scripted-broker.ts";
import { startTlsListener } from "../testing/tls-listener.ts";
import { failsWith, message, TransportFixture, WILL } from "../testing/transport-fixture.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { within } from "../testing/within.ts";
import { openMqtt } from "./mqtt-connection.ts";
import { endpointOf, openSecureSocket } from "./secure-socket.ts";

// Answers that Mosquitto does not give, as bytes of MQTT 5.0; its sections are named beside them.
const DISCONNECT = 0xe0;
const PINGREQ = 0xc0;
const PINGRESP = Uint8Array.of(0xd0, 0x00);
/** 3.2.2.3 */
const RECEIVE_MAXIMUM_2 = [0x21, 0x00, 0x02];
const MAXIMUM_QOS_0 = [0x24, 0x00];
const NO_RETAIN = [0x25, 0x00];
const MAXIMUM_PACKET_SIZE_64 = [0x27, 0x00, 0x00, 0x00, 0x40];
const ACK_DELAY_MS = 5;
/** 1.5.5: a length of a message is told in so much. */
const LENGTH_MAX_BYTES = 4;

const fixture = new TransportFixture();

test("P7: no more messages are under way than the broker's receive maximum; the others wait their turn", async () => {
  let underWay = 0;
  let most = 0;
  const connection = await scripted(fixture, RECEIVE_MAXIMUM_2, (packet, client) => {
    if (packet.type !== PUBLISH) return;
    underWay++;
    most = Math.max(most, underWay);
    hostClock.after(ACK_DELAY_MS, () => {
      underWay--;
      client.write(puback(packet));
    });
  });
  const all = Array.from({ length: 9 }, () => connection.publish(message("a")));
  assert.ok(connection.bufferedBytes() >= 7);
  await within(hostClock, Promise.all(all), "all are acknowledged");
  assert.equal(most, 2);
});

test("P4: a ping does not overtake messages that wait their turn: its answer would confirm what was not sent", async () => {
  const read: string[] = [];
  const held: Packet[] = [];
  const connection = await scripted(fixture, RECEIVE_MAXIMUM_2, (packet, client) => {
    read.push(packet.type === PUBLISH ? "message" : "ping");
    if (packet.type === PINGREQ) client.write(PINGRESP);
    else held.push(packet);
    if (held.length >= 2) for (const message of held.splice(0)) client.write(puback(message));
  });
  const all = Array.from({ length: 4 }, () => connection.publish(message("a")));
  await within(hostClock, connection.ping(), "the ping is answered");
  assert.deepEqual(read, ["message", "message", "message", "message", "ping"]);
  await within(hostClock, Promise.all(all), "all are acknowledged");
});

test("what the broker does not offer is known, and refused before it costs the connection", async () => {
  const connection = await scripted(fixture, [...MAXIMUM_QOS_0, ...NO_RETAIN, ...MAXIMUM_PACKET_SIZE_64]);
  assert.deepEqual(connection.limits, { maxPacketBytes: 64, maxQos: 0, retainAvailable: false, tellsReasons: true });
  const quick = { ...message("a"), qos: 0 } as const;
  await assert.rejects(connection.publish(message("a")), /does not offer QoS 1/);
  await assert.rejects(connection.publish({ ...quick, retain: true }), /does not keep retained messages/);
  // One byte of type, one of length, two and one of topic, one of properties.
  await assert.rejects(connection.publish({ ...quick, payload: Buffer.alloc(59) }), /of 65 bytes to a is larger .* 64/);
  await connection.publish({ ...quick, payload: Buffer.alloc(58) });
});

test("P4: a reason below 0x80 is success, one from there on is not", async () => {
  const reasons = [0x10, 0x97, 0x00];
  const connection = await scripted(fixture, [], (packet, client) => {
    if (packet.type === PUBLISH) client.write(puback(packet, reasons.shift() ?? 0, 0x00));
  });
  await connection.publish(message("nobody/listens"));
  await assert.rejects(connection.publish(message("a")), /refuses messages to a: a quota is used up \(0x97\)/);
  await connection.publish(message("a"));
});

test("a broker that says why it ends the connection is quoted", async () => {
  const connection = await scripted(fixture, [], (_, client) => {
    client.write(Uint8Array.of(DISCONNECT, 2, 0x8e, 0x00));
  });
  const lost = connection.publish(message("a"));
  await assert.rejects(lost, /not acknowledged: .*second gateway with this name, a cloned card\? \(0x8E\)/);
  const { reason, takenOver } = await connection.closed;
  assert.match(reason, /^the broker ended the connection: another client connected/);
  assert.equal(takenOver, true);
});

test("a broker that breaks the protocol is left, in words", async () => {
  const connection = await scripted(fixture, [], (_, client) => {
    client.write(Uint8Array.of(0xf5, 0x00));
  });
  await assert.rejects(connection.publish(message("a")), /not acknowledged/);
  assert.match((await connection.closed).reason, /does not keep to the protocol/);
});

test("a broker that is busy says so", async () => {
  const listener = await startTlsListener(fixture.certificates, {}, (client) => {
    readPackets(client, () => client.end(Uint8Array.of(0x20, 0x03, 0x00, 0x89, 0x00)));
  });
  fixture.leave(() => listener.close());
  await failsWith(fixture.connect(listener.url), /^the broker refuses this gateway: it is busy \(0x89\)/);
});

test("auto takes 3.1.1 where an old broker just hangs up on MQTT 5", async () => {
  const versions: (number | undefined)[] = [];
  const listener = await startTlsListener(fixture.certificates, {}, (client) => {
    readPackets(client, ({ type, body }) => {
      if (type !== CONNECT) return;
      versions.push(body[6]);
      if (body[6] === 5) client.destroy();
      else client.write(Uint8Array.of(0x20, 0x02, 0x00, 0x00));
    });
  });
  fixture.leave(() => listener.close());
  await fixture.connect(listener.url);
  assert.deepEqual(versions, [5, 4]);
});

test("P4: a broker that has spoken MQTT 5 and hangs up is not taken for an old one", async () => {
  const versions: (number | undefined)[] = [];
  const listener = await startTlsListener(fixture.certificates, {}, (client) => {
    readPackets(client, ({ type, body }) => {
      if (type !== CONNECT) return;
      versions.push(body[6]);
      if (versions.length > 1) client.destroy();
      else client.write(Uint8Array.of(0x20, 0x03, 0x00, 0x00, 0x00));
    });
  });
  fixture.leave(() => listener.close());
  const transport = fixture.transport(listener.url);
  const first = await fixture.connectBy(transport, { server: listener.url });
  first.destroy();
  await failsWith(fixture.connectBy(transport, { server: listener.url }), /instead of answering CONNECT|was cut/);
  assert.deepEqual(versions, [5, 5]);
});

test("P2: a socket that ended between TLS and CONNECT is told at once, with its own reason", async () => {
  const listener = await startTlsListener(fixture.certificates);
  fixture.leave(() => listener.close());
  const config = uplinkConfig(fixture.certificates, [listener.url]);
  const never = new AbortController().signal;
  const alert = Object.assign(new Error("alert"), { code: "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA" });
  for (const [error, words] of [
    [alert, /refuses this gateway's certificate client\.pem/],
    [undefined, /closes the connection instead of answering CONNECT/],
  ] as const) {
    const secure = await openSecureSocket(endpointOf(listener.url), config, hostClock, never);
    secure.socket.destroy(error);
    await once(secure.socket, "close").catch(() => undefined);
    const settings = { version: 5, clientId: "gateway", keepAliveMs: 15_000, will: WILL } as const;
    await failsWith(openMqtt(secure, settings, hostClock, never), words);
  }
});

test("P7: what the encoder keeps of each length that a message had is little", async () => {
  const kept = new Set<ArrayBufferLike>();
  const stream = new Writable({
    write(bytes: Uint8Array, _encoding, done) {
      if (bytes.length <= LENGTH_MAX_BYTES) kept.add(bytes.buffer);
      done();
    },
  });
  for (let bytes = 200; bytes < 400; bytes++) {
    const payload = Buffer.alloc(bytes);
    const publish = { cmd: "publish", topic: "t", payload, qos: 0, dup: false, retain: false } as const;
    mqttPacket.writeToStream(publish, stream);
    // Others take of Node's pool meanwhile.
    Buffer.allocUnsafe(3_000);
  }
  await once(stream.end(), "finish");
  assert.ok(kept.size > 0);
  const keptBytes = [...kept].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.ok(keptBytes < 64 * 1024, `${keptBytes} bytes of memory for 200 lengths`);
});
