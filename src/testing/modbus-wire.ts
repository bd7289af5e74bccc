/**
 * Modbus RTU frames as a device sees them. Written apart from what the gateway uses, so that a mistake there
 * meets no twin here (Modbus over Serial Line V1.02, section 2.5; Modbus Application Protocol V1.1b3).
 */

const ADU_MIN_BYTES = 4;
export const ADU_MAX_BYTES = 256;

export interface ModbusRequest {
  readonly unitId: number;
  readonly functionCode: number;
  /** Function code and data. */
  readonly pdu: Uint8Array;
  /** The whole frame as it came. */
  readonly adu: Uint8Array;
}

export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}

/** Unit, PDU and CRC, low byte first. */
export function rtuFrame(unitId: number, pdu: Uint8Array): Uint8Array {
  const body = Uint8Array.of(unitId, ...pdu);
  const crc = crc16(body);
  return Uint8Array.of(...body, crc & 0xff, crc >>> 8);
}

export function word(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

/**
 * The first whole request in `input`, what stands before it being noise. A device on a real wire tells frames apart
 * by silence, which pipes and terminals do not keep; a request can be told by its length and CRC as well.
 */
export function takeRequest(input: Uint8Array): { request: ModbusRequest; rest: Uint8Array } | undefined {
  for (let start = 0; start + ADU_MIN_BYTES <= input.length; start++) {
    const length = requestBytes(input.subarray(start));
    if (start + length > input.length) continue;
    const adu = input.slice(start, start + length);
    const crc = crc16(adu.subarray(0, -2));
    if (adu[length - 2] !== (crc & 0xff) || adu[length - 1] !== crc >>> 8) continue;
    const request = { unitId: adu[0] ?? 0, functionCode: adu[1] ?? 0, pdu: adu.slice(1, -2), adu };
    return { request, rest: input.slice(start + length) };
  }
  return undefined;
}

/** Frame length of the request that begins here; of one with an unknown function, all there is. */
function requestBytes(input: Uint8Array): number {
  switch (input[1]) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
      return 8;
    case 15:
    case 16:
      return input.length < 7 ? Number.POSITIVE_INFINITY : 9 + (input[6] ?? 0);
    case 17:
      return 4;
    case 22:
      return 10;
    case 23:
      return input.length < 11 ? Number.POSITIVE_INFINITY : 13 + (input[10] ?? 0);
    case 43:
      return 7;
    default:
      return Math.min(input.length, ADU_MAX_BYTES);
  }
}
