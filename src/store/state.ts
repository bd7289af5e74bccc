/**
 * Small facts that must survive, in state.db: epoch, session numbers, what is published retained, the safe time.
 * Epoch, session numbers and retained topics are also kept in the outbox: the larger number counts, and every topic, so
 * that the loss of one file turns nothing back and leaves nothing shown that is gone.
 *
 *     counter/epoch, counter/session/UPLINK   highest number that may have been given
 *     bdSeq/UPLINK                            Sparkplug's number of the last CONNECT, counted on beyond 255
 *     retained/UPLINK/SERVER                  topics
 *     known                                   safe time, oldest sample held, last time seen, whether the outbox had no file
 *     tags                                    all that the outbox may hold samples of
 *     counts                                  totals of inputs, and whether that run ended in order
 *     provisional                             the epoch began at a guess of the time
 */
import { type Clock, sleep } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { KeptCount } from "../core/kept-count.ts";
import type { KnownTime } from "../core/known-time.ts";
import type { Log } from "../core/log.ts";
import type { TagRef } from "../core/tag.ts";
import type { StateStore } from "../pipeline.ts";
import { type BlockStore, type Facts, StorageFailure } from "./block-store.ts";
import { withFormer } from "./dictionary.ts";
import { KNOWN, knownIn, numberIn, tagsIn, textOf, topicsIn, union } from "./fact-text.ts";
import { COUNTS, KeptCounts } from "./kept-counts.ts";
import type { LastKnown } from "./outbox.ts";
import { laterSafe } from "./saved-facts.ts";
import type { StateFile } from "./storage-client.ts";

/**
 * Numbers are stored this many ahead: those below the stored one can be given at once, and a start goes on above it.
 * More would let a gateway that keeps crashing run ahead of the Unix time with which lost counters begin again.
 */
const AHEAD = 16;
/** P11: the state record is written no more often. */
const SAVE_INTERVAL_MS = 60_000;
/** A card that did not take the epoch is asked again no more often. */
const RESERVE_AGAIN_MS = 5_000;
const TAGS = "tags";
export const COUNTER = "counter/";
const RETAINED = "retained/";
const BD_SEQ = "bdSeq/";
/** Sparkplug 3.0, chapter 6: 0 to 255. */
const BD_SEQS = 256;
const PROVISIONAL = "provisional";
export const EPOCH = `${COUNTER}epoch`;

interface Counter {
  value: number;
  /** On the card: nothing above it was ever given. */
  stored: number;
  /** Under way: whoever waits meanwhile waits for the same. */
  reserving: Promise<void> | undefined;
}

export interface StateOptions {
  readonly file: StateFile;
  /** Keeps the second copies. */
  readonly blocks: BlockStore;
  readonly clock: Clock;
  /** Absent: the clock is good. */
  readonly time?: KnownTime;
  readonly log: Log;
  /** The outbox has no file in this life: what was known of it stays known. */
  readonly isBlind?: boolean;
  /** What inputs had counted was in a file that is gone or cannot be read. */
  readonly countsLost?: boolean;
}

export class State implements StateStore {
  readonly lastKnown: LastKnown;
  /** What the outbox held samples of; undefined where that is not known. */
  readonly formerTags: readonly TagRef[] | undefined;
  /** Also where that start ended before anything was known. */
  readonly knowsEarlierStart: boolean;
  readonly #options: StateOptions;
  readonly #counters = new Map<string, Counter>();
  readonly #bdSeqs = new Map<string, number>();
  readonly #retained = new Map<string, readonly string[]>();
  /** What only one of the two files knows: the next loss of a file could be that one. */
  readonly #keptOnce = new Set<string>();
  readonly #counts: KeptCounts;
  #isClosing = false;
  readonly #settled: Promise<void>;
  #settle = () => {};
  #settledMs = 0;
  readonly #beganInTheDark: boolean;
  /** No file knew an epoch, and nobody the time: it began at a guess. */
  #isProvisional: boolean;
  #known: LastKnown;
  #tags: string | null;
  #storedTags: string | null;
  #failure: StorageFailure | undefined;
  /** What the card has not taken: it goes with the next record. */
  readonly #owed = new Map<string, string | null>();
  #savedMs: number;
  #reserveAgainMs: number;

  /** @param facts of state.db; @param copies facts of the outbox */
  constructor(options: StateOptions, facts: Facts, copies: Facts) {
    this.#options = options;
    // A blind life leaves its trace at once: the outbox cannot tell of it.
    this.#savedMs = options.isBlind ? Number.NEGATIVE_INFINITY : options.clock.monotonicMs();
    this.#reserveAgainMs = options.clock.monotonicMs() + RESERVE_AGAIN_MS;
    for (const [name, text] of [...facts, ...copies]) {
      if (name.startsWith(COUNTER)) this.#raise(name, numberIn(text));
      if (name.startsWith(BD_SEQ)) this.#bdSeqs.set(name, Math.max(this.#bdSeqs.get(name) ?? 0, numberIn(text) ?? 0));
    }
    for (const [name, text] of [...facts, ...copies]) {
      // Of two that differ both are kept: a topic that is cleared once too often does no harm.
      if (name.startsWith(RETAINED)) this.#retained.set(name, union(this.#retained.get(name), topicsIn(text)));
    }
    for (const [name, topics] of this.#retained) {
      const isIn = (all: Facts) => all.some(([other, text]) => other === name && text === JSON.stringify(topics));
      if (!isIn(facts) || !isIn(copies)) this.#keptOnce.add(name);
    }
    this.lastKnown = knownIn(facts.find(([name]) => name === KNOWN)?.[1] ?? null);
    this.knowsEarlierStart = facts.length > 0;
    this.#counts = new KeptCounts(facts.find(([name]) => name === COUNTS)?.[1] ?? null, options.countsLost ?? false);
    this.#storedTags = facts.find(([name]) => name === TAGS)?.[1] ?? null;
    this.#tags = this.#storedTags;
    this.formerTags = tagsIn(this.#storedTags);
    this.#known = this.lastKnown;
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#beganInTheDark = options.time?.trust() === "none";
    this.#isProvisional = [...facts, ...copies].some(([name]) => name === PROVISIONAL);
    this.#isProvisional ||= !this.#counters.has(EPOCH) && this.#beganInTheDark;
    if (options.time === undefined) this.#settle();
    // A life on a card that took nothing went by the time: see nextSession and reserveEpochs.
    for (const [name, it] of this.#counters) if (name !== EPOCH) it.value = Math.max(it.value, this.#seconds());
    const epochs = this.#counter(EPOCH);
    epochs.value = Math.max(epochs.value + 1, this.#seconds());
  }

  epoch(): number {
    return this.#counter(EPOCH).value;
  }

  async clockSettled(nowMs: number, isCertain: boolean): Promise<boolean> {
    this.#settledMs = nowMs;
    // Also where the files knew a number: a life that left no trace in them may have gone by the time.
    const mayBeBehind = this.#beganInTheDark && isCertain && this.epoch() < this.#seconds();
    const mustRise = this.#isProvisional || mayBeBehind;
    if (mustRise) {
      this.#isProvisional = false;
      for (const counter of this.#counters.values()) counter.value = Math.max(counter.value, this.#seconds());
      await this.reserveEpochs();
    }
    this.#settle();
    return mustRise;
  }

  /** Given from those stored ahead. More clock steps at once than these, on a card that takes nothing, go on unstored. */
  raiseEpoch(): number {
    const counter = this.#counter(EPOCH);
    counter.value++;
    if (counter.stored - counter.value < AHEAD / 2) void this.reserveEpochs();
    return counter.value;
  }

  /** Never rejects: a gateway with a full card starts all the same. */
  async reserveEpochs(): Promise<void> {
    try {
      await this.#reserve(EPOCH);
    } catch (error) {
      this.#options.log.error(`the epoch could not be stored: ${messageOf(error)}`);
      // What is not stored is given again at the next start, unless the time has taken it beyond.
      const counter = this.#counter(EPOCH);
      counter.value = Math.max(counter.value, this.#seconds());
    }
  }

  async nextSession(uplink: string): Promise<number> {
    const name = `${COUNTER}session/${uplink}`;
    // A number that begins at the Unix time must not begin at a guess of it.
    if (!this.#counters.has(name)) await this.#settled;
    const counter = this.#counter(name);
    try {
      while (counter.value >= counter.stored) await this.#reserve(name);
    } catch (error) {
      // Live values must go out on a card that takes nothing, too.
      this.#refused(error);
      await this.#timeReaches(counter);
    }
    return ++counter.value;
  }

  /** Each is stored by itself: where a number is left out, a host takes it for a session that it missed. */
  async nextBdSeq(uplink: string): Promise<number> {
    const name = `${BD_SEQ}${uplink}`;
    const count = (this.#bdSeqs.get(name) ?? -1) + 1;
    this.#bdSeqs.set(name, count);
    await this.#saveOrOwe(name, JSON.stringify(count));
    return count % BD_SEQS;
  }

  /** The next start goes on above the time: what no file knows must not be ahead of it. */
  async #timeReaches(counter: Counter): Promise<void> {
    counter.value = Math.max(counter.value, this.#seconds() - 1);
    const aheadMs = (counter.value + 1) * 1_000 - this.#nowMs();
    if (aheadMs > 0) await sleep(this.#options.clock, Math.min(aheadMs, AHEAD * 1_000));
  }

  retained(uplink: string, server: string): readonly string[] {
    return this.#retained.get(retainedName(uplink, server)) ?? [];
  }

  async setRetained(uplink: string, server: string, topics: readonly string[]): Promise<void> {
    const name = retainedName(uplink, server);
    const text = textOf(topics);
    this.#keptOnce.delete(name);
    await this.#saveOrOwe(name, text);
    this.#retained.set(name, topics);
  }

  count(input: string, start: number): KeptCount {
    return this.#counts.of(input, start);
  }

  keepCount(input: string, count: KeptCount): void {
    if (this.#counts.keep(input, count)) this.#saveWithTags(this.#countFacts()).catch(() => undefined);
  }

  /** Open from the start of a run to its end: found so, the last minute is missing in them. */
  #countFacts(): Facts {
    const text = this.#counts.text(this.#isClosing);
    return text === null ? [] : [[COUNTS, text]];
  }

  async #saveOrOwe(name: string, text: string | null): Promise<void> {
    try {
      await this.#saveTwice([[name, text]]);
      this.#owed.delete(name);
    } catch (error) {
      this.#refused(error);
      this.#owed.set(name, text);
    }
  }

  /** Stored at once where it changed, else with what is stored next. */
  keepTags(tags: readonly TagRef[]): void {
    const all = this.#options.isBlind ? withFormer(tags, this.formerTags ?? []) : tags;
    this.#tags = JSON.stringify(all.map(({ device, name, type, priority }) => [device, name, type, priority]));
    if (this.#tags !== this.#storedTags) this.#saveWithTags([]).catch(() => undefined);
  }

  /** Stores once a minute what is known then. */
  tick(known: () => LastKnown | undefined): void {
    const { clock } = this.#options;
    this.#reserveAgain();
    if (clock.monotonicMs() - this.#savedMs < SAVE_INTERVAL_MS) return;
    const now = known();
    if (now === undefined) return;
    this.#note(now);
    this.#savedMs = clock.monotonicMs();
    this.#save().catch((error) => this.#refused(error));
  }

  /** Why state.db cannot be written; undefined while it can. */
  failure(): StorageFailure | undefined {
    return this.#failure;
  }

  async close(known: LastKnown | undefined): Promise<void> {
    const { file, log } = this.#options;
    if (known !== undefined) this.#note(known);
    this.#isClosing = true;
    try {
      await this.#save().finally(() => file.close());
    } catch (thrown) {
      log.error(`state.db could not be closed: ${messageOf(thrown)}`);
    }
  }

  /** The card did not take the epoch: the next start would give it again. */
  #reserveAgain(): void {
    const { value, stored } = this.#counter(EPOCH);
    const nowMs = this.#options.clock.monotonicMs();
    if (value < stored || nowMs < this.#reserveAgainMs) return;
    this.#reserveAgainMs = nowMs + RESERVE_AGAIN_MS;
    this.#reserve(EPOCH).catch(() => undefined);
  }

  #note(known: LastKnown): void {
    // What is safe of a life without a file says nothing of what the file holds.
    if (this.#options.isBlind) this.#known = { ...this.lastKnown, wasBlind: true };
    else this.#known = { ...known, safe: laterSafe(this.#known.safe, known.safe) };
  }

  async #save(): Promise<void> {
    const { clock, time } = this.#options;
    const seenMs = clock.wallMs();
    const seenIn = time && { boot: time.boot, monotonicMs: Math.round(clock.monotonicMs()) };
    const owed = [...this.#owed];
    await this.#saveWithTags([
      [KNOWN, JSON.stringify({ ...this.#known, seenMs, ...seenIn })],
      ...this.#countFacts(),
      ...owed,
    ]);
    for (const [name, text] of owed) if (this.#owed.get(name) === text) this.#owed.delete(name);
    this.#failure = undefined;
  }

  async #saveWithTags(facts: Facts): Promise<void> {
    const tags = this.#tags;
    await this.#options.file.save(tags === this.#storedTags ? facts : [...facts, [TAGS, tags]]);
    this.#storedTags = tags;
  }

  /** Told once until it is written again. */
  #refused(error: unknown): void {
    if (!(error instanceof StorageFailure)) throw error;
    if (this.#failure === undefined) this.#options.log.error(`state.db cannot be written: ${error.message}`);
    this.#failure = error;
  }

  async #reserve(name: string): Promise<void> {
    const counter = this.#counter(name);
    counter.reserving ??= this.#store(name, counter).finally(() => {
      counter.reserving = undefined;
    });
    await counter.reserving;
  }

  /** Stores a higher number. */
  async #store(name: string, counter: Counter): Promise<void> {
    const ahead = Math.max(counter.value, counter.stored) + AHEAD;
    const facts: Facts = [
      [name, JSON.stringify(ahead)],
      ...(name === EPOCH ? [[PROVISIONAL, this.#isProvisional ? "true" : null] as const] : []),
      ...[...this.#keptOnce].map((retained) => [retained, textOf(this.#retained.get(retained) ?? [])] as const),
    ];
    await this.#saveTwice(facts, name === EPOCH ? this.#countFacts() : []);
    this.#keptOnce.clear();
    counter.stored = Math.max(counter.stored, ahead);
  }

  /** One of the two files is enough. */
  async #saveTwice(facts: Facts, inStateOnly: Facts = []): Promise<void> {
    const { blocks } = this.#options;
    const saving = [this.#saveWithTags([...facts, ...inStateOnly]), blocks.commit({ ...NO_CHANGE, facts })];
    const [inState, inOutbox] = await Promise.allSettled(saving);
    if (inState?.status === "rejected" && inOutbox?.status === "rejected") {
      throw new StorageFailure("failing", messageOf(inState.reason));
    }
  }

  #counter(name: string): Counter {
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    const counter = { value: this.#seconds(), stored: this.#seconds(), reserving: undefined };
    this.#counters.set(name, counter);
    return counter;
  }

  #nowMs(): number {
    return Math.max(this.#settledMs, this.#options.clock.wallMs());
  }

  #seconds(): number {
    return Math.floor(this.#nowMs() / 1_000);
  }

  #raise(name: string, stored: number | undefined): void {
    if (stored === undefined) return;
    const highest = Math.max(stored, this.#counters.get(name)?.stored ?? 0);
    this.#counters.set(name, { value: highest, stored: highest, reserving: undefined });
  }
}

const NO_CHANGE = { blocks: [], tags: [], facts: [], released: [], dropped: [], forgotten: [], ages: [] } as const;

/** An uplink's name has no slash; a server's URL has. */
function retainedName(uplink: string, server: string): string {
  return `${RETAINED}${uplink}/${server}`;
}
