/**
 * What one far end got of all that the devices served: a hole, a doubled value, one that was never served, one that
 * goes back in time. A bit a tag and reply, and only for what is remembered of the devices.
 */
import { DelayHistogram } from "./delay-histogram.ts";
import type { FaultList } from "./fault-list.ts";
import { REMEMBERED, type ServedNumbers } from "./served-numbers.ts";

/** One value as it came, Good and of a counting tag. */
export interface Arrival {
  readonly device: string;
  /** Which of the device's registers. */
  readonly tag: number;
  readonly value: number;
  readonly sourceTimestampMs: number;
  readonly isLive: boolean;
}

export interface ArrivalSummary {
  readonly live: number;
  readonly history: number;
  readonly doubled: number;
  /** Served, and so far behind all that came since that it will not come. */
  readonly lost: number;
}

interface Shelf {
  readonly served: ServedNumbers;
  /** By tag: all below this has come. */
  readonly next: Float64Array;
  /** By tag and number: it has come. */
  readonly come: Uint8Array;
  /** By tag: time of the last live value. */
  readonly liveMs: Float64Array;
}

export class ArrivalBook {
  readonly #name: string;
  readonly #faults: FaultList;
  readonly #shelves: ReadonlyMap<string, Shelf>;
  readonly delays = new DelayHistogram();
  #live = 0;
  #history = 0;
  #doubled = 0;
  #lost = 0;

  constructor(name: string, devices: ReadonlyMap<string, ServedNumbers>, tagsPerDevice: number, faults: FaultList) {
    this.#name = name;
    this.#faults = faults;
    this.#shelves = new Map(
      [...devices].map(([device, served]) => [
        device,
        {
          served,
          next: new Float64Array(tagsPerDevice).fill(1),
          come: new Uint8Array(tagsPerDevice * REMEMBERED),
          liveMs: new Float64Array(tagsPerDevice),
        },
      ]),
    );
  }

  arrived({ device, tag, value, sourceTimestampMs, isLive }: Arrival, nowMs: number): void {
    const shelf = this.#shelves.get(device);
    const next = shelf?.next[tag];
    if (shelf === undefined || next === undefined) {
      this.#faults.add("unknown tag", `${this.#name}: ${device}/r${tag}`);
      return;
    }
    const number = shelf.served.numberOf(value);
    if (number === undefined) {
      this.#faults.add("never served", `${this.#name}: ${device}/r${tag} is ${value}, newest ${shelf.served.newest}`);
      return;
    }
    if (isLive) this.#liveArrived(shelf, device, tag, sourceTimestampMs, nowMs - shelf.served.servedMs(number));
    else this.#history += 1;
    const place = tag * REMEMBERED + (number % REMEMBERED);
    if (number - next >= REMEMBERED) this.#giveUp(shelf, device, tag, number);
    if (number < next || shelf.come[place] === 1) this.#doubled += 1;
    else shelf.come[place] = 1;
    advance(shelf, tag);
  }

  /** Whether all has come that was served up to these numbers. */
  hasAll(upTo: ReadonlyMap<string, number>): boolean {
    for (const [device, number] of upTo) {
      const shelf = this.#shelves.get(device);
      if (shelf === undefined) return false;
      for (let tag = 0; tag < shelf.next.length; tag++) {
        if ((shelf.next[tag] ?? 0) > number) continue;
        advance(shelf, tag);
        if ((shelf.next[tag] ?? 0) <= number) return false;
      }
    }
    return true;
  }

  /** The first holes, in words, and how many tags have one. */
  holes(upTo: ReadonlyMap<string, number>): readonly string[] {
    const found: string[] = [];
    for (const [device, number] of upTo) {
      const shelf = this.#shelves.get(device);
      if (shelf === undefined) continue;
      for (let tag = 0; tag < shelf.next.length; tag++) {
        advance(shelf, tag);
        const next = shelf.next[tag] ?? 0;
        if (next > number) continue;
        const at = new Date(shelf.served.servedMs(next)).toISOString();
        found.push(`${this.#name}: ${device}/r${tag} number ${next} of ${number}, served ${at}`);
      }
    }
    return found;
  }

  summary(): ArrivalSummary {
    return { live: this.#live, history: this.#history, doubled: this.#doubled, lost: this.#lost };
  }

  #liveArrived(shelf: Shelf, device: string, tag: number, atMs: number, delayMs: number): void {
    this.#live += 1;
    this.delays.add(delayMs);
    const lastMs = shelf.liveMs[tag] ?? 0;
    if (atMs <= lastMs) {
      this.#faults.add("live went back", `${this.#name}: ${device}/r${tag} from ${lastMs} to ${atMs}`);
    }
    shelf.liveMs[tag] = atMs;
  }

  /** So far ahead of a hole that its bit would be that of another number. */
  #giveUp(shelf: Shelf, device: string, tag: number, number: number): void {
    const oldest = number - REMEMBERED + 1;
    let lost = 0;
    for (let each = shelf.next[tag] ?? 0; each < oldest; each++) {
      const place = tag * REMEMBERED + (each % REMEMBERED);
      if (shelf.come[place] !== 1 && !shelf.served.isForgiven(each)) lost += 1;
      shelf.come[place] = 0;
    }
    shelf.next[tag] = oldest;
    this.#lost += lost;
    this.#faults.add("lost", `${this.#name}: ${lost} of ${device}/r${tag} before number ${oldest}`);
  }
}

function advance({ served, next, come }: Shelf, tag: number): void {
  let number = next[tag] ?? 0;
  for (; number <= served.newest; number++) {
    const place = tag * REMEMBERED + (number % REMEMBERED);
    if (come[place] !== 1 && !served.isForgiven(number)) break;
    come[place] = 0;
  }
  next[tag] = number;
}
