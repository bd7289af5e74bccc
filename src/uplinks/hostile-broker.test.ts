import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { type Packet, PUBLISH, puback, scripted } from "../testing/scripted-broker.ts";
import { failsWith, message, TransportFixture } from "../testing/transport-fixture.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { within } from "../testing/within.ts";
import { ARRIVING_MAX_BYTES } from "./mqtt-lifeline.ts";

const PINGREQ = 0xc0;
const PINGRESP = Uint8Array.of(0xd0, 0x00);
const SUBSCRIBE_LIMIT_MS = 30_000;
const CHUNK_BYTES = 256 * 1024;
/** MQTT 5.0, 3.2.2.3 */
const OFFERS_OF_NOTHING: readonly (readonly [name: string, properties: readonly number[]])[] = [
  ["to take no message", [0x21, 0x00, 0x00]],
  ["to take messages of no bytes", [0x27, 0x00, 0x00, 0x00, 0x00]],
];

const fixture = new TransportFixture();

describe("P7: a broker that does not do its part is left, in words", () => {
  test("it never answers SUBSCRIBE", async () => {
    const clock = new VirtualClock();
    const connection = await scripted(fixture, [], () => undefined, clock);
    const refused = assert.rejects(connection.subscribe({ "plant/x": 1 }), /does not answer SUBSCRIBE/);
    await clock.advance(SUBSCRIBE_LIMIT_MS);
    await within(hostClock, refused, "refused");
    assert.equal(clock.pendingTimers(), 0);
  });

  test("it sends a message of 256 MB: it is left before a tenth of that has come", async () => {
    const connection = await scripted(fixture, [], (_, client) => {
      client.write(Uint8Array.of(PUBLISH, 0xff, 0xff, 0xff, 0x7f));
      // Twice what is taken, and never the rest.
      for (let bytes = 0; bytes < 2 * ARRIVING_MAX_BYTES; bytes += CHUNK_BYTES) client.write(Buffer.alloc(CHUNK_BYTES));
    });
    await assert.rejects(within(hostClock, connection.publish(message("a")), "refused"), /larger than any meant/);
    assert.match((await connection.closed).reason, /sends a message that is larger/);
  });

  for (const [name, properties] of OFFERS_OF_NOTHING) {
    test(`it offers ${name}`, async () => {
      await failsWith(scripted(fixture, properties), /^the broker does not keep to the protocol: .{10,}/);
    });
  }
});

test("P4: what a broker says of messages that it was not sent confirms none", async () => {
  let held: Packet | undefined;
  const connection = await scripted(fixture, [], (packet, client) => {
    if (packet.type === PUBLISH && held === undefined) held = packet;
    else if (packet.type === PUBLISH) {
      // PUBACK of a number that was never used, PINGRESP to nobody, PUBACK twice, SUBACK and UNSUBACK of nothing.
      client.write(Uint8Array.of(0x40, 0x02, 0x7f, 0xff));
      client.write(PINGRESP);
      client.write(puback(packet));
      client.write(puback(packet));
      client.write(Uint8Array.of(0x90, 0x04, 0x7f, 0xfe, 0x00, 0x00));
      client.write(Uint8Array.of(0xb0, 0x04, 0x7f, 0xfd, 0x00, 0x00));
    } else if (packet.type === PINGREQ) {
      client.write(PINGRESP);
      client.destroy();
    }
  });
  let confirmed = false;
  const first = connection.publish(message("a")).then(() => {
    confirmed = true;
  });
  await within(hostClock, connection.publish(message("b")), "the second is confirmed");
  await within(hostClock, connection.ping(), "a ping is answered");
  assert.equal(confirmed, false);
  await assert.rejects(first, /not acknowledged/);
});

describe("P7: whatever packet comes out of turn, the connection goes on or ends in words, and the process lives", () => {
  const packets: readonly (readonly [name: string, bytes: readonly number[]])[] = [
    ["CONNECT", [0x10, 0x0d, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 9, 0, 0, 0]],
    ["a second CONNACK", [0x20, 0x03, 0, 0, 0]],
    ["a refusing CONNACK", [0x20, 0x03, 0, 0x87, 0]],
    ["PUBREC", [0x50, 0x02, 0, 1]],
    ["PUBREL", [0x62, 0x02, 0, 9]],
    ["PUBCOMP", [0x70, 0x02, 0, 1]],
    ["SUBSCRIBE", [0x82, 0x07, 0, 1, 0, 0, 1, 0x61, 0]],
    ["PINGREQ", [0xc0, 0x00]],
    ["AUTH", [0xf0, 0x02, 0x18, 0x00]],
    ["a message at QoS 3", [0x36, 0x06, 0, 1, 0x61, 0, 1, 0]],
    ["a message at QoS 2", [0x34, 0x06, 0, 1, 0x61, 0, 1, 0]],
    ["a message without a topic", [0x30, 0x03, 0, 0, 0]],
    ["a message with an unknown topic alias", [0x30, 0x06, 0, 0, 3, 0x23, 0, 7]],
    ["a message to a filter", [0x30, 0x04, 0, 1, 0x23, 0]],
    ["a message whose properties are cut", [0x30, 0x04, 0, 1, 0x61, 0x7f]],
  ];
  for (const [name, bytes] of packets) {
    test(name, async () => {
      const connection = await scripted(fixture, [], (packet, client) => {
        if (packet.type !== PUBLISH) return;
        client.write(Uint8Array.from(bytes));
        client.write(puback(packet));
      });
      connection.onMessage(() => undefined);
      const outcome = await within(
        hostClock,
        connection.publish(message("a")).then(
          () => "goes on",
          (error: Error) => error.message,
        ),
        "settled",
      );
      assert.match(outcome, /^goes on$|^not acknowledged: .{20,}/);
    });
  }
});
