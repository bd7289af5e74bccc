/** What answers a request: the one thing that tells a reply from all else that a line delivers. Pure. */
import { CRC_BYTES, hasValidCrc } from "./crc16.ts";

/** An RTU frame is never longer (Modbus over serial line V1.02, 2.5.1). */
export const FRAME_MAX_BYTES = 256;

export const HEADER_BYTES = 3;
export const EXCEPTION_FRAME_BYTES = 5;
export const EXCEPTION_BIT = 0x80;

/** MEI type of Read Device Identification (Modbus Application Protocol V1.1b3, 6.21). */
export const MEI_IDENTIFICATION = 14;

/** Unit, function, address and quantity: all that function 15 and 16 repeat of a request. */
const HEAD_BYTES = 6;

/** Where the objects of an identification begin, and what stands before each. */
export const OBJECTS_AT = 8;
export const OBJECT_HEAD_BYTES = 2;

export type ReplyForm =
  /** 1–4 and 23: so many bytes of data, and their number before them. */
  | { readonly kind: "data"; readonly byteCount: number }
  /** 5, 6 and 22: the request itself. */
  | { readonly kind: "same" }
  /** 15 and 16: the head of the request. */
  | { readonly kind: "head" }
  /** 17: as many bytes as the device says. */
  | { readonly kind: "counted" }
  /** 43/14: a list of objects, the first of them the one asked for. */
  | { readonly kind: "objects"; readonly code: number; readonly objectId: number };

export interface Expectation {
  /** The request with its checksum: on two wires with the receiver on, it comes back. */
  readonly request: Uint8Array;
  readonly unitId: number;
  readonly functionCode: number;
  readonly form: ReplyForm;
  /** So many frames equal to the request are our own echo; only where the reply is equal, too, is that a question. */
  readonly echoes: number;
}

/** The expectation that goes with a request. */
export function expectationOf(request: Uint8Array): Expectation {
  const [unitId = 0, functionCode = 0] = request;
  return { request, unitId, functionCode, form: formOf(request), echoes: Number.POSITIVE_INFINITY };
}

/** Length of the longest right reply. */
export function replyBytesMax({ request, form }: Expectation): number {
  switch (form.kind) {
    case "data":
      return HEADER_BYTES + form.byteCount + CRC_BYTES;
    case "same":
      return request.length;
    case "head":
      return HEAD_BYTES + CRC_BYTES;
    default:
      return FRAME_MAX_BYTES;
  }
}

/**
 * Length of the right reply or exception that these bytes are the beginning of, its checksum not yet looked at.
 * undefined: of none. Infinity: too few bytes to tell.
 *
 * @param ended nothing more is coming
 */
export function answerBytes(bytes: Uint8Array, expected: Expectation, ended: boolean): number | undefined {
  if (bytes[0] !== expected.unitId) return undefined;
  if (bytes.length === 1) return Number.POSITIVE_INFINITY;
  if (bytes[1] === (expected.functionCode | EXCEPTION_BIT)) return EXCEPTION_FRAME_BYTES;
  if (bytes[1] !== expected.functionCode) return undefined;
  const { form, request } = expected;
  switch (form.kind) {
    case "same":
      return beginsAs(bytes, request, request.length) ? request.length : undefined;
    case "head":
      return beginsAs(bytes, request, HEAD_BYTES) ? HEAD_BYTES + CRC_BYTES : undefined;
    case "objects":
      return objectsBytes(bytes, form.code, form.objectId, ended);
  }
  const byteCount = bytes[2];
  if (byteCount === undefined) return Number.POSITIVE_INFINITY;
  if (form.kind === "data" && byteCount !== form.byteCount) return undefined;
  const length = HEADER_BYTES + byteCount + CRC_BYTES;
  return byteCount > 0 && length <= FRAME_MAX_BYTES ? length : undefined;
}

/** Whether as many as there are of the first `length` bytes are those of `whole`. */
export function beginsAs(bytes: Uint8Array, whole: Uint8Array, length: number): boolean {
  for (let i = 0; i < Math.min(bytes.length, length); i++) if (bytes[i] !== whole[i]) return false;
  return true;
}

function formOf(request: Uint8Array): ReplyForm {
  const quantity = ((request[4] ?? 0) << 8) | (request[5] ?? 0);
  switch (request[1]) {
    case 1:
    case 2:
      return { kind: "data", byteCount: Math.ceil(quantity / 8) };
    case 5:
    case 6:
    case 22:
      return { kind: "same" };
    case 15:
    case 16:
      return { kind: "head" };
    case 17:
      return { kind: "counted" };
    case 43:
      return { kind: "objects", code: request[3] ?? 0, objectId: request[4] ?? 0 };
    default:
      return { kind: "data", byteCount: quantity * 2 };
  }
}

/**
 * Each object tells its own length. Some devices count the objects of all parts in each part: once nothing more is
 * coming, a frame may end behind any of them.
 */
function objectsBytes(bytes: Uint8Array, code: number, objectId: number, ended: boolean): number | undefined {
  const [, , mei = MEI_IDENTIFICATION, asked = code, , , , count, first = objectId] = bytes;
  if (mei !== MEI_IDENTIFICATION || asked !== code) return undefined;
  if (count === undefined) return Number.POSITIVE_INFINITY;
  if (count > 0 && first !== objectId) return undefined;
  let end = OBJECTS_AT;
  for (let i = 0; i < count; i++) {
    if (ended && i > 0 && hasValidCrc(bytes.subarray(0, end + CRC_BYTES))) return end + CRC_BYTES;
    const lengthBytes = bytes[end + 1];
    if (lengthBytes === undefined) return Number.POSITIVE_INFINITY;
    end += OBJECT_HEAD_BYTES + lengthBytes;
    // What is too long for an object may be the checksum.
    if (end + CRC_BYTES > FRAME_MAX_BYTES) return Number.POSITIVE_INFINITY;
  }
  return end + CRC_BYTES;
}
