/** Cuts a stream of MQTT bytes into packets, and reads them, without a client or a broker in between. */
import { type Packet, parser } from "mqtt-packet";

export interface Frame {
  readonly bytes: Buffer;
  /** Where it ends in the stream. */
  readonly endByte: number;
  /** Undefined where it is no MQTT packet. */
  readonly packet: Packet | undefined;
}

export type ProtocolVersion = 4 | 5;

const CONTINUES = 0x80;
const LENGTH_BITS = 7;
const LENGTH_MAX_BYTES = 4;

export class FrameReader {
  #version: ProtocolVersion;
  #rest: Buffer = Buffer.alloc(0);
  #endByte = 0;

  /** @param version of the connection; CONNECT itself says it, so whoever reads a client may begin with any */
  constructor(version: ProtocolVersion) {
    this.#version = version;
  }

  read(chunk: Buffer): readonly Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (let size = frameBytes(this.#rest); size <= this.#rest.length; size = frameBytes(this.#rest)) {
      const bytes = this.#rest.subarray(0, size);
      this.#rest = this.#rest.subarray(size);
      this.#endByte += size;
      const packet = packetOf(bytes, this.#version);
      if (packet?.cmd === "connect") this.#version = packet.protocolVersion === 5 ? 5 : 4;
      frames.push({ bytes, endByte: this.#endByte, packet });
    }
    return frames;
  }
}

/** Infinity while the header is not there. A length that never ends makes a frame of what is there: it is no packet. */
function frameBytes(bytes: Buffer): number {
  let length = 0;
  for (let i = 0; i < LENGTH_MAX_BYTES; i++) {
    const byte = bytes[i + 1];
    if (byte === undefined) return Number.POSITIVE_INFINITY;
    length += (byte & ~CONTINUES) << (LENGTH_BITS * i);
    if ((byte & CONTINUES) === 0) return 2 + i + length;
  }
  return bytes.length;
}

function packetOf(bytes: Buffer, version: ProtocolVersion): Packet | undefined {
  const reader = parser({ protocolVersion: version });
  let packet: Packet | undefined;
  reader.on("packet", (read) => {
    packet = read;
  });
  reader.on("error", () => {
    packet = undefined;
  });
  reader.parse(bytes);
  return packet;
}
