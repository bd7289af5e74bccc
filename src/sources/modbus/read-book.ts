import type { DeviceConfig } from "../../config/config.ts";
import { assert } from "../../core/errors.ts";
import { type PollRead, splitRead } from "./poll-plan.ts";
import type { ScheduledRead } from "./schedule.ts";

/** A read of the plan and what was learnt of it. */
export interface Entry {
  readonly key: number;
  readonly read: PollRead;
  readonly splittable: boolean;
  /** It was answered with data once. */
  proven: boolean;
  /** Whether the device lets the read be made longer. */
  padding: "untried" | "proven" | "refused";
  /** Refused by the device, asked for seldom. */
  slow: boolean;
}

/** All reads of a line, by the key under which they are scheduled. */
export class ReadBook {
  readonly #entries = new Map<number, Entry>();
  #nextKey = 0;

  add(read: PollRead): Entry {
    const splittable = splitRead(read) !== undefined;
    const entry: Entry = { key: this.#nextKey++, read, splittable, proven: false, padding: "untried", slow: false };
    this.#entries.set(entry.key, entry);
    return entry;
  }

  get(key: number): Entry {
    const entry = this.#entries.get(key);
    assert(entry !== undefined, "a read that is not in the book");
    return entry;
  }

  all(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** Puts two shorter reads in its place. */
  split(entry: Entry): readonly Entry[] {
    const halves = splitRead(entry.read);
    assert(halves !== undefined, "a split of what cannot be split");
    this.#entries.delete(entry.key);
    return halves.map((half) => this.add(half));
  }

  /** The shortest read of a device, of those that worked where there is one. */
  cheapest(device: DeviceConfig): Entry {
    const own = this.all().filter((entry) => entry.read.device === device);
    const [cheapest] = own.toSorted((a, b) => Number(b.proven) - Number(a.proven) || a.read.quantity - b.read.quantity);
    assert(cheapest !== undefined, "a device without reads");
    return cheapest;
  }
}

export function scheduledRead({ key, read }: Entry): ScheduledRead {
  return { key, device: read.device.name, periodMs: read.periodMs };
}
