/** The write-ahead log of SQLite as bytes on a card: how far it is sure to be there after a power cut. */
import { closeSync, openSync, readSync, statSync, truncateSync, writeFileSync } from "node:fs";
import type { Random } from "../core/random.ts";

/** https://www.sqlite.org/fileformat2.html#walformat */
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const PAGE_SIZE_AT = 8;
const SALT_AT = 16;
const FRAME_COMMIT_AT = 4;
const FRAME_SALT_AT = 8;
const SALT_BYTES = 8;

/** A log that begins anew gets another salt; frames with an old one are of no meaning. */
export interface LogMark {
  readonly salt: string;
  /** Where the last whole commit ends. */
  readonly committedBytes: number;
  /** Where the last frame with this salt ends, whole or not. */
  readonly framesBytes: number;
}

const NO_LOG: LogMark = { salt: "", committedBytes: 0, framesBytes: 0 };

/** @param known an earlier mark of the same log: what lies before it is not read again */
export function markOf(path: string, known: LogMark = NO_LOG): LogMark {
  const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (sizeBytes < HEADER_BYTES) return NO_LOG;
  const file = openSync(path, "r");
  try {
    const header = bytesAt(file, 0, HEADER_BYTES);
    const salt = saltAt(header, SALT_AT);
    const frameBytes = FRAME_HEADER_BYTES + header.readUInt32BE(PAGE_SIZE_AT);
    let committedBytes = salt === known.salt ? known.committedBytes : HEADER_BYTES;
    let framesBytes = committedBytes;
    while (framesBytes + FRAME_HEADER_BYTES <= sizeBytes) {
      const frame = bytesAt(file, framesBytes, FRAME_HEADER_BYTES);
      if (saltAt(frame, FRAME_SALT_AT) !== salt) break;
      framesBytes = Math.min(framesBytes + frameBytes, sizeBytes);
      const isWhole = (framesBytes - HEADER_BYTES) % frameBytes === 0;
      if (isWhole && frame.readUInt32BE(FRAME_COMMIT_AT) > 0) committedBytes = framesBytes;
    }
    return { salt, committedBytes, framesBytes };
  } finally {
    closeSync(file);
  }
}

/**
 * Leaves of a log what a power cut may leave: all that is sure, and of what lies behind it a part of random length;
 * beyond that the file ends, or holds zeros where the card had made room but written nothing.
 */
export function tear(path: string, sure: LogMark, random: Random): void {
  const now = markOf(path, sure);
  const sureBytes = now.salt === sure.salt ? sure.committedBytes : 0;
  if (now.framesBytes <= sureBytes) return;
  const keptBytes = sureBytes + Math.floor(random.next() * (now.framesBytes - sureBytes));
  truncateSync(path, keptBytes);
  if (random.next() < 0.5) writeFileSync(path, new Uint8Array(now.framesBytes - keptBytes), { flag: "a" });
}

function bytesAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, position);
  return bytes;
}

function saltAt(bytes: Buffer, at: number): string {
  return bytes.toString("hex", at, at + SALT_BYTES);
}
