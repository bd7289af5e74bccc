/** The card below the gateway: what is wrong with it, and for how long that is felt. */
import type { Random } from "../../core/random.ts";
import { SimulatedDisk } from "../simulated-disk.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Fault } from "./plan.ts";

/** What the card must have been without trouble for, so that nothing of it is felt any more. */
const CARD_WELL_FOR_MS = 90_000;

export interface PowerCut {
  readonly atMs: number;
  /** The card was as it should be for long enough before. */
  readonly onGoodCard: boolean;
}

/** It is tried every 5 s, and a slow card takes its time. */
const TRACE_LEFT_WITHIN_MS = 30_000;

export class Card {
  readonly disk: SimulatedDisk;
  readonly #clock: VirtualClock;
  readonly #faults = new Map<number, Fault>();
  #troubledFromMs = Number.POSITIVE_INFINITY;
  #troubledMs = Number.NEGATIVE_INFINITY;
  #takesNothingSinceMs = Number.POSITIVE_INFINITY;

  /** @param root a folder for its files */
  constructor(root: string, clock: VirtualClock, random: Random) {
    this.#clock = clock;
    this.disk = new SimulatedDisk({ root, clock, random });
  }

  begin(fault: Fault): void {
    this.#faults.set(fault.id, fault);
    this.#apply();
  }

  end(id: number): void {
    if (this.#faults.delete(id)) this.#apply();
  }

  /** Nothing of any trouble with it can still be felt. */
  isWell(): boolean {
    return this.#faults.size === 0 && this.#clock.monotonicMs() - this.#troubledMs > CARD_WELL_FOR_MS;
  }

  wasEverTroubled(): boolean {
    return Number.isFinite(this.#troubledMs);
  }

  /** Nothing of any trouble could be felt by what waits for the card no longer than this. */
  wasWellFor(takenInMs: number, waitsMs: number): boolean {
    const isBefore = takenInMs + waitsMs < this.#troubledFromMs;
    return isBefore || takenInMs > this.#troubledMs + CARD_WELL_FOR_MS;
  }

  takesNothing(): boolean {
    return this.disk.condition.fault !== "none";
  }

  /** Without a pause, up to now. */
  tookNothingSince(sinceMs: number): boolean {
    return this.#takesNothingSinceMs <= sinceMs;
  }

  /** So shortly that a life which could open no file may have left no trace of itself yet. */
  hasJustRecovered(): boolean {
    return !this.takesNothing() && this.#clock.monotonicMs() - this.#troubledMs < TRACE_LEFT_WITHIN_MS;
  }

  #apply(): void {
    const troubles = [...this.#faults.values()].map(({ trouble }) => trouble);
    const { condition } = this.disk;
    const has = (kind: string) => troubles.some((trouble) => trouble.kind === kind);
    condition.fault = has("disk failing") ? "erroring" : has("disk full") ? "full" : "none";
    condition.slowMs = Math.max(0, ...troubles.map((trouble) => (trouble.kind === "disk slow" ? trouble.delayMs : 0)));
    this.#troubledMs = this.#clock.monotonicMs();
    this.#troubledFromMs = Math.min(this.#troubledFromMs, this.#troubledMs);
    const sinceMs = Math.min(this.#takesNothingSinceMs, this.#troubledMs);
    this.#takesNothingSinceMs = condition.fault === "none" ? Number.POSITIVE_INFINITY : sinceMs;
  }
}
