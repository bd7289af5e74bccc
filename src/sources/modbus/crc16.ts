/** CRC-16 of Modbus over serial line (V1.02, 6.2.2): reflected 0x8005, start 0xFFFF. Sent low byte first. */

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0xa001 : 0);
  return crc;
});

export const CRC_BYTES = 2;

export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) crc = (crc >> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return crc;
}

/** True when the last two bytes are the checksum of those before. */
export function hasValidCrc(frame: Uint8Array): boolean {
  return crc16(frame) === 0;
}
