/** Samples on their way into messages: one message a device, all of them together within a limit of bytes. */
import type { TagRef } from "../../core/tag.ts";
import { type Metric, writeMetric } from "./payload.ts";
import { ProtobufWriter } from "./protobuf.ts";

/** Devices in one parcel: each is a message. */
export const PARCEL_DEVICES_MAX = 100;
/** Topic, time and number of the payload around the metrics. */
const MESSAGE_OVERHEAD_BYTES = 64;
/** By how much a jump may be longer than the read before it. */
const JUMP_LONGER_BYTES = 64;
/** No metric takes less: time and value. So many more need not be looked at. */
const METRIC_MIN_BYTES = 10;

interface Packable {
  readonly tag: TagRef;
  readonly readBefore?: true;
}

/** Metrics that lie one behind the other. */
interface Piece {
  readonly from: number;
  to: number;
  /** Of one metric; undefined where they are of the past, and in no order. */
  readonly ms: number | undefined;
}

/** A parcel is filled and emptied in one turn, so these serve all. */
const metrics = new ProtobufWriter();
const payload = new ProtobufWriter();

export class Parcel<S extends Packable> {
  taken = 0;
  readonly #candidates: readonly S[];
  readonly #maxBytes: number;
  readonly #devices = new Map<string, Piece[]>();
  #bytes = 0;

  constructor(samples: readonly S[], maxBytes: number) {
    this.#candidates = ofFewDevices(samples.slice(0, Math.max(1, Math.ceil(maxBytes / METRIC_MIN_BYTES))));
    this.#maxBytes = maxBytes;
    metrics.back(0);
  }

  /** The samples that may be in it, from the first on. */
  candidates(): readonly S[] {
    return this.#candidates;
  }

  /** Puts the next sample in, as this metric. False: it has no room, and nor has what follows. */
  take(sample: S, metric: Metric): boolean {
    const from = metrics.length;
    writeMetric(metrics, metric);
    const to = metrics.length;
    const pieces = this.#devices.get(sample.tag.device);
    const added = to - from + (pieces === undefined ? MESSAGE_OVERHEAD_BYTES : 0);
    // A read before a jump is only worth something beside the jump.
    const isLast = this.taken + 1 === this.#candidates.length;
    const follows = sample.readBefore === true && !isLast ? added + JUMP_LONGER_BYTES : 0;
    if (this.taken > 0 && this.#bytes + added + follows > this.#maxBytes) return false;
    this.#bytes += added;
    this.taken += 1;
    const ms = metric.isHistorical === true ? undefined : Number(metric.timestamp);
    if (pieces === undefined) this.#devices.set(sample.tag.device, [{ from, to, ms }]);
    else append(pieces, { from, to, ms });
    return true;
  }

  /** Encoded metrics by device: what is past first, then the others in the order of their times. */
  byDevice(): readonly (readonly [device: string, payload: Uint8Array])[] {
    return [...this.#devices].map(([device, pieces]) => {
      for (const { from, to } of inOrder(pieces)) payload.encoded(metrics.view(from, to));
      return [device, payload.take()];
    });
  }
}

function append(pieces: Piece[], piece: Piece): void {
  const last = pieces.at(-1);
  if (last !== undefined && last.to === piece.from && last.ms === undefined && piece.ms === undefined)
    last.to = piece.to;
  else pieces.push(piece);
}

function inOrder(pieces: readonly Piece[]): readonly Piece[] {
  const current = pieces.filter(({ ms }) => ms !== undefined);
  const past = pieces.filter(({ ms }) => ms === undefined);
  return [...past, ...current.toSorted((a, b) => Number(a.ms) - Number(b.ms))];
}

function ofFewDevices<S extends Packable>(samples: readonly S[]): readonly S[] {
  const devices = new Set<string>();
  const end = samples.findIndex(({ tag }) => devices.add(tag.device).size > PARCEL_DEVICES_MAX);
  return end < 0 ? samples : samples.slice(0, end);
}
