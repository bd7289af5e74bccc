import type { Clock, Timer } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Pin, PinAddress, PinDriver } from "./pin-driver.ts";

/** A pin that fails is opened again after this long, doubling up to the longer. */
const REOPEN_MIN_MS = 1_000;
const REOPEN_MAX_MS = 60_000;

export interface PinListener {
  edge(level: boolean, monotonicMs: number): void;
  /** Edges were lost before the next one that is told. */
  missed(edges: number): void;
  /** The level at a scan. Not called where an edge came meanwhile: that is newer. */
  sampled(level: boolean, monotonicMs: number): void;
  /** After every scan that could read the pin. @param toldUntilMs all edges up to then were told */
  scanned(monotonicMs: number, toldUntilMs: number): void;
  /** The pin cannot be opened or read; it is tried again. */
  failed(monotonicMs: number): void;
}

export interface PinWatchOptions {
  readonly address: PinAddress;
  readonly driver: PinDriver;
  readonly scanRateMs: number;
  readonly listener: PinListener;
  readonly clock: Clock;
  readonly log: Log;
}

/** Keeps a pin open and read: the loop around the driver. It knows nothing of what a level means. */
export class PinWatch {
  readonly #o: PinWatchOptions;
  /** Opening, scanning and closing, one after the other; none of them rejects. */
  #work: Promise<void> = Promise.resolve();
  #stopped = false;
  #pin: Pin | undefined;
  /** The next scan, or the next attempt to open. */
  #next: Timer | undefined;
  #edges = 0;
  #failures = 0;
  #toldReason = "";

  constructor(options: PinWatchOptions) {
    this.#o = options;
  }

  start(): void {
    this.#enqueue(() => this.#open());
  }

  /** Resolves when the pin is closed. Edges that were on their way are told before. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#next?.cancel();
    this.#enqueue(() => this.#end());
    await this.#work;
  }

  async #end(): Promise<void> {
    const pin = this.#pin;
    // What it reads stands behind all edges before it. A pin that can no longer be read has none to tell.
    await pin?.read().catch(() => undefined);
    this.#pin = undefined;
    await this.#close(pin);
  }

  #enqueue(task: () => Promise<void>): void {
    this.#work = this.#work.then(task);
  }

  async #open(): Promise<void> {
    if (this.#stopped) return;
    const events = {
      edge: (level: boolean, monotonicMs: number) => this.#onEdge(level, monotonicMs),
      missed: (edges: number) => this.#onMissed(edges),
      lost: (reason: string) => this.#fail(this.#pin, reason),
    };
    try {
      this.#pin = await this.#o.driver.open(this.#o.address, events);
    } catch (error) {
      this.#fail(undefined, messageOf(error));
      return;
    }
    await this.#scan();
  }

  async #scan(): Promise<void> {
    const pin = this.#pin;
    if (pin === undefined || this.#stopped) return;
    const edgesBefore = this.#edges;
    const beganMs = this.#o.clock.monotonicMs();
    let level: boolean;
    try {
      level = await pin.read();
    } catch (error) {
      this.#fail(pin, messageOf(error));
      return;
    }
    // Meanwhile the pin can have been told as lost, or the gateway to stop.
    if (this.#pin !== pin || this.#stopped) return;
    this.#recovered();
    const nowMs = this.#o.clock.monotonicMs();
    if (this.#edges === edgesBefore) this.#o.listener.sampled(level, nowMs);
    this.#o.listener.scanned(nowMs, beganMs);
    this.#next = this.#o.clock.after(this.#o.scanRateMs, () => this.#enqueue(() => this.#scan()));
  }

  async #close(pin: Pin | undefined): Promise<void> {
    try {
      await pin?.close();
    } catch (error) {
      this.#o.log.warning(`the pin did not close: ${messageOf(error)}`);
    }
  }

  #onEdge(level: boolean, monotonicMs: number): void {
    if (this.#pin === undefined) return;
    this.#edges += 1;
    this.#o.listener.edge(level, monotonicMs);
  }

  #onMissed(edges: number): void {
    if (this.#pin === undefined) return;
    this.#o.log.warning(`${edges} edges were lost: they came faster than this board can take them`);
    this.#o.listener.missed(edges);
  }

  #fail(pin: Pin | undefined, reason: string): void {
    // A pin can be told as lost and fail its read as well: once is enough.
    if (this.#pin !== pin || this.#stopped) return;
    this.#pin = undefined;
    this.#next?.cancel();
    this.#enqueue(() => this.#close(pin));
    if (reason !== this.#toldReason) this.#o.log.warning(`cannot read the pin: ${reason}`);
    this.#toldReason = reason;
    this.#o.listener.failed(this.#o.clock.monotonicMs());
    const delayMs = Math.min(REOPEN_MIN_MS * 2 ** this.#failures, REOPEN_MAX_MS);
    this.#failures += 1;
    this.#next = this.#o.clock.after(delayMs, () => this.#enqueue(() => this.#open()));
  }

  #recovered(): void {
    if (this.#failures > 0) this.#o.log.notice("the pin can be read again");
    this.#failures = 0;
    this.#toldReason = "";
  }
}
