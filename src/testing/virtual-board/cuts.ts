/** Power cuts of a virtual board at random moments, and the control: a card that lies must be caught. */
import { hostClock, sleep } from "../../core/clock.ts";
import { type Random, seededRandom } from "../../core/random.ts";
import { type Cut, Life } from "./life.ts";

export interface CutsOptions {
  readonly image: string;
  /** Of the first card; each later one has the next number. */
  readonly seed: number;
  readonly tell: (line: string) => void;
}

/** What was going on as the power failed. */
export type Moment = "first boot" | "boot" | "running" | "commit" | "replay";

/** One cut, and what the boot after it showed. */
export interface CutRecord {
  /** Of its card: this one again is `--seed SEED --cuts NUMBER`. */
  readonly seed: number;
  readonly number: number;
  readonly moment: Moment;
  readonly cut: Cut;
  /** From power on to the first sample, of the next boot that was left alone. */
  readonly backMs?: number;
  /** Values that were served and never arrived; the gateway told of all of them. */
  readonly lost: number;
  /** How long before the cut the oldest of these was served. */
  readonly oldestLostMs: number;
  readonly faults: readonly string[];
}

/** Of one card, before the next one is written: it begins with these, and goes on with some of the later ones. */
const FIRST_MOMENTS: readonly Moment[] = ["first boot", "first boot"];
const LATER_MOMENTS: readonly Moment[] = ["boot", "commit", "commit", "replay", "replay", "running"];
const CUTS_PER_CARD = 8;
/** A boot takes this long, as long as none has shown how long one takes here. */
const BOOT_MS = 60_000;
const RUNNING_MS = 10_000;
/** So long nothing goes out, at least: some commits must be on the card. */
const OUTAGE_MS = 8_000;
/** A commit gives the disk some ten orders, one every second. */
const COMMIT_ORDERS = 30;
const REPLAY_ORDERS = 20;
const REPLAY_MS = 5_000;

/** @param record gets each cut once the boots after it have shown what it did */
export async function proveCuts(
  count: number,
  options: CutsOptions,
  record: (record: CutRecord) => void,
): Promise<readonly string[]> {
  const faults: string[] = [];
  let bootMs = BOOT_MS;
  let done = 0;
  for (let seed = options.seed; done < count; seed++) {
    const cuts = Math.min(CUTS_PER_CARD, count - done);
    const card = await cutOften(cuts, { ...options, seed, bootMs }, record);
    faults.push(...card.faults);
    bootMs = card.bootMs;
    done += cuts;
  }
  return faults;
}

/** One card, from blank. */
async function cutOften(
  count: number,
  options: CardOptions,
  record: (record: CutRecord) => void,
): Promise<CardRecords> {
  const { image, seed } = options;
  // Of its own, so that the moments do not go by how many blocks were in a cache.
  const random = seededRandom(seed);
  const life = await Life.begin({ image, random: seededRandom(~seed) });
  const card = new CardRecords(life, options, record);
  try {
    for (let number = 1; number <= count; number++) {
      const moment = FIRST_MOMENTS[number - 1] ?? pick(LATER_MOMENTS, random);
      await life.powerOn();
      card.cut(number, moment, await cutIn(moment, life, random, card));
    }
    await life.powerOn();
    await card.judge();
  } catch (error) {
    card.broke(String(error));
  }
  const isKept = card.faults.length > 0;
  if (isKept) options.tell(`the card is kept: ${life.outside.folder}`);
  await life.end(isKept);
  return card;
}

interface CardOptions extends CutsOptions {
  /** How long a boot takes, as far as it is known. */
  readonly bootMs: number;
}

/** What became of a card so far. Its cuts wait here until a boot is left alone and shows what they did. */
class CardRecords {
  readonly faults: string[] = [];
  /** From power on to a sample, the last time. */
  bootMs: number;
  readonly #life: Life;
  readonly #options: CardOptions;
  readonly #record: (record: CutRecord) => void;
  #waiting: Pick<CutRecord, "seed" | "number" | "moment" | "cut">[] = [];
  #lastCutMs = 0;

  constructor(life: Life, options: CardOptions, record: (record: CutRecord) => void) {
    this.#life = life;
    this.#options = options;
    this.#record = record;
    this.bootMs = options.bootMs;
  }

  cut(number: number, moment: Moment, cut: Cut): void {
    this.#waiting.push({ seed: this.#options.seed, number, moment, cut });
  }

  /** Lets the board come back and all arrive that was served up to now. */
  async judge(): Promise<void> {
    this.bootMs = await this.#life.sampleArrives();
    const { untilMs } = await this.#life.caughtUp();
    this.#close(this.#life.books.faults(untilMs), this.bootMs);
  }

  broke(why: string): void {
    this.#close([why]);
  }

  #close(found: readonly string[], backMs?: number): void {
    // A loss that no boot mends would be found after each.
    const faults = found.filter((fault) => !this.faults.includes(fault));
    this.faults.push(...faults);
    let fromMs = this.#lastCutMs;
    for (const waiting of this.#waiting) {
      const { atWallMs } = waiting.cut;
      const missing = this.#life.books.missing(fromMs, atWallMs);
      const oldestLostMs = missing.reduce((oldest, { servedAtMs }) => Math.max(oldest, atWallMs - servedAtMs), 0);
      this.#record({ ...waiting, ...(backMs !== undefined && { backMs }), lost: missing.length, oldestLostMs, faults });
      fromMs = atWallMs;
    }
    this.#lastCutMs = fromMs;
    this.#waiting = [];
  }
}

/** Lets the board come to this moment, and cuts it off in it. */
async function cutIn(moment: Moment, life: Life, random: Random, card: CardRecords): Promise<Cut> {
  if (moment === "first boot" || moment === "boot") return life.cut({ withinMs: random.next() * card.bootMs });
  await card.judge();
  if (moment === "running") return life.cut({ withinMs: random.next() * RUNNING_MS });
  await life.machine.setLink(false);
  await sleep(hostClock, OUTAGE_MS + random.next() * RUNNING_MS);
  if (moment === "commit") return life.cut({ orders: draw(COMMIT_ORDERS, random), withinMs: RUNNING_MS });
  await life.machine.setLink(true);
  await life.historyArrives();
  return life.cut({ orders: draw(REPLAY_ORDERS, random), withinMs: random.next() * REPLAY_MS });
}

/** 1 to most. */
function draw(most: number, random: Random): number {
  return 1 + Math.floor(random.next() * most);
}

function pick<T>(list: readonly T[], random: Random): T {
  const found = list[Math.floor(random.next() * list.length)];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
}

/** An outage and a cut on a card that since the link is down only says that it keeps: returns what the books say. */
export async function proveControl({ image, seed, tell }: CutsOptions): Promise<readonly string[]> {
  const life = await Life.begin({ image, random: seededRandom(seed) });
  try {
    await life.powerOn();
    await life.sampleArrives();
    await life.caughtUp();
    await life.machine.setLink(false);
    life.disk.lie();
    const { waiting } = await life.cut({ withinMs: 3 * OUTAGE_MS });
    tell(`a lying card lost ${waiting} blocks that it had said to keep`);
    await life.powerOn();
    await life.sampleArrives();
    const { untilMs } = await life.caughtUp();
    return life.books.faults(untilMs);
  } finally {
    await life.end();
  }
}
