import type { DeviceConfig } from "../../config/config.ts";
import { assert } from "../../core/errors.ts";
import type { Tag } from "../../core/tag.ts";
import { type Padding, startPadding } from "./padding.ts";
import { isSplittable, type PollRead, splitRead } from "./poll-plan.ts";
import type { ScheduledRead } from "./schedule.ts";

/** What a device has refused is asked for again this often: a register alone, a block that was cut as a whole. */
export const REFUSED_PERIOD_MS = 60_000;

/** A read that was cut in two, because something in it was refused. */
interface Block {
  readonly read: PollRead;
  /** The block that it was cut out of itself. */
  readonly outer: Block | undefined;
  readonly cutAtMs: number;
}

/** A read that is asked, and what was learnt of it. */
export interface ReadEntry {
  readonly key: number;
  readonly read: PollRead;
  readonly splittable: boolean;
  /** Where it is a piece: the block it belongs to. */
  readonly block: Block | undefined;
  /** It was answered with data once, alone or in its block. */
  proven: boolean;
  /** So it was at its last request. */
  good: boolean;
  /** Replies with data since the last failure. */
  goodInRow: number;
  padding: Padding;
  /** Refused by the device, asked for seldom. */
  slow: boolean;
}

/** All reads of a line, by the key under which they are scheduled. */
export class ReadBook {
  readonly #entries = new Map<number, ReadEntry>();
  #nextKey = 0;

  add(read: PollRead): ReadEntry {
    return this.#add(read, undefined, false);
  }

  get(key: number): ReadEntry {
    const entry = this.#entries.get(key);
    assert(entry !== undefined, "a read that is not in the book");
    return entry;
  }

  all(): readonly ReadEntry[] {
    return [...this.#entries.values()];
  }

  /** Puts two shorter reads in its place. What has worked in the block has worked in both. */
  split(entry: ReadEntry, atMs: number): readonly ReadEntry[] {
    const halves = splitRead(entry.read);
    assert(halves !== undefined, "a split of what cannot be split");
    const block: Block = { read: entry.read, outer: entry.block, cutAtMs: atMs };
    this.#entries.delete(entry.key);
    return halves.map((half) => this.#add(half, block, entry.proven));
  }

  /**
   * The widest block around the entry that can be whole again: all its pieces are good, and it was cut long enough ago.
   * Where it is refused all the same, because of a gap or a register that comes and goes, that costs little.
   */
  joinable(entry: ReadEntry, atMs: number): Block | undefined {
    let widest: Block | undefined;
    for (let block = entry.block; block !== undefined; block = block.outer) {
      if (!this.#piecesOf(block).every((piece) => piece.good)) break;
      if (atMs - block.cutAtMs >= REFUSED_PERIOD_MS) widest = block;
    }
    return widest;
  }

  /** Puts the block back in the place of its pieces. */
  join(block: Block): { readonly whole: ReadEntry; readonly pieces: readonly ReadEntry[] } {
    const pieces = this.#piecesOf(block);
    for (const { key } of pieces) this.#entries.delete(key);
    return { whole: this.#add(block.read, block.outer, true), pieces };
  }

  /** What comes back may be another device. */
  forgetPadding(device: DeviceConfig): void {
    for (const entry of this.#entries.values()) {
      if (entry.read.device === device) entry.padding = startPadding(entry.read);
    }
  }

  /** The shortest read of a device, of those that worked where there is one. */
  cheapest(device: DeviceConfig): ReadEntry {
    const own = this.all().filter((entry) => entry.read.device === device);
    const [cheapest] = own.toSorted((a, b) => Number(b.proven) - Number(a.proven) || a.read.quantity - b.read.quantity);
    assert(cheapest !== undefined, "a device without reads");
    return cheapest;
  }

  #add(read: PollRead, block: Block | undefined, proven: boolean): ReadEntry {
    const splittable = isSplittable(read);
    const key = this.#nextKey++;
    const padding = startPadding(read);
    const fresh = { good: false, goodInRow: 0, slow: false };
    const entry: ReadEntry = { key, read, splittable, block, proven, padding, ...fresh };
    this.#entries.set(key, entry);
    return entry;
  }

  #piecesOf(block: Block): readonly ReadEntry[] {
    return this.all().filter((entry) => isWithin(entry.block, block));
  }
}

/** A tag that shares the requests of a faster one is told of in its own rhythm, and at once after a failure. */
export function isTold(tag: Tag, { read, goodInRow }: ReadEntry): boolean {
  return goodInRow % Math.max(1, Math.floor(tag.scanRateMs / read.periodMs)) === 0;
}

export function scheduledRead({ key, read }: ReadEntry): ScheduledRead {
  return { key, device: read.device.name, periodMs: read.periodMs };
}

function isWithin(inner: Block | undefined, block: Block): boolean {
  for (let at = inner; at !== undefined; at = at.outer) if (at === block) return true;
  return false;
}
