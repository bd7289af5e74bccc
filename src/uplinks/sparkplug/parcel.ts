/** Samples on their way into messages: one message a device, all of them together within a limit of bytes. */
import type { TagRef } from "../../core/tag.ts";
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

/** A parcel is filled and emptied in one turn, so this serves all. */
const metrics = new ProtobufWriter();

export class Parcel<S extends Packable> {
  taken = 0;
  /** Where the metric of the next sample is written before it is taken. */
  readonly out = metrics;
  readonly #candidates: readonly S[];
  readonly #maxBytes: number;
  readonly #devices = new Map<string, Piece[]>();
  #bytes = 0;
  /** Up to here metrics are taken. */
  #end = 0;
  /** Of the last sample: the next one is of the same device as a rule. */
  #device: string | undefined;
  #pieces: Piece[] | undefined;

  constructor(samples: readonly S[], maxBytes: number) {
    this.#candidates = ofFewDevices(samples.slice(0, Math.max(1, Math.ceil(maxBytes / METRIC_MIN_BYTES))));
    this.#maxBytes = maxBytes;
    metrics.back(0);
  }

  /** The samples that may be in it, from the first on. */
  candidates(): readonly S[] {
    return this.#candidates;
  }

  /** Puts the next sample in, which was written; its time, or undefined where it is of the past. False: it has no room, and nor has what follows. */
  take({ tag, readBefore }: S, ms: number | undefined): boolean {
    const from = this.#end;
    const to = metrics.length;
    const pieces = tag.device === this.#device ? this.#pieces : this.#devices.get(tag.device);
    const added = to - from + (pieces === undefined ? MESSAGE_OVERHEAD_BYTES : 0);
    // A read before a jump is only worth something beside the jump.
    const isLast = this.taken + 1 === this.#candidates.length;
    const follows = readBefore === true && !isLast ? added + JUMP_LONGER_BYTES : 0;
    if (this.taken > 0 && this.#bytes + added + follows > this.#maxBytes) return false;
    this.#bytes += added;
    this.#end = to;
    this.taken += 1;
    this.#device = tag.device;
    this.#pieces = pieces ?? this.#begin(tag.device);
    append(this.#pieces, from, to, ms);
    return true;
  }

  #begin(device: string): Piece[] {
    const pieces: Piece[] = [];
    this.#devices.set(device, pieces);
    return pieces;
  }

  /** Encoded metrics by device: what is past first, then the others in the order of their times. */
  byDevice(): readonly (readonly [device: string, payload: Uint8Array])[] {
    return [...this.#devices].map(([device, pieces]) => {
      const begin = metrics.length;
      for (const { from, to } of inOrder(pieces)) metrics.again(from, to);
      return [device, metrics.take(begin)];
    });
  }
}

function append(pieces: Piece[], from: number, to: number, ms: number | undefined): void {
  const last = pieces.at(-1);
  if (last !== undefined && last.to === from && last.ms === undefined && ms === undefined) last.to = to;
  else pieces.push({ from, to, ms });
}

function inOrder(pieces: readonly Piece[]): readonly Piece[] {
  const current = pieces.filter(({ ms }) => ms !== undefined);
  const past = pieces.filter(({ ms }) => ms === undefined);
  return [...past, ...current.toSorted((a, b) => Number(a.ms) - Number(b.ms))];
}

function ofFewDevices<S extends Packable>(samples: readonly S[]): readonly S[] {
  const devices = new Set<string>();
  let last = "";
  const end = samples.findIndex(({ tag: { device } }) => {
    if (device === last) return false;
    last = device;
    return devices.add(device).size > PARCEL_DEVICES_MAX;
  });
  return end < 0 ? samples : samples.slice(0, end);
}
