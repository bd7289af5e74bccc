/** What the outbox knows in memory: the tail, each uplink's queue, and who still waits for what. No I/O. */
import type { Clock } from "../core/clock.ts";
import type { TagRef } from "../core/tag.ts";
import type { LossReason, NumberedSample, Sample, UndatedSample, UnsyncedCopy } from "../pipeline.ts";
import { spanOf } from "./block-content.ts";
import type { Block } from "./block-store.ts";
import type { BootTimes } from "./boot-times.ts";
import { type Dictionary, rankOf } from "./dictionary.ts";
import { draftsOf, type LossDraft, type LossSpan, spanIn } from "./losses.ts";
import type { OutboxLimits } from "./outbox-limits.ts";
import { clip, contains, firstFrom, type Ranges, union } from "./ranges.ts";
import { isEarlier, type SafeTime } from "./saved-facts.ts";
import { isUndated, numbered, type StoredSample } from "./stored-sample.ts";
import { Tail, type TailEntry } from "./tail.ts";
import type { Queue, QueueHost } from "./uplink-queue.ts";

export interface LedgerOptions {
  readonly clock: Clock;
  readonly limits: OutboxLimits;
  readonly dictionary: Dictionary;
  readonly boots: BootTimes;
  /** Told in losses of which nothing closer is known. */
  readonly tags: readonly TagRef[];
  /** Of this start. */
  readonly epoch: number;
  /** The highest number ever given, as far as the file knows. */
  readonly newest: number;
  readonly nextLossId: number;
  /** Running time of the gateway at its earlier starts. */
  readonly runMs: number;
  /** Uplinks see only what is committed. */
  readonly commitFirst: boolean;
}

export class Ledger implements QueueHost {
  readonly tail: Tail;
  readonly dictionary: Dictionary;
  readonly boots: BootTimes;
  readonly queues = new Map<string, Queue>();
  /** The `first` of blocks that were declared as lost: the next commit deletes them. */
  readonly doomed = new Set<number>();
  readonly #clock: Clock;
  readonly #limits: OutboxLimits;
  #tags: readonly TagRef[];
  readonly #commitFirst: boolean;
  readonly #runStartMs: number;
  #newest: number;
  #visible: number;
  #epoch: number;
  #nextLossId: number;
  #takenIn = 0;
  #dropped = 0;
  #owed: Ranges | undefined;
  /** Below it every sample is committed, or acknowledged by all. */
  #settledBelow: number;
  #hasProgress = false;
  /** No higher number is in the file, or on its way to it. */
  #storedUpTo: number;

  constructor(options: LedgerOptions) {
    this.dictionary = options.dictionary;
    this.boots = options.boots;
    this.tail = new Tail(options.newest + 1);
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#tags = options.tags;
    this.#commitFirst = options.commitFirst;
    this.#runStartMs = options.clock.monotonicMs() - options.runMs;
    this.#newest = options.newest;
    this.#visible = options.newest;
    this.#settledBelow = options.newest + 1;
    this.#storedUpTo = options.newest;
    this.#epoch = options.epoch;
    this.#nextLossId = options.nextLossId;
  }

  get newest(): number {
    return this.#newest;
  }

  get takenIn(): number {
    return this.#takenIn;
  }

  /** Samples that at least one uplink was told it lost. */
  get dropped(): number {
    return this.#dropped;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Losses changed, or stored samples were acknowledged: worth a commit of its own, though not at once. */
  get hasProgress(): boolean {
    return this.#hasProgress;
  }

  tellOf(tags: readonly TagRef[]): void {
    this.#tags = tags;
  }

  /** The configured tags, and others of which samples may be held. */
  get tags(): readonly TagRef[] {
    return this.#tags;
  }

  append(samples: readonly (Sample | UndatedSample)[]): void {
    const takenInMs = this.#clock.monotonicMs();
    for (const sample of samples) {
      const number = ++this.#newest;
      this.tail.push(
        "bootMs" in sample ? this.boots.stored(sample, number, takenInMs) : numbered(sample, number, takenInMs),
      );
      this.#epoch = Math.max(this.#epoch, sample.epoch);
    }
    this.#takenIn += samples.length;
    this.#makeRoom();
  }

  visible(): number {
    return this.#commitFirst ? this.#visible : this.#newest;
  }

  dated(): number {
    return Math.min(this.visible(), this.boots.datedBelow() - 1);
  }

  read(sample: StoredSample): NumberedSample | UnsyncedCopy {
    return this.boots.read(sample);
  }

  nextLossId(): number {
    return this.#nextLossId++;
  }

  acknowledged(from: number): void {
    this.#owed = undefined;
    if (from <= this.#storedUpTo) this.#hasProgress = true;
  }

  rewound(from: number): void {
    this.#owed = undefined;
    this.#settledBelow = Math.min(this.#settledBelow, from);
    if (from <= this.#storedUpTo) this.#hasProgress = true;
  }

  /** A boot's offset is in force: what is shown and told of it is right from now on. */
  dateLosses(): void {
    for (const queue of this.queues.values()) queue.dateLosses();
  }

  lossesChanged(): void {
    this.#hasProgress = true;
  }

  /** A commit begins with all progress there is, and with samples up to `number`. */
  commitBegins(number: number): void {
    this.#hasProgress = false;
    this.#storedUpTo = Math.max(this.#storedUpTo, number);
  }

  commitFailed(): void {
    this.#hasProgress = true;
  }

  /** @returns whether uplinks may see more by this */
  committedUpTo(number: number): boolean {
    const before = this.visible();
    this.#visible = number;
    return this.visible() > before;
  }

  addQueue(queue: Queue): void {
    this.queues.set(queue.name, queue);
    this.#owed = undefined;
  }

  removeQueue(name: string): void {
    this.queues.delete(name);
    this.#owed = undefined;
  }

  /** What at least one uplink has not acknowledged. */
  owed(): Ranges {
    this.#owed ??= union([...this.queues.values()].map((queue) => queue.pending()));
    return this.#owed;
  }

  progressChanged(): void {
    this.#owed = undefined;
  }

  /** Below this number every uplink has passed. */
  released(): number {
    return Math.min(firstFrom(this.owed(), -Infinity) ?? Infinity, this.#newest + 1);
  }

  /** Below this number every configured uplink has passed. */
  passed(): number {
    const firsts = [...this.queues.values()]
      .filter((queue) => queue.isClaimed)
      .map((queue) => queue.pending()[0]?.from);
    return Math.min(this.#newest + 1, ...firsts.map((first) => first ?? Infinity));
  }

  /** Running time of the gateway, over all its starts: ages that no step of the clock can change. */
  runMs(): number {
    return Math.round(this.#clock.monotonicMs() - this.#runStartMs);
  }

  /** The oldest samples that are neither committed nor acknowledged by all. */
  unsettled(max: number): TailEntry[] {
    const owed = this.owed();
    const entries: TailEntry[] = [];
    for (const entry of this.tail.between(this.#settledBelow, this.#newest)) {
      if (entry.state === "stored" || !contains(owed, entry.sample.number)) continue;
      entries.push(entry);
      if (entries.length >= max) break;
    }
    this.#settledBelow = entries[0]?.sample.number ?? this.#newest + 1;
    return entries;
  }

  /** What the safe time is once all losses are stored, and all samples but these. */
  safeBut(unstored: readonly TailEntry[]): SafeTime {
    const boot = this.boots.undatedBoot();
    const now = { epoch: this.#epoch, ms: this.#clock.wallMs() };
    let earliest: SafeTime = boot === undefined ? now : { ...now, boot };
    for (const { sample } of unstored) {
      const stamp = stampOf(sample);
      if (isEarlier(stamp, earliest)) earliest = stamp;
    }
    return earliest;
  }

  /** The safe time now; undefined while a loss is only in memory. */
  safeNow(): SafeTime | undefined {
    const hasUnstored = [...this.queues.values()].some((queue) => queue.hasUnstoredLosses());
    return hasUnstored ? undefined : this.safeBut(this.unsettled(Number.POSITIVE_INFINITY));
  }

  /** Source time of the oldest that any uplink waits for, where it is known: of a sample, or of a loss to be told. */
  oldestMs(): number | undefined {
    const times = [...this.queues.values()].flatMap((queue) => [
      queue.oldestMs(),
      ...queue.losses().map(({ fromMs }) => fromMs),
    ]);
    const known = times.filter((ms) => ms !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** An uplink the file does not know would not be told of an unclean stop. */
  hasNewNames(): boolean {
    return [...this.queues.values()].some((queue) => queue.isNew());
  }

  /** Tells each uplink that waits for them. */
  lose(reason: LossReason, samples: readonly StoredSample[]): void {
    const lost = new Set<number>();
    for (const queue of this.queues.values()) {
      const waited = samples.filter((sample) => queue.waitsFor(sample));
      for (const draft of draftsOf(reason, waited)) queue.lose(draft);
      for (const { number } of waited) lost.add(number);
    }
    this.#dropped += lost.size;
  }

  /** Tells one uplink, whose own limit it is. The others go on waiting. */
  loseFor(queue: Queue, reason: LossReason, samples: readonly StoredSample[]): void {
    const waited = samples.filter((sample) => queue.waitsFor(sample));
    for (const draft of draftsOf(reason, waited)) queue.lose(draft);
    this.#dropped += waited.length;
  }

  /** Tells each uplink that waits for some of these numbers; which tags they held is not known. */
  loseUnknown(reason: LossReason, block: Block): void {
    const numbers = { from: block.first, to: block.last };
    for (const queue of this.queues.values()) {
      if (clip(queue.pending(), numbers).length > 0) queue.lose(this.unknownLoss(reason, this.spanOf(block)));
    }
  }

  /** Where a block lies that cannot be read, in the time of its boot where that is not dated. */
  spanOf(block: Block): LossSpan {
    return { ...spanOf(block), ...spanIn(this.boots.bootAt(block.first)) };
  }

  unknownLoss(reason: LossReason, span: LossSpan): LossDraft {
    return { ...span, reason, priority: "mixed", tags: this.#tags.map((tag) => ({ tag, count: null })) };
  }

  /**
   * The file was replaced: what memory still holds is uncommitted again.
   *
   * @param lowest the lowest number in the new one
   */
  fileIsNew(lowest: number | undefined): void {
    for (const entry of this.tail.between(-Infinity, Infinity)) entry.state = "new";
    for (const queue of this.queues.values()) {
      queue.forgetStored();
      queue.giveUpBelow(Math.min(lowest ?? this.tail.base, this.tail.base));
    }
    this.dictionary.forgetStored();
    this.boots.forgetStored();
    this.doomed.clear();
    this.#owed = undefined;
    this.#settledBelow = this.tail.base;
  }

  /** Half of what memory may hold is in use, and will not be trimmed. */
  isCrowded(): boolean {
    const { tailSamples, tailBytes } = this.#limits;
    return this.tail.size > tailSamples / 2 || this.tail.bytes > tailBytes / 2;
  }

  #makeRoom(): void {
    const { recentSamples, recentBytes, tailSamples, tailBytes, giveUpSamples } = this.#limits;
    const releasedSamples = Math.min(this.#limits.releasedSamples, recentSamples);
    const isWithin = (samples: number, bytes: number) => this.tail.size <= samples && this.tail.bytes <= bytes;
    if (isWithin(releasedSamples, recentBytes)) return;
    const owed = this.owed();
    const isOwed = ({ sample }: TailEntry) => contains(owed, sample.number);
    const isSettled = (entry: TailEntry) => entry.state === "stored" || (entry.state === "new" && !isOwed(entry));
    const isKept = (entry: TailEntry) => isWithin(isOwed(entry) ? recentSamples : releasedSamples, recentBytes);
    this.tail.trim((entry) => isSettled(entry) && !isKept(entry));
    while (!isWithin(tailSamples, tailBytes)) {
      const given = this.tail.giveUp(giveUpSamples, (entry) => rankOf(entry.sample.tag.priority));
      if (given.length === 0) return;
      this.lose(
        "outbox full",
        given.map((entry) => entry.sample),
      );
    }
  }
}

function stampOf(sample: StoredSample): SafeTime {
  const { epoch } = sample;
  if (!isUndated(sample)) return { epoch, ms: sample.sourceTimestampMs };
  return { epoch, ms: sample.bootMs + sample.knownOffsetMs, boot: sample.boot };
}
