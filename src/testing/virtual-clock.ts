import type { Clock, Timer } from "../core/clock.ts";

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that moves when told. Timers run in the order of their time, then of their making. */
export class VirtualClock implements Clock {
  #monotonicMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = wallMs;
  }

  wallMs(): number {
    return Math.round(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const entry = { atMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(entry);
    return { cancel: () => this.#pending.delete(entry) };
  }

  /** Steps the wall time, as NTP does; monotonic time and timers do not notice. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  pendingTimers(): number {
    return this.#pending.size;
  }

  /** Runs timers up to `byMs` from now, letting promises settle before each and at the end. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + byMs;
    for (;;) {
      await settle();
      const next = this.#earliest();
      if (next === undefined || next.atMs > untilMs) break;
      this.#pending.delete(next);
      this.#monotonicMs = next.atMs;
      next.callback();
    }
    this.#monotonicMs = untilMs;
    await settle();
  }

  #earliest(): Pending | undefined {
    let best: Pending | undefined;
    for (const p of this.#pending) {
      if (best === undefined || p.atMs < best.atMs || (p.atMs === best.atMs && p.order < best.order)) best = p;
    }
    return best;
  }
}

/** Lets every promise that can settle without time settle: immediates run after the microtasks before them. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
