/**
 * When what was taken in without knowing the time was: the offset of each kernel boot, once it is fixed. It is in force
 * when it is on the card. No I/O.
 *
 * Losses, the safe time and the rows of blocks are kept in best-known UTC, marked with their boot: `shiftOf` makes them right.
 */
import type { BootOffset, ClockTrust, KnownTime } from "../core/known-time.ts";
import type { NumberedSample, Range, UndatedSample, UnsyncedCopy } from "../pipeline.ts";
import type { Facts } from "./block-store.ts";
import { bootText, FACT, type SavedBoot } from "./saved-facts.ts";
import { dated, isUndated, type StoredSample, type StoredUndated } from "./stored-sample.ts";

interface Boot {
  /** The numbers that were given to samples without a time, so far. */
  readonly from: number;
  to: number;
  readonly knownOffsetMs: number;
  fixed: BootOffset | undefined;
  /** As the file knows it. */
  storedText: string | undefined;
  /** The file knows the offset. */
  isInForce: boolean;
}

/** What the time looks like to an outbox that knows none of it. */
const TRUSTED: Pick<KnownTime, "boot" | "trust" | "offsetMs"> = {
  boot: "",
  trust: (): ClockTrust => "good",
  offsetMs: () => 0,
};

export class BootTimes {
  readonly #time: Pick<KnownTime, "boot" | "trust" | "offsetMs">;
  readonly #boots = new Map<string, Boot>();

  /** Boots that ended without knowing the time are dated by their best-known time. */
  constructor(saved: ReadonlyMap<string, SavedBoot>, time: KnownTime | undefined) {
    this.#time = time ?? TRUSTED;
    for (const [boot, known] of saved) {
      const isOver = boot !== this.#time.boot && known.fixed === undefined;
      const fixed = isOver ? { offsetMs: known.knownOffsetMs, isCertain: false } : known.fixed;
      this.#boots.set(boot, { ...known, fixed, storedText: bootText(known), isInForce: known.fixed !== undefined });
    }
  }

  /** The running boot, where what is stamped now cannot be dated. */
  undatedBoot(): string | undefined {
    return this.#time.trust() === "none" ? this.#time.boot : undefined;
  }

  /** What is stamped now and what is dated of this boot change over in one moment. */
  #isDated(boot: string): boolean {
    return this.#boots.get(boot)?.isInForce === true && this.undatedBoot() !== boot;
  }

  /** Takes a sample in under its number. */
  stored(sample: UndatedSample, number: number, takenInMs: number): StoredUndated {
    const { boot } = this.#time;
    const known = this.#boots.get(boot) ?? this.#begin(number, undefined);
    known.to = number;
    const { tag, value, status, bootMs, epoch, readBefore } = sample;
    const { knownOffsetMs } = known;
    const held = { tag, value, status, bootMs, epoch, number, takenInMs, boot, knownOffsetMs };
    return readBefore === undefined ? held : { ...held, readBefore };
  }

  /** The first offset of a boot stands. @param next the next number to be given */
  fix(offset: BootOffset, next: number): void {
    const known = this.#boots.get(this.#time.boot);
    // Where the time was never in question there is nothing to date.
    if (known === undefined && this.#time.trust() !== "none") return;
    const boot = known ?? this.#begin(next, offset);
    boot.fixed ??= offset;
  }

  #begin(from: number, fixed: BootOffset | undefined): Boot {
    const knownOffsetMs = this.#time.offsetMs();
    const boot: Boot = { from, to: from - 1, knownOffsetMs, fixed, storedText: undefined, isInForce: false };
    this.#boots.set(this.#time.boot, boot);
    return boot;
  }

  /** Numbers that no uplink may have acknowledged, ascending. */
  heldBack(): readonly Range[] {
    return [...this.#boots].filter(([id, { from, to }]) => from <= to && !this.#isDated(id)).map(([, range]) => range);
  }

  /** Below the first number that is held back. */
  datedBelow(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.heldBack().map(({ from }) => from));
  }

  hasUnstoredOffset(): boolean {
    return [...this.#boots.values()].some(({ isInForce, fixed }) => !isInForce && fixed !== undefined);
  }

  /** As it may be sent, or shown. */
  read(sample: StoredSample): NumberedSample | UnsyncedCopy {
    if (!isUndated(sample)) return sample;
    const { bootMs, takenInMs, boot, knownOffsetMs, ...rest } = sample;
    const known = this.#boots.get(boot);
    if (known !== undefined && !this.#isDated(boot)) {
      const copy: UnsyncedCopy = { ...rest, sourceTimestampMs: bootMs + knownOffsetMs, unsynced: true };
      return takenInMs === undefined ? copy : { ...copy, takenInMs };
    }
    // What the file has forgotten of a boot stands in the block.
    return dated(sample, known?.fixed);
  }

  /** The boot whose best-known time a number's row and losses are in; undefined: they are in UTC. */
  bootAt(number: number): string | undefined {
    for (const [boot, { from, to }] of this.#boots) if (from <= number && number <= to) return boot;
    return undefined;
  }

  /** The same, while nobody knows what makes its time right. */
  undatedAt(number: number): string | undefined {
    const boot = this.bootAt(number);
    return this.shiftOf(boot) === undefined ? boot : undefined;
  }

  /** What makes a best-known time of this boot right; undefined as long as nobody knows. */
  shiftOf(boot: string | undefined): number | undefined {
    if (boot === undefined) return 0;
    const known = this.#boots.get(boot);
    // A boot without a sample and without an offset may be the running one.
    if (known === undefined) return boot === this.#time.boot ? undefined : 0;
    return known.fixed !== undefined && known.isInForce ? known.fixed.offsetMs - known.knownOffsetMs : undefined;
  }

  /** What the file does not know yet, and what to do when it does. @param onDated called when an offset is in force */
  unstored(released: number, onDated: () => void): { readonly facts: Facts; readonly stored: () => void } {
    const changed = [...this.#boots].flatMap(([id, boot]) => {
      const text = bootText(boot);
      return text === boot.storedText ? [] : [{ id, boot, text, isFixed: boot.fixed !== undefined }];
    });
    const isOver = (id: string, { to, isInForce }: Boot) => id !== this.#time.boot && isInForce && to < released;
    const over = [...this.#boots].filter(([id, boot]) => isOver(id, boot)).map(([id]) => id);
    return {
      facts: [
        ...changed.map(({ id, text }) => [FACT.boot(id), text] as const),
        ...over.map((id) => [FACT.boot(id), null] as const),
      ],
      stored: () => {
        for (const { boot, text, isFixed } of changed) {
          boot.storedText = text;
          boot.isInForce ||= isFixed;
        }
        for (const id of over) this.#boots.delete(id);
        if (changed.some(({ isFixed }) => isFixed)) onDated();
      },
    };
  }

  /** The file was replaced by an empty one. What was in force stays so. */
  forgetStored(): void {
    for (const boot of this.#boots.values()) boot.storedText = undefined;
  }
}
