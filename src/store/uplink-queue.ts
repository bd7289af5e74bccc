/** One uplink's view of the outbox: what it has not acknowledged, and what it was told it lost. */
import { PRIORITIES } from "../core/tag.ts";
import type {
  Batch,
  HistoryLimits,
  LiveBatch,
  Loss,
  NumberedSample,
  Range,
  UnsyncedCopy,
  UplinkQueue,
} from "../pipeline.ts";
import type { BlockHead, Facts, PriorityRange } from "./block-store.ts";
import type { BootTimes } from "./boot-times.ts";
import { type Dictionary, rankOf } from "./dictionary.ts";
import type { HistoryReader } from "./history-reader.ts";
import { addLoss, datedLoss, type LossDraft, type LossRecord, lostSamples } from "./losses.ts";
import { add, bound, clip, contains, countUpTo, firstFrom, gaps, type Ranges, subtract } from "./ranges.ts";
import { FACT, lossText, progressText, type SavedProgress } from "./saved-facts.ts";
import { isUndated, type StoredSample } from "./stored-sample.ts";
import type { Tail } from "./tail.ts";

/** Windows of the file in one call; then the batch ends where it is certain, even if it is empty. */
const MAX_WINDOWS = 8;

/** What a queue needs of the outbox around it. */
export interface QueueHost {
  readonly tail: Tail;
  readonly dictionary: Dictionary;
  readonly boots: BootTimes;
  /** The newest number that uplinks may see. */
  visible(): number;
  /** Below the first visible number that no uplink may have acknowledged yet. */
  dated(): number;
  nextLossId(): number;
  /** @param from the lowest number that was pending until now */
  acknowledged(from: number): void;
  rewound(from: number): void;
  lossesChanged(): void;
}

/** Facts for the next commit, and what to do when they are stored. */
export interface Unstored {
  readonly facts: Facts;
  readonly stored: () => void;
}

export class Queue implements UplinkQueue {
  readonly name: string;
  /** Its own, where it has any. */
  limits: HistoryLimits | undefined;
  readonly #host: QueueHost;
  readonly #history: HistoryReader;
  readonly #listeners = new Set<() => void>();
  #pending: Ranges = [];
  /** By rank of priority: what lies below was given up for this uplink alone. Never above the tail. */
  #floors: readonly number[] = [];
  #parkedRunMs: number | undefined;
  #losses: readonly LossRecord[] = [];
  #isClaimed = false;
  #isReturning = false;
  #storedText: string | undefined;
  #storedLosses = new Set<number>();
  #oldest: { readonly number: number; readonly ms: number } | undefined;

  constructor(host: QueueHost, history: HistoryReader, name: string) {
    this.name = name;
    this.#host = host;
    this.#history = history;
  }

  /** A new name waits for numbers from here on. */
  begin(from: number): void {
    this.#pending = [{ from, to: Infinity }];
  }

  /** A known name goes on as the file says. */
  restore(saved: SavedProgress): void {
    this.#pending = saved.pending;
    this.#floors = saved.floors;
    this.#parkedRunMs = saved.parkedRunMs;
    this.#storedText = progressText(saved);
  }

  restoreLosses(losses: readonly LossRecord[]): void {
    this.#losses = losses;
    this.#storedLosses = new Set(losses.map((loss) => loss.id));
    this.dateLosses();
  }

  /** Losses whose boots are dated by now become such in UTC, under new ids: the file has them as they were. */
  dateLosses(): void {
    if (this.#losses.every(isInUtc)) return;
    this.#losses = this.#losses.map((loss) => {
      if (isInUtc(loss)) return loss;
      const dated = this.#dated(loss);
      return dated === undefined ? loss : { ...dated, id: this.#host.nextLossId() };
    });
    this.#host.lossesChanged();
  }

  newest(): number {
    return this.#host.visible();
  }

  dated(): number {
    return this.#host.dated();
  }

  pending(): Ranges {
    return this.#pending;
  }

  depth(): number {
    return countUpTo(this.#pending, this.#host.visible());
  }

  /** By the time of its boot where that is not dated. */
  oldestMs(): number | undefined {
    const first = this.firstPending();
    if (first === undefined) return undefined;
    if (first < this.#host.tail.base) return this.#history.timeAt(first) ?? this.#notedAt(first);
    for (const sample of this.#host.tail.samples(first, this.#host.visible())) {
      if (contains(this.#pending, sample.number)) return this.#host.boots.read(sample).sourceTimestampMs;
    }
    return undefined;
  }

  async read(from: number, to: number, maxSamples: number): Promise<Batch> {
    const { covers, samples } = await this.readLive(from, Math.min(to, this.dated()), maxSamples);
    return { covers, samples: samples.filter(isDated) };
  }

  async readLive(from: number, to: number, maxSamples: number): Promise<LiveBatch> {
    const end = Math.min(to, this.#host.visible());
    const samples: (NumberedSample | UnsyncedCopy)[] = [];
    let certain = from - 1;
    for (let windows = 0; ; ) {
      const next = firstFrom(this.#pending, certain + 1);
      if (next === undefined || next > end || samples.length >= maxSamples) {
        return { covers: { from, to: samples.length >= maxSamples ? certain : Math.max(certain, end) }, samples };
      }
      const { base } = this.#host.tail;
      if (next >= base) {
        certain = this.#take(this.#host.tail.samples(next, end), next, end, maxSamples, samples);
      } else {
        if (windows++ === MAX_WINDOWS) return { covers: { from, to: certain }, samples };
        const window = await this.#history.window(next, Math.min(end, base - 1));
        if (window === undefined) return { covers: { from, to: certain }, samples };
        certain = this.#take(window.samples, next, Math.min(window.to, end), maxSamples, samples);
      }
    }
  }

  acknowledge(range: Range): void {
    const given = { from: range.from, to: Math.min(range.to, this.#host.visible()) };
    const dated = gaps(this.#host.boots.heldBack(), given);
    const first = dated.flatMap((part) => clip(this.#pending, part))[0];
    if (first === undefined) return;
    this.#pending = bound(dated.reduce<Ranges>(subtract, this.#pending));
    this.#host.acknowledged(first.from);
  }

  rewind(from: number): void {
    const held = Math.max(from, this.#host.tail.base);
    this.#pending = bound(add(this.#pending, { from: held, to: Infinity }));
    this.#host.rewound(held);
  }

  losses(): readonly Loss[] {
    return this.#losses.every(isInUtc) ? this.#losses : this.#losses.filter(isInUtc);
  }

  /** Also those that cannot be told yet. */
  allLosses(): readonly LossRecord[] {
    return this.#losses;
  }

  acknowledgeLoss(id: number): void {
    this.#losses = this.#losses.filter((loss) => loss.id !== id);
    this.#host.lossesChanged();
  }

  onAppend(listener: () => void): () => void {
    // A function given twice is two listeners.
    const call = () => listener();
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  notify(): void {
    for (const listener of this.#listeners) listener();
  }

  /** The first number that the uplink waits for, if it was given already. */
  firstPending(): number | undefined {
    const first = this.#pending[0]?.from;
    return first !== undefined && first <= this.#host.visible() ? first : undefined;
  }

  /** @returns samples that are known to be lost by this */
  lose(draft: LossDraft): number {
    // A sample that was taken in without its time may be given up long after its boot is dated.
    this.#losses = addLoss(this.#losses, this.#dated(draft) ?? draft, this.#host.nextLossId());
    this.#host.lossesChanged();
    return lostSamples(draft);
  }

  /** Whether it has neither acknowledged the sample nor given it up. */
  waitsFor({ number, tag }: StoredSample): boolean {
    return contains(this.#pending, number) && number >= (this.#floors[rankOf(tag.priority)] ?? 0);
  }

  waitsForBlock({ first, last, priority }: BlockHead): boolean {
    const from = Math.max(first, this.#floors[priority] ?? 0);
    return from <= last && clip(this.#pending, { from, to: last }).length > 0;
  }

  /** Below which number each priority was given up. @param floors by rank */
  raiseFloors(floors: readonly number[]): void {
    this.#floors = floors.map((floor, rank) => Math.max(floor, this.#floors[rank] ?? 0));
    this.giveUpBelow(Math.min(...this.#floors));
  }

  /** What it waits for below a number, by priority. */
  waiting(below: number): PriorityRange[] {
    return [...PRIORITIES.keys()].flatMap((priority) =>
      clip(this.#pending, { from: this.#floors[priority] ?? 0, to: below - 1 }).map((range) => ({
        ...range,
        priority,
      })),
    );
  }

  /** Nothing below this number is held any more. */
  giveUpBelow(number: number): void {
    if ((this.#pending[0]?.from ?? Infinity) >= number) return;
    this.#pending = subtract(this.#pending, { from: -Infinity, to: number - 1 });
  }

  /** Whether it is a configured uplink's. */
  get isClaimed(): boolean {
    return this.#isClaimed;
  }

  get isParked(): boolean {
    return this.#parkedRunMs !== undefined;
  }

  claim(): void {
    this.#isClaimed = true;
    if (this.#parkedRunMs === undefined) return;
    this.#parkedRunMs = undefined;
    this.#isReturning = true;
    this.#pending = bound(add(this.#pending, { from: this.#host.visible() + 1, to: Infinity }));
  }

  /** No configured uplink has this name any more. */
  disclaim(): void {
    this.#isClaimed = false;
  }

  /** The uplink is configured no more: it waits for nothing new. */
  park(newest: number, runMs: number): void {
    if (this.#isClaimed || this.#parkedRunMs !== undefined) return;
    this.#parkedRunMs = runMs;
    this.#pending = clip(this.#pending, { from: -Infinity, to: newest });
  }

  /** Nothing of it is wanted any more: the next commit removes a parked uplink. */
  forget(): void {
    this.#pending = [];
    this.#losses = [];
    this.#host.lossesChanged();
  }

  /** Whether nothing of a removed uplink is worth keeping. */
  isOver(runMs: number, maxAgeMs: number): boolean {
    if (this.#parkedRunMs === undefined) return false;
    return runMs - this.#parkedRunMs > maxAgeMs || (this.#pending.length === 0 && this.#losses.length === 0);
  }

  /** @param ms as its row has it: in the time of its boot, where it was taken in without one */
  noteOldest(number: number, ms: number | undefined): void {
    this.#oldest = ms === undefined ? undefined : { number, ms };
  }

  /** Whether the file does not know that this uplink waits for what comes. */
  isNew(): boolean {
    return this.#storedText === undefined || this.#isReturning;
  }

  hasUnstoredLosses(): boolean {
    return this.#losses.some((loss) => !this.#storedLosses.has(loss.id));
  }

  /** What the file does not know yet. */
  unstored(): Unstored {
    const text = progressText({ pending: this.#pending, floors: this.#openFloors(), parkedRunMs: this.#parkedRunMs });
    const losses = this.#losses;
    const ids = new Set(losses.map((loss) => loss.id));
    const facts: (readonly [string, string | null])[] = [];
    if (text !== this.#storedText) facts.push([FACT.uplink(this.name), text]);
    for (const loss of losses) {
      if (!this.#storedLosses.has(loss.id)) {
        facts.push([FACT.loss(this.name, loss.id), lossText(loss, this.#host.dictionary)]);
      }
    }
    for (const id of this.#storedLosses) if (!ids.has(id)) facts.push([FACT.loss(this.name, id), null]);
    return {
      facts,
      stored: () => {
        this.#storedText = text;
        this.#isReturning = false;
        this.#storedLosses = ids;
      },
    };
  }

  /** The facts that remove this uplink from the file. Should it return meanwhile, the file does not know it. */
  removal(): Unstored {
    return {
      facts: [
        [FACT.uplink(this.name), null],
        ...[...this.#storedLosses].map((id): [string, null] => [FACT.loss(this.name, id), null]),
      ],
      stored: () => {
        this.#storedText = undefined;
        this.#storedLosses = new Set();
      },
    };
  }

  /** The file was replaced by an empty one. */
  forgetStored(): void {
    this.#storedText = undefined;
    this.#storedLosses = new Set();
    this.#history.forget();
  }

  /** Those that still say more than the progress does. */
  #openFloors(): readonly number[] {
    const first = this.#pending[0]?.from ?? Infinity;
    return this.#floors.some((floor) => floor > first) ? this.#floors : [];
  }

  #notedAt(number: number): number | undefined {
    const { boots } = this.#host;
    if (this.#oldest?.number !== number) return undefined;
    return this.#oldest.ms + (boots.shiftOf(boots.bootAt(number)) ?? 0);
  }

  /** In UTC, where its boot is dated. */
  #dated(loss: LossDraft): LossDraft | undefined {
    return datedLoss(loss, (boot) => this.#host.boots.shiftOf(boot));
  }

  /** Takes the pending ones of `from`. @returns the number up to which the batch is complete */
  #take(
    source: Iterable<StoredSample>,
    from: number,
    to: number,
    maxSamples: number,
    batch: (NumberedSample | UnsyncedCopy)[],
  ): number {
    for (const sample of source) {
      if (sample.number > to) break;
      if (sample.number < from || !this.waitsFor(sample)) continue;
      batch.push(isUndated(sample) ? this.#host.boots.read(sample) : sample);
      if (batch.length >= maxSamples) return sample.number;
    }
    return to;
  }
}

function isDated(sample: NumberedSample | UnsyncedCopy): sample is NumberedSample {
  return sample.unsynced !== true;
}

function isInUtc({ fromBoot, toBoot }: LossRecord): boolean {
  return fromBoot === undefined && toBoot === undefined;
}
