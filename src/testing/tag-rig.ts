/** A tag table over one device, `pump-1`, in virtual time, for tests. */
import assert from "node:assert/strict";
import { silentLog } from "../core/log.ts";
import type { Status } from "../core/quality.ts";
import type { Tag, Value } from "../core/tag.ts";
import type { Sample } from "../pipeline.ts";
import { createTagTable } from "../tags/tag-table.ts";
import { dated } from "./dated.ts";
import { tagOf as plainTag } from "./settable-values.ts";
import { VirtualClock } from "./virtual-clock.ts";

export function tagOf(name: string, more: Partial<Tag> = {}): Tag {
  return plainTag("pump-1", name, "float64", more);
}

/** A table over one device, with everything it takes in, by call. */
export function tagRig(...tags: Tag[]) {
  const clock = new VirtualClock();
  const calls: (readonly Sample[])[] = [];
  let epoch = 7;
  const table = createTagTable({
    devices: [{ name: "pump-1", tags }],
    intake: { append: (samples) => void calls.push(dated(samples)) },
    clock,
    epochs: { epoch: () => epoch, raiseEpoch: () => ++epoch },
    log: silentLog,
  });
  table.start();
  return {
    clock,
    table,
    calls,
    read(tag: Tag, value: Value | undefined, status: Status = "Good") {
      table.read([{ tag, value, status }], clock.monotonicMs());
    },
    /** Everything taken in since the last look. */
    taken: () => calls.splice(0).flat(),
    current(tag: Tag): Sample {
      const sample = table.snapshot("pump-1").find((s) => s.tag.id === tag.id);
      assert.ok(sample !== undefined);
      return sample;
    },
  };
}
