/** Cuts the power at each call and each statement of a short load, one after the other, and looks at what is left. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../core/log.ts";
import { seededRandom } from "../../core/random.ts";
import type { Outbox } from "../../pipeline.ts";
import { openStore, type Store } from "../../store/open-store.ts";
import { SimulatedDisk } from "../simulated-disk.ts";
import { VirtualClock } from "../virtual-clock.ts";
import {
  AWAY_UPLINK,
  COMMIT_INTERVAL_MS,
  CRASH_CONFIG,
  CRASH_TAGS,
  CRASH_UPLINKS,
  LIVE_UPLINK,
  sampleOf,
} from "./crash-load.ts";

const ROUNDS = 6;
const SAMPLES_PER_ROUND = 30;
const OPEN_MS = 10_000;
/** More than the outbox waits after a read that failed. */
const READ_MS = 2_000;
/** Small, so that blocks fill, grow and are replaced within few commits. */
const LIMITS = { recentSamples: 20, maxBlockSamples: 25 };
const MAX_POINTS = 5_000;

export interface CutsReport {
  readonly points: number;
  readonly faults: readonly string[];
}

export async function proveCuts(): Promise<CutsReport> {
  const faults: string[] = [];
  for (let points = 1; points <= MAX_POINTS; points++) {
    const root = await mkdtemp(join(tmpdir(), "sallyport-cuts-"));
    try {
      const { wasCut, fault } = await new Cut(root, points).run();
      if (fault !== "") faults.push(`cut ${points}: ${fault}`);
      if (!wasCut) return { points: points - 1, faults };
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }
  throw new Error(`the load has more than ${MAX_POINTS} statements`);
}

class Cut {
  readonly #clock = new VirtualClock();
  readonly #disk: SimulatedDisk;
  readonly #points: number;
  /** When each number was taken in. */
  readonly #takenMs = new Map<number, number>();
  #wasCut = false;
  #cutMs = 0;
  #committed = 0;
  #epoch = 0;

  constructor(root: string, points: number) {
    this.#disk = new SimulatedDisk({ root, clock: this.#clock, random: seededRandom(points) });
    this.#points = points;
  }

  async run(): Promise<{ readonly wasCut: boolean; readonly fault: string }> {
    this.#disk.cutAfter(this.#points, () => {
      this.#wasCut = true;
      this.#cutMs = this.#clock.wallMs();
    });
    const store = await this.#open();
    if (store !== undefined) await this.#load(store);
    const wasCut = this.#wasCut;
    if (!wasCut) this.#disk.cutPower();
    const left = await this.#open();
    const fault = left === undefined ? "the next life did not open" : await this.#faultOf(left.outbox);
    this.#disk.end();
    return { wasCut, fault };
  }

  async #open(): Promise<Store | undefined> {
    let store: Store | undefined;
    const opening = openStore({
      config: CRASH_CONFIG,
      stateDir: this.#disk.dir,
      uplinks: CRASH_UPLINKS,
      tags: CRASH_TAGS,
      clock: this.#clock,
      log: silentLog,
      worker: this.#disk.open(),
      limits: LIMITS,
    });
    opening.then(
      (opened) => {
        store = opened;
      },
      () => undefined,
    );
    await this.#clock.advance(OPEN_MS);
    return store;
  }

  async #load({ outbox, state }: Store): Promise<void> {
    const live = outbox.uplink(LIVE_UPLINK, "now");
    this.#epoch = state.epoch();
    for (let round = 0; round < ROUNDS && !this.#wasCut; round++) {
      for (let i = 0; i < SAMPLES_PER_ROUND && !this.#wasCut; i++) {
        const number = outbox.report().newest + 1;
        const wallMs = this.#clock.wallMs();
        outbox.append([sampleOf(number, wallMs, this.#epoch)]);
        this.#takenMs.set(number, wallMs);
        await this.#clock.advance(COMMIT_INTERVAL_MS / 20);
        if (!this.#wasCut) this.#committed = outbox.report().committed;
      }
      if (round % 2 === 1 && !this.#wasCut) live.acknowledge({ from: 0, to: live.newest() });
    }
  }

  async #faultOf(outbox: Outbox): Promise<string> {
    const queue = outbox.uplink(AWAY_UPLINK, "now");
    const left = new Map<number, unknown>();
    for (let from = 0; from <= queue.newest(); ) {
      const reading = queue.read(from, queue.newest(), SAMPLES_PER_ROUND * ROUNDS);
      await this.#clock.advance(READ_MS);
      const { samples, covers } = await reading;
      if (covers.to < from) return "what is left cannot be read";
      for (const { number, value } of samples) left.set(number, value);
      from = covers.to + 1;
    }
    const losses = queue.losses();
    for (const [number, wallMs] of this.#takenMs) {
      const expected = sampleOf(number, wallMs, this.#epoch);
      const found = left.get(number);
      if (found === expected.value) continue;
      if (found !== undefined) return `sample ${number} is ${found}`;
      if (number <= this.#committed) return `sample ${number} was stored and is gone`;
      const ageMs = this.#cutMs - wallMs;
      if (ageMs > 1.25 * COMMIT_INTERVAL_MS) return `sample ${number} is gone and was ${ageMs} ms old`;
      if (!losses.some(({ fromMs, toMs }) => wallMs >= fromMs && wallMs <= toMs)) return `sample ${number} is not told`;
    }
    return "";
  }
}
