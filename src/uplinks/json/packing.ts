/** How many entries go into one message. */
import type { Sample } from "../../pipeline.ts";
import type { Envelope } from "./json-payload.ts";
import { JsonWriter } from "./json-writer.ts";

export interface Packed {
  readonly entries: readonly string[];
  readonly taken: number;
}

/** The entries as one payload. */
export function payloadOf({ open, close }: Envelope, entries: readonly string[]): Uint8Array {
  return Buffer.from(`${open}${entries.join(",")}${close}`, "utf8");
}

/** What is written last here is taken in the same turn: one is enough. */
const out = new JsonWriter();
const COMMA = 0x2c;

/** Writes an entry. */
export type WriteEntry<S> = (out: JsonWriter, sample: S) => void;

/** As many of the samples, from the first on, as fit into `maxBytes`, as one payload; at least one. */
export function packSamples<S extends Sample>(
  { open, close }: Envelope,
  samples: readonly S[],
  write: WriteEntry<S>,
  maxBytes: number,
): { readonly payload: Uint8Array; readonly taken: number } {
  out.text(open);
  const limit = out.length + maxBytes;
  let taken = 0;
  let beforeLast = out.length;
  for (const sample of samples) {
    const before = out.length;
    if (taken > 0) out.byte(COMMA);
    write(out, sample);
    if (out.length > limit && taken > 0) {
      out.back(before);
      break;
    }
    beforeLast = before;
    taken += 1;
  }
  // A read before a jump is only worth something beside the jump: it waits for the next message.
  if (taken > 1 && taken < samples.length && samples[taken - 1]?.readBefore === true) {
    out.back(beforeLast);
    taken -= 1;
  }
  out.text(close);
  return { payload: out.take(), taken };
}

/** Each sample as an entry of its own. */
export function entriesOf<S extends Sample>(samples: readonly S[], write: WriteEntry<S>): readonly string[] {
  return samples.map((sample) => {
    write(out, sample);
    return out.takeText();
  });
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
