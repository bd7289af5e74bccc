/** P3: what a reader at the broker may believe, held against what the gateway took in and what its tag table says. */
import type { Value } from "../../core/tag.ts";
import type { CurrentValues, Device, Sample } from "../../pipeline.ts";
import type { ReaderTag } from "../reader.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { FarEnd } from "./far-end.ts";
import type { FarReader } from "./far-reader.ts";
import type { SitePlan, UplinkPlan } from "./plan.ts";
import type { Story } from "./story.ts";
import { isBefore, isDated, type TakenIn, type TakenInBook } from "./taken-in.ts";

/** Until a broker notices that its client is silent. */
const SILENCE_KEEP_ALIVES = 1.5;
/** What is shown as current lags by no more than this behind what was taken in, while all passes. */
const LAG_MAX_MS = 20_000;
/** What is lost before it is told comes with the next picture: the one that missed it, as long a pause, and the next. */
const LAG_PICTURES = 3;
/** For so long a link that was slow has not made good for it. */
const SLOW_FELT_MS = 30_000;
/** A picture of all, with what is on the link before it. */
const PICTURE_BYTES = 16_384;

export interface Scene {
  readonly site: SitePlan;
  readonly farEnd: FarEnd;
  readonly takenIn: TakenInBook;
  readonly clock: VirtualClock;
  readonly story: Story;
}

/** After every step: what a reader takes for current is not older than the bound. */
export function checkCurrency(scene: Scene): void {
  for (const uplink of scene.site.uplinks) {
    for (const index of uplink.brokers) {
      const broker = scene.farEnd.brokers[index];
      if (broker === undefined) continue;
      const picturesMs = (LAG_PICTURES * PICTURE_BYTES * 1_000) / broker.bytesPerSWithin(SLOW_FELT_MS);
      const boundMs = SILENCE_KEEP_ALIVES * uplink.keepAliveMs + LAG_MAX_MS + Math.round(picturesMs);
      for (const reader of broker.readers(uplink.name)) checkReader(scene, uplink, reader, boundMs);
    }
  }
}

function checkReader({ takenIn, clock, story }: Scene, { name }: UplinkPlan, reader: FarReader, boundMs: number): void {
  if (!reader.online()) return;
  for (const device of reader.devices()) {
    if (!reader.currency(device).current) continue;
    for (const shown of reader.tags(device)) {
      const due = takenIn.newestAt(shown.id, clock.monotonicMs() - boundMs);
      if (due === undefined || !isOlder(shown, due)) continue;
      const told = `${shown.id} of ${shown.epoch}/${shown.timestampMs} is shown as current at ${name}`;
      story.breach("P3 current is current", `${told}, ${boundMs} ms after ${due.epoch}/${due.t} was taken in`);
    }
  }
}

function isOlder({ epoch, timestampMs, unsynced }: ReaderTag, due: TakenIn): boolean {
  if (due.undated === undefined) return unsynced ? epoch <= due.epoch : isBefore({ epoch, t: timestampMs }, due);
  const { bootMs, dark } = due.undated;
  if (unsynced) return isBefore({ epoch, t: timestampMs }, { epoch: due.epoch, t: bootMs + dark.knownOffsetMs });
  // What is shown with its time is later than all that was taken in without it in the same epoch.
  return isDated(due) ? isBefore({ epoch, t: timestampMs }, due) : epoch < due.epoch;
}

/** Why a reader's picture is not yet that of the tag table; empty when it is. */
export function difference(
  reader: FarReader,
  values: CurrentValues,
  mustBeCleared: (device: string) => boolean,
): string {
  if (!reader.online()) return "the reader sees the gateway offline";
  const devices = values.devices();
  const stray = reader.devices().find((name) => mustBeCleared(name) && !devices.some((device) => device.name === name));
  if (stray !== undefined) return `${stray} is still shown, though it is gone`;
  for (const device of devices) {
    const { current, reason } = reader.currency(device.name);
    if (reader.showsNoLost && values.isLost(device.name)) {
      if (current) return `${device.name} is lost, and is still shown`;
      continue;
    }
    if (!current) return `${device.name} is not current: ${reason}`;
    const different = differenceOf(reader, device, values.snapshot(device.name));
    if (different !== "") return different;
  }
  return "";
}

function differenceOf(reader: FarReader, device: Device, snapshot: readonly Sample[]): string {
  for (const [i, tag] of device.tags.entries()) {
    const shown = reader.tag(tag.id);
    const { value, status } = snapshot[i] ?? { value: null, status: "none" };
    if (shown === undefined) return `${tag.id} is not shown`;
    // What the gateway tells of itself changes while it is told.
    if (device.name === "gateway") continue;
    if (shown.status !== status) return `${tag.id} is shown as ${shown.status}, but is ${status}`;
    if (status === "Good" && !isWithin(shown.value, value, tag.deadband)) {
      return `${tag.id} is shown as ${String(shown.value)}, but is ${String(value)}`;
    }
  }
  return "";
}

function isWithin(a: Value, b: Value, deadband: number): boolean {
  return a === b || (typeof a === "number" && typeof b === "number" && Math.abs(a - b) <= deadband);
}
