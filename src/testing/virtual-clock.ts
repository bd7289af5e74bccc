import type { Clock, Timer } from "../core/clock.ts";

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Turns of the event loop after which what works on files and threads has mostly come to rest, too. */
const SETTLE_TURNS = 3;

/** Time passes with every delay: a smaller one could be lost in rounding, and whoever waits again would do so for ever. */
const LEAST_DELAY_MS = 0.001;
/** So many timers at one moment, and more and more of them: without this a run would never end. */
const TIMERS_AT_ONCE_MAX = 100_000;

/** A clock that moves when told. Timers run in the order of their time, then of their making. */
export class VirtualClock implements Clock {
  #monotonicMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  #waiting = 0;
  readonly #settleTurns: number;
  readonly #heap: Pending[] = [];

  /**
   * @param settleTurns one is enough where everything that waits for anything waits for this clock; none, which is much
   *   cheaper, where not even a turn of the event loop is waited for
   */
  constructor(wallMs = Date.UTC(2026, 0, 1), settleTurns = SETTLE_TURNS) {
    this.#wallOffsetMs = wallMs;
    this.#settleTurns = settleTurns;
  }

  wallMs(): number {
    return Math.round(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const atMs = this.#monotonicMs + (delayMs > 0 ? Math.max(LEAST_DELAY_MS, delayMs) : 0);
    const entry = { atMs, order: this.#order++, callback, cancelled: false };
    this.#waiting += 1;
    push(this.#heap, entry);
    return {
      cancel: () => {
        if (entry.cancelled) return;
        entry.cancelled = true;
        this.#waiting -= 1;
      },
    };
  }

  /** Steps the wall time, as NTP does; monotonic time and timers do not notice. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  pendingTimers(): number {
    return this.#waiting;
  }

  /** Runs timers up to `byMs` from now, letting promises settle before each and at the end. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + byMs;
    for (let atOnce = 0; ; atOnce++) {
      await this.#settle();
      const next = this.#earliest();
      if (next === undefined || next.atMs > untilMs) break;
      if (next.atMs > this.#monotonicMs) atOnce = 0;
      if (atOnce > TIMERS_AT_ONCE_MAX) throw new Error(`time stands still at ${this.#monotonicMs} ms`);
      pop(this.#heap);
      // From now on cancelling it means nothing.
      next.cancelled = true;
      this.#waiting -= 1;
      this.#monotonicMs = next.atMs;
      next.callback();
    }
    this.#monotonicMs = untilMs;
  }

  #earliest(): Pending | undefined {
    while (this.#heap[0]?.cancelled) pop(this.#heap);
    return this.#heap[0];
  }

  /** Lets every promise that can settle without time settle: ticks and immediates run after all microtasks before them. */
  async #settle(): Promise<void> {
    // A tick made in a tick comes before the microtasks.
    if (this.#settleTurns === 0) await new Promise<void>((resolve) => queueMicrotask(() => process.nextTick(resolve)));
    for (let i = 0; i < this.#settleTurns; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

function isBefore(a: Pending, b: Pending): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A binary heap: the parent of i is at (i − 1) / 2, and no entry comes before its parent. */
function push(heap: Pending[], entry: Pending): void {
  let at = heap.length;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || !isBefore(entry, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = entry;
}

function pop(heap: Pending[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const [a, b] = [heap[left], heap[left + 1]];
    const child = b !== undefined && a !== undefined && isBefore(b, a) ? b : a;
    if (child === undefined || !isBefore(child, last)) break;
    heap[at] = child;
    at = child === a ? left : left + 1;
  }
  heap[at] = last;
}
