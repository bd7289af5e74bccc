import type { Message } from "../pipeline.ts";

/** Bytes of the PUBLISH packet (MQTT 5.0, section 3.3). */
export function packetBytes(message: Message, hasProperties: boolean): number {
  const packetId = message.qos === 0 ? 0 : 2;
  const properties = hasProperties ? 1 : 0;
  const remaining = 2 + Buffer.byteLength(message.topic) + packetId + properties + message.payload.length;
  const lengthBytes = remaining < 128 ? 1 : remaining < 16_384 ? 2 : remaining < 2_097_152 ? 3 : 4;
  return 1 + lengthBytes + remaining;
}

/** The same bytes, not copied. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
