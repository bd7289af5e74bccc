/** P5 and staleness: what the gateway calls good, held against what devices and contacts were at that time. */
import type { CurrentValues, Sample, UndatedSample } from "../../pipeline.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Plant } from "./plant.ts";
import type { Story } from "./story.ts";

/** Beyond `stale`: until the next sweep, and what a reply takes from the device to the tag table. */
const STALE_TOLD_WITHIN_MS = 2_500;

/** At the very moment of taking in: a good value is the one that the device holds for the request just answered. */
export function checkTaken(sample: Sample | UndatedSample, plant: Plant, story: Story): void {
  const { tag, value, status, readBefore } = sample;
  if (status !== "Good") return;
  const wired = plant.wired(tag.id);
  if (wired !== undefined) {
    const held = readBefore === true ? wired.device.heldSince(wired.tag, value) !== undefined : undefined;
    if (held ?? wired.device.valueNow(wired.tag) === value) return;
    // A bit does not say which request it was read by.
    if (readBefore === true && typeof value === "boolean") return;
    const now = String(wired.device.valueNow(wired.tag));
    story.breach("P5 a good value was held", `${tag.id} = ${String(value)}, but the device holds ${now}`);
  }
  const wire = plant.wiredInput(tag.id);
  const doubt = readBefore === true ? "" : (wire?.doubt(value) ?? "");
  if (doubt !== "") story.breach("P5 a good value was held", `${tag.id}: ${doubt}`);
}

/** What stands in the table as good was held, and not too long ago. */
export function checkTable(values: CurrentValues, plant: Plant, clock: VirtualClock, story: Story): void {
  for (const { name, tags } of values.devices()) {
    const snapshot = values.snapshot(name);
    for (const [i, tag] of tags.entries()) {
      const wired = plant.wired(tag.id);
      const sample = snapshot[i];
      if (wired === undefined || sample?.status !== "Good" || typeof sample.value === "boolean") continue;
      const held = wired.device.heldSince(wired.tag, sample.value);
      if (held === undefined) {
        story.breach("P5 a good value was held", `${tag.id} shows ${String(sample.value)}, which it never was`);
      } else if (!plant.isHeld && clock.monotonicMs() - held.monotonicMs > tag.staleMs + STALE_TOLD_WITHIN_MS) {
        story.breach(
          "P3 old is told as old",
          `${tag.id} is still good after ${clock.monotonicMs() - held.monotonicMs} ms`,
        );
      }
    }
  }
}
