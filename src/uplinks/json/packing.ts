/** How many entries go into one message. */
import type { Sample } from "../../pipeline.ts";
import type { Envelope } from "./json-payload.ts";

export interface Packed {
  readonly entries: readonly string[];
  readonly taken: number;
}

/** The entries as one payload. */
export function payloadOf({ open, close }: Envelope, entries: readonly string[]): Uint8Array {
  return Buffer.from(`${open}${entries.join(",")}${close}`, "utf8");
}

/** As many of the samples, from the first on, as fit into `maxBytes`; at least one. */
export function packSamples<S extends Sample>(
  samples: readonly S[],
  entryOf: (sample: S) => string,
  maxBytes: number,
): Packed {
  const entries: string[] = [];
  let bytes = 0;
  for (const sample of samples) {
    const entry = entryOf(sample);
    bytes += Buffer.byteLength(entry) + 1;
    if (bytes > maxBytes && entries.length > 0) break;
    entries.push(entry);
  }
  const fits = entries.length;
  // A read before a jump is only worth something beside the jump: it waits for the next message.
  if (fits > 1 && fits < samples.length && samples[fits - 1]?.readBefore === true) entries.pop();
  return { entries, taken: entries.length };
}

/** All entries in as few messages as may be, each of at most `maxBytes`; at least one message. */
export function packAll(entries: readonly string[], maxBytes: number): readonly (readonly string[])[] {
  const messages: string[][] = [];
  let current: string[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const entryBytes = Buffer.byteLength(entry) + 1;
    if (bytes + entryBytes > maxBytes && current.length > 0) {
      messages.push(current);
      current = [];
      bytes = 0;
    }
    current.push(entry);
    bytes += entryBytes;
  }
  messages.push(current);
  return messages;
}
