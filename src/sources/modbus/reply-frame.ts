/** What a frame that answers a request says. Pure. */
import type { Identification } from "./bus-request.ts";
import { CRC_BYTES } from "./crc16.ts";
import { EXCEPTION_BIT, HEADER_BYTES, OBJECT_HEAD_BYTES, OBJECTS_AT } from "./expectation.ts";

/** undefined: it is no exception. */
export function exceptionCodeOf(frame: Uint8Array): number | undefined {
  const [, functionCode = 0, exceptionCode = 0] = frame;
  return functionCode >= EXCEPTION_BIT ? exceptionCode : undefined;
}

/** Of a frame that tells how many bytes of data it has. */
export function dataOf(frame: Uint8Array): Uint8Array {
  return frame.subarray(HEADER_BYTES, frame.length - CRC_BYTES);
}

export function crcOf(frame: Uint8Array): number {
  const [low = 0, high = 0] = frame.subarray(-CRC_BYTES);
  return (high << 8) | low;
}

/** The objects of a reply to function 43/14. */
export function identificationOf(frame: Uint8Array): Identification {
  const [, , , , , more = 0, next = 0, count = 0] = frame;
  const objects = new Map<number, string>();
  let at = OBJECTS_AT;
  for (let i = 0; i < count && at + OBJECT_HEAD_BYTES < frame.length; i++) {
    const [objectId = 0, lengthBytes = 0] = frame.subarray(at);
    const from = at + OBJECT_HEAD_BYTES;
    objects.set(objectId, Buffer.from(frame.subarray(from, from + lengthBytes)).toString("latin1"));
    at = from + lengthBytes;
  }
  return { objects, next: more === 0 || count === 0 ? undefined : next };
}
