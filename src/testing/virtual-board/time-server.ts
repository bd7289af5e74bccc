/** The time, for whoever asks: as much of SNTP (RFC 4330) as a board needs. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Clock } from "../../core/clock.ts";

const PACKET_BYTES = 48;
/** Between 1900, where NTP begins, and 1970. */
const UNIX_EPOCH_S = 2_208_988_800;
const FRACTION = 2 ** 32;
/** No leap second, version 4, server. */
const HEADER = 0x24;
const STRATUM = 1;
const AT = { reference: 16, origin: 24, received: 32, sent: 40 } as const;

export interface TimeServer {
  readonly asked: number;
  close(): Promise<void>;
}

export async function startTimeServer(clock: Clock, at: { port: number; address: string }): Promise<TimeServer> {
  const socket = createSocket("udp4");
  let asked = 0;
  socket.on("message", (request, from) => {
    if (request.length < PACKET_BYTES) return;
    asked += 1;
    const reply = Buffer.alloc(PACKET_BYTES);
    reply.writeUInt8(HEADER, 0);
    reply.writeUInt8(STRATUM, 1);
    request.copy(reply, AT.origin, AT.sent, PACKET_BYTES);
    for (const at of [AT.reference, AT.received, AT.sent]) writeTime(reply, at, clock.wallMs());
    socket.send(reply, from.port, from.address);
  });
  socket.bind(at.port, at.address);
  await once(socket, "listening");
  return {
    get asked() {
      return asked;
    },
    close: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}

function writeTime(packet: Buffer, at: number, wallMs: number): void {
  const s = wallMs / 1000 + UNIX_EPOCH_S;
  packet.writeUInt32BE(Math.floor(s), at);
  packet.writeUInt32BE(Math.floor((s % 1) * FRACTION), at + 4);
}
