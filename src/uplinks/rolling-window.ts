/**
 * What was acknowledged lately, in memory: a broker may have read what its subscriber never got. Whoever finds that
 * something is missing gets it again: twice rather than never. What went out again is kept like what went out first.
 */
import type { Loss, NumberedSample, UnsyncedCopy } from "../pipeline.ts";
import { columnsOf } from "./sample-columns.ts";

/** Two keep-alives of a host, after which a broker knows that it is gone. */
export const WINDOW_MS = 120_000;
export const WINDOW_MAX_BYTES = 16_000_000;
/** Who asks again and again gets the same no more often: a slow host would be buried under what it could not take. */
export const AGAIN_AFTER_MS = 60_000;
/** About what a sample takes in memory once it is owed, but for a text as its value. In columns it takes some 40. */
const SAMPLE_BYTES = 200;
const LOSS_BYTES = 200;
/** A tag in a loss. */
const LOST_TAG_BYTES = 100;
const LOSSES_MAX_BYTES = 2_000_000;

/** Everything that was acknowledged may be missing. */
export const MISSES_ALL = Number.NEGATIVE_INFINITY;
export const MISSES_NOTHING = Number.POSITIVE_INFINITY;

/** To be called at the acknowledgement, with its monotonic time. */
export type Acknowledged = (nowMs: number) => void;

export class RollingWindow {
  readonly samples = new Rolling(bytesOfSample, WINDOW_MAX_BYTES, columnsOf);
  readonly losses = new Rolling<Loss>(bytesOfLoss, LOSSES_MAX_BYTES, (losses) => () => losses);

  /** These go out. What has no identity yet is not kept. */
  sending(samples: readonly (NumberedSample | UnsyncedCopy)[]): Acknowledged {
    return this.samples.sending(samples.filter((sample): sample is NumberedSample => sample.unsynced !== true));
  }

  /** A session begins: whoever was not heard before has his time anew to be found missing. */
  begin(nowMs: number): void {
    this.samples.begin(nowMs);
    this.losses.begin(nowMs);
  }

  /**
   * What is kept and was first acknowledged since then (monotonic) is owed again, save what was told again just now; and
   * what is on its way, once it is acknowledged. `MISSES_ALL`: all that is kept, however often it was told.
   */
  owe(fromMs: number, nowMs: number): void {
    this.samples.owe(fromMs, nowMs);
    this.losses.owe(fromMs, nowMs);
  }
}

/** What was acknowledged together. */
interface Kept<T> {
  readonly unpack: () => readonly T[];
  readonly bytes: number;
  /** Of the first acknowledgement, and of the last one. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** It went out more than once. */
  readonly isAgain: boolean;
}

/** In the place of what is forgotten, until the others are moved up: nothing may hold its samples any longer. */
const FORGOTTEN: Kept<never> = { unpack: () => [], bytes: 0, firstMs: 0, lastMs: 0, isAgain: false };

interface Owed<T> {
  readonly item: T;
  readonly firstMs: number;
}

export class Rolling<T> {
  readonly #bytesOf: (item: T) => number;
  readonly #maxBytes: number;
  readonly #pack: (items: readonly T[]) => () => readonly T[];
  /** By their last acknowledgement. */
  #kept: Kept<T>[] = [];
  #owed: Owed<T>[] = [];
  /** So many that were owed before those are not any more: delivered, or cut. */
  #gone = 0;
  /** Kept ones before this are too old. */
  #first = 0;
  #bytes = 0;
  /** How often something was owed: what went out before may be missing as well, once it is acknowledged. */
  #turn = 0;
  #beganMs = Number.NEGATIVE_INFINITY;

  /** @param pack makes of items what is kept of them; called, that gives them back */
  constructor(bytesOf: (item: T) => number, maxBytes: number, pack: (items: readonly T[]) => () => readonly T[]) {
    this.#bytesOf = bytesOf;
    this.#maxBytes = maxBytes;
    this.#pack = pack;
  }

  begin(nowMs: number): void {
    this.#beganMs = nowMs;
  }

  sending(items: readonly T[]): Acknowledged {
    const turn = this.#turn;
    return (nowMs) => {
      if (turn === this.#turn) this.#keep(items, { firstMs: nowMs, isAgain: false }, nowMs);
      else this.#oweItems(items.map((item) => ({ item, firstMs: nowMs })));
    };
  }

  owe(fromMs: number, nowMs: number): void {
    this.#turn += 1;
    const kept = this.#kept.slice(this.#first);
    const isMissing = (one: Kept<T>) => fromMs === MISSES_ALL || (one.firstMs >= fromMs && !wasToldAgain(one, nowMs));
    this.#oweItems(
      kept.filter(isMissing).flatMap(({ unpack, firstMs }) => unpack().map((item) => ({ item, firstMs }))),
    );
    this.#kept = kept.filter((one) => !isMissing(one));
    this.#first = 0;
    this.#bytes = this.#kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * What is owed again, oldest first, from a place on in the order of owing; 0 for all of it. Places stay what they are
   * while others are delivered, or cut because too much is owed.
   */
  owed(from: number, max: number): { readonly from: number; readonly items: readonly T[] } {
    const first = this.#indexOf(from);
    const items = this.#owed.slice(first, first + max).map(({ item }) => item);
    return { from: this.#gone + first, items };
  }

  /** Whether something is owed from this place on. */
  owes(from: number): boolean {
    return this.#indexOf(from) < this.#owed.length;
  }

  /** All that is owed before this place goes out, or has gone out. */
  repeating(to: number): Acknowledged {
    const turn = this.#turn;
    return (nowMs) => {
      const delivered = this.#takeOwed(this.#indexOf(to));
      if (turn === this.#turn) this.#keepAgain(delivered, nowMs);
      else this.#oweItems(delivered);
    };
  }

  /** What was there before a place may be gone: then all that is owed follows it. */
  #indexOf(place: number): number {
    return Math.max(0, place - this.#gone);
  }

  #keep(items: readonly T[], told: Pick<Kept<T>, "firstMs" | "isAgain">, nowMs: number): void {
    if (items.length === 0) return;
    const bytes = items.reduce((sum, item) => sum + this.#bytesOf(item), 0);
    this.#kept.push({ ...told, unpack: this.#pack(items), bytes, lastMs: nowMs });
    this.#bytes += bytes;
    this.#forget(nowMs);
  }

  #keepAgain(delivered: readonly Owed<T>[], nowMs: number): void {
    const byFirst = new Map<number, T[]>();
    for (const { item, firstMs } of delivered) {
      const alike = byFirst.get(firstMs);
      if (alike === undefined) byFirst.set(firstMs, [item]);
      else alike.push(item);
    }
    for (const [firstMs, items] of byFirst) this.#keep(items, { firstMs, isAgain: true }, nowMs);
  }

  #oweItems(items: readonly Owed<T>[]): void {
    this.#owed = [...this.#owed, ...items];
    let bytes = 0;
    const surplus = this.#owed.findLastIndex(({ item }) => {
      bytes += this.#bytesOf(item);
      return bytes > this.#maxBytes;
    });
    this.#takeOwed(surplus + 1);
  }

  #takeOwed(count: number): readonly Owed<T>[] {
    this.#gone += Math.min(count, this.#owed.length);
    return this.#owed.splice(0, count);
  }

  #forget(nowMs: number): void {
    for (let oldest = this.#kept[this.#first]; oldest !== undefined; oldest = this.#kept[this.#first]) {
      if (nowMs - Math.max(oldest.lastMs, this.#beganMs) <= WINDOW_MS && this.#bytes <= this.#maxBytes) break;
      this.#bytes -= oldest.bytes;
      this.#kept[this.#first] = FORGOTTEN;
      this.#first += 1;
    }
    // Moved up now and then: each time would cost as much as is kept.
    if (this.#first * 2 <= this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#first);
    this.#first = 0;
  }
}

function wasToldAgain({ isAgain, lastMs }: Kept<unknown>, nowMs: number): boolean {
  return isAgain && nowMs - lastMs < AGAIN_AFTER_MS;
}

function bytesOfSample({ value }: NumberedSample): number {
  return SAMPLE_BYTES + (typeof value === "string" ? 2 * value.length : 0);
}

function bytesOfLoss({ tags }: Loss): number {
  return LOSS_BYTES + LOST_TAG_BYTES * tags.length;
}
