/** What samples would take in outbox.db: packed, encoded and stored as an outage stores them, but in memory. */
import type { NumberedSample } from "../pipeline.ts";
import { blockOf } from "./block-content.ts";
import { PACK_LIMITS, pack } from "./block-packer.ts";
import type { Block } from "./block-store.ts";
import { Dictionary } from "./dictionary.ts";
import { fileBytesOf } from "./sqlite-block-store.ts";

/** @param samples ascending by number and time */
export function storedBytes(samples: readonly NumberedSample[]): number {
  const dictionary = new Dictionary([]);
  const blocks: Block[] = [];
  let from = 0;
  while (from < samples.length) {
    const to = endOfStretch(samples, from);
    const { blocks: packed } = pack(new Map(), samples.slice(from, to), () => true, 0, PACK_LIMITS);
    blocks.push(...packed.map((block) => blockOf(block, 0, dictionary)));
    from = to;
  }
  return fileBytesOf({ blocks, tags: [] }) - fileBytesOf({ blocks: [], tags: [] });
}

/** A block is closed after so long, full or not. */
function endOfStretch(samples: readonly NumberedSample[], from: number): number {
  const endMs = (samples[from]?.sourceTimestampMs ?? 0) + PACK_LIMITS.maxBlockOpenMs;
  const end = samples.findIndex(({ sourceTimestampMs }, i) => i > from && sourceTimestampMs >= endMs);
  return end < 0 ? samples.length : end;
}
