/** A broker that says what a test has it say, as bytes of MQTT 5.0: what no real one would. */
import type { TLSSocket } from "node:tls";
import { type Clock, hostClock } from "../core/clock.ts";
import type { Connection } from "../pipeline.ts";
import { startTlsListener } from "./tls-listener.ts";
import type { TransportFixture } from "./transport-fixture.ts";

/** First bytes of packets, without their flags. */
export const CONNECT = 0x10;
export const PUBLISH = 0x30;

export interface Packet {
  /** The first byte without its flags. */
  readonly type: number;
  /** What follows the remaining length. */
  readonly body: Buffer;
}

/** The packets of a client, each shorter than 128 bytes. */
export function readPackets(client: TLSSocket, onPacket: (packet: Packet) => void): void {
  let rest = Buffer.alloc(0);
  client.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const length = rest[1];
      if (length === undefined || rest.length < 2 + length) return;
      onPacket({ type: (rest[0] ?? 0) & 0xf0, body: rest.subarray(2, 2 + length) });
      rest = rest.subarray(2 + length);
    }
  });
}

/** A broker that confirms CONNECT with these properties and leaves the rest to the test. */
export async function scripted(
  fixture: TransportFixture,
  properties: readonly number[],
  onPacket: (packet: Packet, client: TLSSocket) => void = () => undefined,
  clock: Clock = hostClock,
): Promise<Connection> {
  const connack = [0x20, 3 + properties.length, 0x00, 0x00, properties.length, ...properties];
  const listener = await startTlsListener(fixture.certificates, {}, (client) => {
    readPackets(client, (packet) => {
      if (packet.type === CONNECT) client.write(Uint8Array.from(connack));
      else onPacket(packet, client);
    });
  });
  fixture.leave(() => listener.close());
  return await fixture.connect(listener.url, {}, clock);
}

/** The broker's word on a message of less than 128 bytes. */
export function puback(publish: Packet, ...reason: readonly number[]): Uint8Array {
  const id = 2 + publish.body.readUInt16BE(0);
  return Uint8Array.of(0x40, 2 + reason.length, ...publish.body.subarray(id, id + 2), ...reason);
}
