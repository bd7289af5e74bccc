/** Report by exception: what was taken in last stands for the last read, within the deadband. */
import type { CurrentValues } from "../../pipeline.ts";
import type { Story } from "./story.ts";
import type { TakenInBook } from "./taken-in.ts";

/** A value on the wire and in the table may differ by what a float32 does. */
const ROUNDING = 1e-6;

export function checkReported(values: CurrentValues, takenIn: TakenInBook, story: Story): void {
  for (const { name, tags } of values.devices()) {
    const snapshot = values.snapshot(name);
    for (const [i, tag] of tags.entries()) {
      const read = snapshot[i];
      const last = takenIn.last(tag.id);
      // The first status of a start is in the snapshot only.
      if (read === undefined || last === undefined || read.status === "BadWaitingForInitialData") continue;
      if (typeof read.value !== "number" || typeof last.value !== "number" || read.status !== last.status) continue;
      if (Math.abs(read.value - last.value) <= tag.deadband + ROUNDING * Math.abs(read.value)) continue;
      const words = `${tag.id} was read as ${read.value}, last reported as ${last.value}`;
      story.breach("P3 the last report stands for the last read", `${words}, with a deadband of ${tag.deadband}`);
    }
  }
}
