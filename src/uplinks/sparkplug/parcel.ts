/** Samples on their way into messages: one message a device, all of them together within a limit of bytes. */
import type { TagRef } from "../../core/tag.ts";
import { encodeMetric, type Metric } from "./payload.ts";

/**
 * Devices in one parcel. Each is a message, and what is unacknowledged is counted in messages: so a parcel of live
 * values leaves room for history beside it.
 */
export const PARCEL_DEVICES_MAX = 8;
/** Key and length of a metric within its payload; topic, time and number of the payload around them. */
const METRIC_OVERHEAD_BYTES = 4;
const MESSAGE_OVERHEAD_BYTES = 64;
/** By how much a jump may be longer than the read before it. */
const JUMP_LONGER_BYTES = 64;

interface Packable {
  readonly tag: TagRef;
  readonly readBefore?: true;
}

interface Packed {
  readonly bytes: Uint8Array;
  /** Undefined: of the past, and in no order. */
  readonly ms: number | undefined;
}

export class Parcel<S extends Packable> {
  taken = 0;
  readonly #candidates: readonly S[];
  readonly #maxBytes: number;
  readonly #devices = new Map<string, Packed[]>();
  #bytes = 0;

  constructor(samples: readonly S[], maxBytes: number) {
    this.#candidates = ofFewDevices(samples);
    this.#maxBytes = maxBytes;
  }

  /** The samples that may be in it, from the first on. */
  candidates(): readonly S[] {
    return this.#candidates;
  }

  /** Puts the next sample in, as this metric. False: it has no room, and nor has what follows. */
  take(sample: S, metric: Metric): boolean {
    const bytes = encodeMetric(metric);
    const device = this.#devices.get(sample.tag.device);
    const added = bytes.length + METRIC_OVERHEAD_BYTES + (device === undefined ? MESSAGE_OVERHEAD_BYTES : 0);
    // A read before a jump is only worth something beside the jump.
    const isLast = this.taken + 1 === this.#candidates.length;
    const follows = sample.readBefore === true && !isLast ? added + JUMP_LONGER_BYTES : 0;
    if (this.taken > 0 && this.#bytes + added + follows > this.#maxBytes) return false;
    this.#bytes += added;
    this.taken += 1;
    const packed = { bytes, ms: metric.isHistorical === true ? undefined : Number(metric.timestamp) };
    if (device === undefined) this.#devices.set(sample.tag.device, [packed]);
    else device.push(packed);
    return true;
  }

  /** Encoded metrics by device: what is past first, then the others in the order of their times. */
  byDevice(): readonly (readonly [device: string, metrics: readonly Uint8Array[]])[] {
    return [...this.#devices].map(([device, packed]) => [device, inOrder(packed).map(({ bytes }) => bytes)]);
  }
}

function inOrder(packed: readonly Packed[]): readonly Packed[] {
  const current = packed.filter(({ ms }) => ms !== undefined);
  const past = packed.filter(({ ms }) => ms === undefined);
  return [...past, ...current.toSorted((a, b) => Number(a.ms) - Number(b.ms))];
}

function ofFewDevices<S extends Packable>(samples: readonly S[]): readonly S[] {
  const devices = new Set<string>();
  const end = samples.findIndex(({ tag }) => devices.add(tag.device).size > PARCEL_DEVICES_MAX);
  return end < 0 ? samples : samples.slice(0, end);
}
