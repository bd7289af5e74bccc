/** A card's life in a virtual board: flashed, booted, cut off, booted again; and what must be true at its end. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { hostClock, sleep } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import { flashCard } from "../flashed-card.ts";
import { Books, holesText } from "./books.ts";
import type { Cable } from "./cable.ts";
import { Machine } from "./machine.ts";
import { type Outside, openOutside } from "./outside.ts";
import { VolatileDisk } from "./volatile-disk.ts";

export interface LifeOptions {
  readonly image: string;
  readonly random: Random;
}

/** A power cut, as the card saw it. */
export interface Cut {
  /** Since the board had its power. */
  readonly afterMs: number;
  readonly atWallMs: number;
  /** How often the disk had been told to write or to flush. */
  readonly orders: number;
  /** Blocks that were in its cache, and how many of them are lost. */
  readonly waiting: number;
  readonly lost: number;
}

const LOOK_MS = 200;
/** An emulated board on a busy machine. */
const BOOT_LIMIT_MS = 600_000;
/** Once it sends: what takes longer does not come. */
const CATCH_UP_LIMIT_MS = 180_000;
/** From a pin to the broker. */
const SIGHT_LIMIT_MS = 60_000;

export class Life {
  readonly outside: Outside;
  readonly books: Books;
  readonly #options: LifeOptions;
  readonly #card: string;
  readonly #cable: Cable | undefined;
  #disk: VolatileDisk | undefined;
  #machine: Machine | undefined;
  #poweredAtMs = 0;
  #sessionBefore = 0;

  private constructor(options: LifeOptions, outside: Outside, cable: Cable | undefined) {
    this.#options = options;
    this.outside = outside;
    this.books = new Books(outside);
    this.#card = join(outside.folder, "card.img");
    this.#cable = cable;
  }

  /**
   * A new card, written by flash.sh as a technician does.
   * @param cable its network, where it may be seen by others; else one on which it can only ask
   */
  static async begin(options: LifeOptions, cable?: Cable): Promise<Life> {
    const life = new Life(options, await openOutside(cable), cable);
    await flashCard(options.image, life.outside.site, life.#card);
    return life;
  }

  get machine(): Machine {
    if (this.#machine === undefined) throw new Error("the board has no power");
    return this.#machine;
  }

  get disk(): VolatileDisk {
    if (this.#disk === undefined) throw new Error("the card has no power");
    return this.#disk;
  }

  /** @param how `bites`: its watchdog resets it; else it ends with what would reset it */
  async powerOn(how: { readonly bites?: boolean } = {}): Promise<void> {
    const { folder, line } = this.outside;
    this.startsAgain();
    this.#poweredAtMs = hostClock.monotonicMs();
    const socket = join(folder, "disk");
    await rm(socket, { force: true });
    this.#disk = await VolatileDisk.open({ file: this.#card, socket, random: this.#options.random });
    this.#machine = await Machine.start({
      ...{ folder, card: this.#card, disk: socket, line, ...how },
      ...(this.#cable !== undefined && { cable: this.#cable }),
    });
  }

  /** The power fails as the disk is given its nth order from now, or after a time: machine and cache are gone at once. */
  async cut(when: { readonly orders?: number; readonly withinMs?: number } = {}): Promise<Cut> {
    const { disk, machine } = this;
    const { orders, withinMs = 0 } = when;
    const ends = [sleep(hostClock, withinMs), ...(orders === undefined ? [] : [disk.failsAt(orders)])];
    await Promise.race(ends);
    if (machine.hasEnded) throw new Error(`the machine ended by itself: ${machine.shown.slice(-3_000)}`);
    await machine.kill();
    const atWallMs = hostClock.wallMs();
    this.books.cutAt(atWallMs);
    const cut = { afterMs: hostClock.monotonicMs() - this.#poweredAtMs, atWallMs, orders: disk.orders, ...disk.cut() };
    await disk.close();
    this.#machine = undefined;
    this.#disk = undefined;
    return cut;
  }

  /** What arrived up to now is not what `sampleArrives` waits for. */
  startsAgain(): void {
    this.books.read();
    this.#sessionBefore = this.books.session;
  }

  /** Until a live value of the board that was switched on last is at the broker. Returns the time from its power on. */
  async sampleArrives(): Promise<number> {
    await this.#until("a sample arrives", () => this.books.session > this.#sessionBefore, BOOT_LIMIT_MS);
    return hostClock.monotonicMs() - this.#poweredAtMs;
  }

  /** Until a tag has this value at the broker. Returns the time it took. */
  async shows(tag: string, value: unknown): Promise<number> {
    const sinceMs = hostClock.monotonicMs();
    await this.#until(`${tag} is ${value}`, () => this.books.latest(tag) === value, SIGHT_LIMIT_MS);
    return hostClock.monotonicMs() - sinceMs;
  }

  /** Until history arrives, as after an outage. */
  async historyArrives(): Promise<void> {
    const before = this.books.history;
    await this.#until("history arrives", () => this.books.history > before, BOOT_LIMIT_MS);
  }

  /** Until all that was served up to now is at the broker, or told as lost. Returns the time it took, and of when. */
  async caughtUp(): Promise<{ readonly tookMs: number; readonly untilMs: number }> {
    const sinceMs = hostClock.monotonicMs();
    const untilMs = hostClock.wallMs();
    const isDone = () => this.books.caughtUp(untilMs);
    await this.#until("all is there", isDone, CATCH_UP_LIMIT_MS, () => holesText(this.books.missing(0, untilMs)));
    return { tookMs: hostClock.monotonicMs() - sinceMs, untilMs };
  }

  /** @param isKept leaves the card and all that stood around it where it was, for whoever looks into it */
  async end(isKept = false): Promise<void> {
    await this.#machine?.kill();
    await this.#disk?.close();
    await this.outside.close(isKept);
  }

  async #until(what: string, holds: () => boolean, limitMs: number, seen = () => ""): Promise<void> {
    const sinceMs = hostClock.monotonicMs();
    for (this.books.read(); !holds(); this.books.read()) {
      const shown = this.machine.shown.slice(-3_000);
      if (this.machine.hasEnded) throw new Error(`the machine ended by itself, before ${what}: ${shown}`);
      if (hostClock.monotonicMs() - sinceMs > limitMs) {
        throw new Error(`waited ${limitMs} ms in vain until ${what} ${seen()}; its console: ${shown}`);
      }
      await sleep(hostClock, LOOK_MS);
    }
  }
}
