import type { LossReason, NumberedSample } from "../../pipeline.ts";
import type { LostStretch } from "./json-payload.ts";
import type { Packed } from "./packing.ts";

interface Growing {
  tag: LostStretch["tag"];
  epoch: number;
  toEpoch: number;
  fromMs: number;
  toMs: number;
  count: number;
  reason: LossReason;
}

/** More digits than a count that fits in memory grows to. */
const COUNT_GROWTH_BYTES = 8;

/** Samples told as lost: one stretch per tag and epoch, as many samples as fit into `maxBytes`, at least one. */
export function mergeAsLost(
  samples: readonly NumberedSample[],
  reason: LossReason,
  entryOf: (stretch: LostStretch) => string,
  maxBytes: number,
): Packed {
  const stretches = new Map<string, Growing>();
  let bytes = 0;
  let taken = 0;
  for (const { tag, epoch, sourceTimestampMs } of samples) {
    const key = `${epoch} ${tag.id}`;
    const known = stretches.get(key);
    if (known === undefined) {
      const stretch = {
        tag,
        epoch,
        toEpoch: epoch,
        fromMs: sourceTimestampMs,
        toMs: sourceTimestampMs,
        count: 1,
        reason,
      };
      bytes += Buffer.byteLength(entryOf(stretch)) + COUNT_GROWTH_BYTES;
      if (bytes > maxBytes && taken > 0) break;
      stretches.set(key, stretch);
    } else {
      known.fromMs = Math.min(known.fromMs, sourceTimestampMs);
      known.toMs = Math.max(known.toMs, sourceTimestampMs);
      known.count += 1;
    }
    taken += 1;
  }
  return { entries: [...stretches.values()].map(entryOf), taken };
}
