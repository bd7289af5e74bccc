/** A card's life in a virtual board: flashed, booted, cut off, booted again; and what must be true at its end. */
import { execFile } from "node:child_process";
import { rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { hostClock, sleep } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import { CountBook, type Hole } from "../count-book.ts";
import type { WireMessage } from "../ledger.ts";
import { Machine, type MachineOptions } from "./machine.ts";
import { COMMIT_INTERVAL_MS, type Outside, openOutside, TAGS_PER_DEVICE, TOPIC } from "./outside.ts";
import { VolatileDisk } from "./volatile-disk.ts";

export interface LifeOptions {
  readonly image: string;
  readonly random: Random;
  readonly tell: (line: string) => void;
  /** False: the card says that it keeps what it does not; the books must then show what is lost. */
  readonly isHonest: boolean;
}

/** Of the card; the image is smaller, so its data partition must grow. */
const CARD_BYTES = 1_073_741_824;
const FLASH = fileURLToPath(new URL("../../../scripts/flash.sh", import.meta.url));
const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const LOOK_MS = 200;
/** An emulated board on a busy machine. */
const BOOT_LIMIT_MS = 600_000;
/**
 * P4 allows 1.25 × commitInterval and the commit that was running. An emulator on a busy machine also takes seconds for
 * a reply that the line has carried: so this tells an outage's loss from the last moments', not the bound itself.
 */
const LOSS_BOUND_MS = 1.25 * COMMIT_INTERVAL_MS + 10_000;
/** From a pin to the broker. */
const SIGHT_LIMIT_MS = 60_000;
const SHOWN = 5;

export class Life {
  readonly outside: Outside;
  readonly #options: LifeOptions;
  readonly #card: string;
  readonly #counts = new CountBook(["unclean stop"]);
  readonly #cutsMs: number[] = [];
  #disk: VolatileDisk | undefined;
  #machine: Machine | undefined;
  #read = 0;
  /** Of the connection that the last live value came by, and of the one when the board got its power. */
  #session = 0;
  #sessionBefore = 0;
  /** The last value of each tag, as it arrived. */
  readonly #latest = new Map<string, unknown>();
  #live = 0;
  #history = 0;

  private constructor(options: LifeOptions, outside: Outside) {
    this.#options = options;
    this.outside = outside;
    this.#card = join(outside.folder, "card.img");
  }

  /** A new card, written by flash.sh as a technician does. */
  static async begin(options: LifeOptions): Promise<Life> {
    const life = new Life(options, await openOutside());
    await writeFile(life.#card, "");
    await truncate(life.#card, CARD_BYTES);
    const sallyport = `${process.execPath} --import tsx ${MAIN}`;
    const { site } = life.outside;
    const args = ["--image", options.image, "--unsigned", "--site", site, "--device", life.#card, "--yes"];
    await promisify(execFile)(FLASH, args, { env: { ...process.env, SALLYPORT: sallyport } });
    return life;
  }

  get machine(): Machine {
    if (this.#machine === undefined) throw new Error("the board has no power");
    return this.#machine;
  }

  async powerOn(cable?: MachineOptions["cable"]): Promise<void> {
    const { folder, line } = this.outside;
    this.#readArrivals();
    this.#sessionBefore = this.#session;
    const socket = join(folder, "disk");
    await rm(socket, { force: true });
    const { random, isHonest } = this.#options;
    this.#disk = await VolatileDisk.open({ file: this.#card, socket, random, isHonest });
    this.#machine = await Machine.start({
      ...{ folder, card: this.#card, disk: socket, line },
      ...(cable !== undefined && { cable }),
    });
  }

  /** The power fails: machine and cache are gone at once. */
  async cut(): Promise<void> {
    await this.#machine?.kill();
    this.#cutsMs.push(hostClock.wallMs());
    const found = this.#disk?.cut();
    const flushes = this.#disk?.flushes;
    await this.#disk?.close();
    this.#options.tell(`cut: ${found?.waiting} blocks waited in the card, ${found?.lost} lost; ${flushes} flushes`);
    this.#machine = undefined;
    this.#disk = undefined;
  }

  /** Until a live value of the board that was switched on last is at the broker. Returns the time it took. */
  async sampleArrives(): Promise<number> {
    const sinceMs = hostClock.monotonicMs();
    await this.#until("a sample arrives", () => this.#session > this.#sessionBefore, BOOT_LIMIT_MS);
    return hostClock.monotonicMs() - sinceMs;
  }

  /** Until a tag has this value at the broker. Returns the time it took. */
  async shows(tag: string, value: unknown): Promise<number> {
    const sinceMs = hostClock.monotonicMs();
    await this.#until(`${tag} is ${value}`, () => this.#latest.get(tag) === value, SIGHT_LIMIT_MS);
    return hostClock.monotonicMs() - sinceMs;
  }

  /** Until history arrives, as after an outage. */
  async historyArrives(): Promise<void> {
    const before = this.#history;
    await this.#until("history arrives", () => this.#history > before, BOOT_LIMIT_MS);
  }

  /** Until all that was served up to now is at the broker, or told as lost. */
  async caughtUp(limitMs = BOOT_LIMIT_MS): Promise<number> {
    const sinceMs = hostClock.monotonicMs();
    const beforeMs = hostClock.wallMs();
    const isDone = () => this.#counts.caughtUp(this.outside.served, TAGS_PER_DEVICE, beforeMs);
    await this.#until("all is there", isDone, limitMs, () => holesText(this.#holes()));
    return hostClock.monotonicMs() - sinceMs;
  }

  /** What must not be: values that are missing, save those of the moments before a cut, which must be told. */
  faults(): readonly string[] {
    this.#readArrivals();
    const nearCut = ({ servedAtMs }: Hole) =>
      this.#cutsMs.some((cutMs) => servedAtMs <= cutMs && cutMs - servedAtMs <= LOSS_BOUND_MS);
    const holes = this.#holes();
    const tooOld = holes.filter((hole) => !nearCut(hole));
    const untold = holes.filter((hole) => nearCut(hole) && !hole.told);
    return [
      ...(tooOld.length > 0 ? [`lost beyond the bound: ${holesText(tooOld)}`] : []),
      ...(untold.length > 0 ? [`lost without a word: ${holesText(untold)}`] : []),
    ];
  }

  summary(): { readonly served: number; readonly live: number; readonly history: number; readonly told: number } {
    const replies = [...this.outside.served.values()].reduce((sum, log) => sum + log.length, 0);
    const told = this.#holes().filter((hole) => hole.told).length;
    return { served: replies * TAGS_PER_DEVICE, live: this.#live, history: this.#history, told };
  }

  async end(): Promise<void> {
    await this.#machine?.kill();
    await this.#disk?.close();
    await this.outside.close();
  }

  #holes(): readonly Hole[] {
    return this.#counts.holes(this.outside.served, TAGS_PER_DEVICE);
  }

  async #until(what: string, holds: () => boolean, limitMs: number, seen = () => ""): Promise<void> {
    const sinceMs = hostClock.monotonicMs();
    for (this.#readArrivals(); !holds(); this.#readArrivals()) {
      const shown = this.machine.shown.slice(-3_000);
      if (this.machine.hasEnded) throw new Error(`the machine ended by itself, before ${what}: ${shown}`);
      if (hostClock.monotonicMs() - sinceMs > limitMs) {
        throw new Error(`waited ${limitMs} ms in vain until ${what} ${seen()}; its console: ${shown}`);
      }
      await sleep(hostClock, LOOK_MS);
    }
  }

  #readArrivals(): void {
    const { messages } = this.outside.subscriber;
    for (; this.#read < messages.length; this.#read++) {
      const message = messages[this.#read];
      const kind = message?.topic.slice(TOPIC.length + 1);
      if (message === undefined || (kind !== "data" && kind !== "history")) continue;
      const wire = JSON.parse(Buffer.from(message.payload).toString()) as WireMessage;
      if (kind === "data") {
        this.#live += wire.values.length;
        this.#session = Math.max(this.#session, wire.session);
        for (const { id, v } of wire.values) this.#latest.set(id, v);
      }
      if (kind === "history") this.#history += wire.values.length;
      this.#counts.arrived(wire);
    }
  }
}

function holesText(holes: readonly Hole[]): string {
  const shown = holes.slice(0, SHOWN).map(({ id, count, servedAtMs, told }) => {
    return `${id} ${count} of ${new Date(servedAtMs).toISOString()}${told ? ", told" : ""}`;
  });
  return `${holes.length} (${shown.join("; ")})`;
}
