/** Carries from memory to the file what has come of age. */
import type { OutboxConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Range } from "../pipeline.ts";
import { blockOf } from "./block-content.ts";
import { type OpenBlocks, type PackedBlock, pack } from "./block-packer.ts";
import { type BlockStore, type Change, type Facts, StorageFailure, type Usage } from "./block-store.ts";
import type { CommitTask } from "./commit-loop.ts";
import type { Incidents } from "./incidents.ts";
import type { Ledger } from "./ledger.ts";
import type { OutboxLimits } from "./outbox-limits.ts";
import { containsAll, gaps } from "./ranges.ts";
import { Retainer } from "./retainer.ts";
import { commitBytesOf } from "./retention.ts";
import { FACT, safeText } from "./saved-facts.ts";
import type { StoredSample } from "./stored-sample.ts";
import type { TailEntry } from "./tail.ts";

/** Rounds of dropping before and after a commit; the next one goes on. */
const MAX_DROP_ROUNDS = 16;
/** More than a sample takes in a block, its text left out. */
const STORED_SAMPLE_BYTES = 16;
/** Of a character of text. */
const STORED_CHARACTER_BYTES = 3;
/** Tags in the dictionary of the file that nothing refers to, before they are removed. */
const MAX_UNUSED_TAGS = 1_000;

export interface CommitterOptions {
  readonly store: BlockStore;
  readonly ledger: Ledger;
  readonly config: OutboxConfig;
  readonly limits: OutboxLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly incidents: Incidents;
  readonly usage: Usage;
  /** The highest number in the file. */
  readonly committed: number;
  /** Facts to remove: they cannot be read. */
  readonly obsolete: Facts;
  /** Called before each check. */
  readonly onTick: () => void;
}

export class Committer implements CommitTask {
  readonly #options: CommitterOptions;
  readonly #retainer: Retainer;
  #open: OpenBlocks = new Map();
  #usage: Usage;
  #committed: number;
  #obsolete: Facts;
  /** The file still says that the last stop was clean. */
  #saysClean = true;
  /** Why a read found the file damaged, until it is set aside. */
  #damage: StorageFailure | undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#usage = options.usage;
    this.#committed = options.committed;
    this.#obsolete = options.obsolete;
    this.#retainer = new Retainer(options);
  }

  get usage(): Usage {
    return this.#usage;
  }

  get committed(): number {
    return this.#committed;
  }

  state(): ReturnType<CommitTask["state"]> {
    const { ledger, config } = this.#options;
    const [oldest] = ledger.unsettled(1);
    // Stored samples that wait for a configured uplink: its broker, not the moment, keeps them waiting.
    const isOutage = ledger.passed() <= this.#committed;
    const intervalMs = isOutage ? config.outageCommitIntervalMs : config.commitIntervalMs;
    return {
      oldestMs: oldest?.sample.takenInMs,
      // Nothing is given up for want of memory while there is room on the card.
      intervalMs: ledger.isCrowded() ? 0 : intervalMs,
      isUrgent: this.#damage !== undefined || ledger.hasNewNames() || ledger.boots.hasUnstoredOffset(),
      hasProgress: ledger.hasProgress || this.#usage.moreReleased || this.#retainer.isWaiting(this.#usage),
    };
  }

  /** A read failed; a damaged file is set aside with the next commit. */
  readFailed(failure: StorageFailure): void {
    this.#options.log.warning(`the outbox cannot be read: ${failure.message}`);
    if (failure.kind === "damaged") this.#damage = failure;
  }

  tick(): void {
    this.#options.onTick();
  }

  async commit(): Promise<void> {
    try {
      if (this.#damage !== undefined) throw this.#damage;
      // Room first: the file never grows beyond its limit to shrink again.
      await this.#makeRoom(commitBytesOf(this.#options.config.maxSizeBytes));
      await this.#commitSamples([]);
      await this.#makeRoom(0);
    } catch (thrown) {
      if (!(thrown instanceof StorageFailure) || thrown.kind !== "damaged") throw thrown;
      // Kept until the file is renewed: a card that refuses the renaming is asked again.
      this.#damage = thrown;
      await this.#renew(thrown.message);
      await this.#commitSamples([]);
    }
  }

  /** The last commit of all, after everything else is stored. */
  async markClean(): Promise<void> {
    await this.#commitSamples([[FACT.clean, "true"]], { releaseBelow: Infinity });
  }

  /** @param toComeBytes what the next commit may add */
  async #makeRoom(toComeBytes: number): Promise<void> {
    for (let round = 1; round <= MAX_DROP_ROUNDS; round++) {
      if (!(await this.#retainer.round(this.#usage, toComeBytes))) return;
      await this.#commitSamples([], { maxSamples: 0 });
    }
  }

  /** Sets a damaged file aside; what memory still holds goes into a new one. */
  async #renew(reason: string): Promise<void> {
    const { store, ledger, clock, incidents } = this.#options;
    const nowMs = clock.wallMs();
    const opened = await store.renew(reason, nowMs, ledger.tail.base);
    const { path, salvaged } = opened.setAside ?? {};
    incidents.tell(
      `outbox.db is damaged (${reason}); it was set aside as ${path}, ${salvaged?.blocks ?? 0} blocks salvaged`,
    );
    for (const queue of ledger.queues.values()) {
      const first = queue.firstPending();
      if (first === undefined || first >= ledger.tail.base || salvaged?.isWhole) continue;
      const fromMs = Math.min(queue.oldestMs() ?? 0, nowMs);
      const fromBoot = ledger.boots.undatedAt(first);
      const toBoot = ledger.boots.undatedBoot();
      const span = { fromMs, toMs: nowMs, ...(fromBoot && { fromBoot }), ...(toBoot && { toBoot }) };
      queue.lose(ledger.unknownLoss("damaged file", { epoch: 0, toEpoch: ledger.epoch, ...span }));
    }
    ledger.fileIsNew(opened.usage.lowest);
    this.#open = new Map();
    this.#usage = opened.usage;
    this.#saysClean = true;
    this.#damage = undefined;
  }

  async #commitSamples(more: Facts, options: { maxSamples?: number; releaseBelow?: number } = {}): Promise<void> {
    const { ledger, limits } = this.#options;
    const { maxSamples = limits.commitSamples, releaseBelow = ledger.tail.base } = options;
    const { entries, beyond } = this.#ofAge(maxSamples);
    const newest = beyond.length === 0 ? ledger.newest : (entries.at(-1)?.sample.number ?? ledger.visible());
    const owed = ledger.owed();
    // One that goes must not come back with its next sample.
    const mayGrow = ({ samples }: PackedBlock) =>
      containsAll(owed, rangeOf(samples)) && !ledger.doomed.has(rangeOf(samples).from);
    const samples = entries.map((entry) => entry.sample);
    const packed = pack(this.#open, samples, mayGrow, ledger.runMs(), limits);
    const dropped = [...ledger.doomed];
    const forgotten = packed.blocks.length === 0 ? this.#unusedTags() : [];
    const queues = [...ledger.queues.values()];
    const ages = queues.map((queue) => queue.firstPending() ?? Infinity).map((n) => Math.min(n, ledger.newest + 1));
    const progress = this.#progress(beyond, more);
    const datedBefore = ledger.dated();
    const change: Change = {
      blocks: packed.blocks.map((block) => blockOf(block, ledger.runMs(), ledger.dictionary)),
      tags: ledger.dictionary.unstored(),
      facts: progress.facts,
      released: gaps(owed, { from: 0, to: Math.min(releaseBelow - 1, ledger.newest) }),
      dropped,
      forgotten,
      ages,
    };
    this.#usage = await this.#store(change, entries);
    this.#open = packed.open;
    this.#committed = Math.max(this.#committed, samples.at(-1)?.number ?? 0);
    progress.stored();
    for (const first of dropped) ledger.doomed.delete(first);
    ledger.dictionary.forget(forgotten);
    queues.forEach((queue, i) => {
      queue.noteOldest(ages[i] ?? 0, this.#usage.oldestMs[i]);
    });
    this.#giveUpGone();
    const isDated = datedBefore < ledger.dated();
    if (ledger.committedUpTo(newest) || isDated) for (const queue of queues) queue.notify();
  }

  /** What the next commit takes, so that it stays within its part of the log. */
  #ofAge(maxSamples: number): { readonly entries: readonly TailEntry[]; readonly beyond: readonly TailEntry[] } {
    const { ledger, config } = this.#options;
    const found = ledger.unsettled(Number.POSITIVE_INFINITY);
    let leftBytes = commitBytesOf(config.maxSizeBytes);
    const tooMany = found.findIndex(({ sample }, i) => {
      const text = typeof sample.value === "string" ? sample.value.length : 0;
      leftBytes -= STORED_SAMPLE_BYTES + STORED_CHARACTER_BYTES * text;
      return i > 0 && leftBytes < 0;
    });
    const end = Math.min(maxSamples, tooMany < 0 ? Number.POSITIVE_INFINITY : tooMany);
    return { entries: found.slice(0, end), beyond: found.slice(end) };
  }

  /** Only while the file holds no block: none can refer to them. */
  #unusedTags(): readonly number[] {
    const { dictionary, tags, queues } = this.#options.ledger;
    if (this.#usage.lowest !== undefined || dictionary.storedCount <= tags.length + MAX_UNUSED_TAGS) return [];
    const lost = [...queues.values()].flatMap((queue) => queue.allLosses()).flatMap((loss) => loss.tags);
    return dictionary.unusedBy([...tags, ...lost.map(({ tag }) => tag)]);
  }

  async #store(change: Change, entries: readonly TailEntry[]): Promise<Usage> {
    const { ledger } = this.#options;
    for (const entry of entries) entry.state = "committing";
    ledger.commitBegins(entries.at(-1)?.sample.number ?? 0);
    let state: TailEntry["state"] = "new";
    try {
      const usage = await this.#options.store.commit(change);
      state = "stored";
      this.#saysClean = false;
      ledger.dictionary.stored(change.tags);
      return usage;
    } catch (thrown) {
      ledger.commitFailed();
      throw thrown;
    } finally {
      for (const entry of entries) entry.state = state;
    }
  }

  /** The facts of a commit, and what to do when they are stored. */
  #progress(beyond: readonly TailEntry[], more: Facts): { facts: Facts; stored: () => void } {
    const { ledger, config } = this.#options;
    const runMs = ledger.runMs();
    const over = [...ledger.queues.values()].filter((queue) => queue.isOver(runMs, config.maxAgeMs));
    const staying = [...ledger.queues.values()].filter((queue) => !over.includes(queue));
    const parts = [
      ledger.boots.unstored(ledger.released(), () => ledger.dateLosses()),
      ...over.map((queue) => queue.removal()),
      ...staying.map((queue) => queue.unstored()),
    ];
    const facts: Facts = [
      // First, so that what is known better takes its place.
      ...this.#obsolete,
      ...(this.#saysClean ? [[FACT.clean, "false"] as const] : []),
      [FACT.safe, safeText(ledger.safeBut(beyond))],
      [FACT.runMs, JSON.stringify(runMs)],
      ...parts.flatMap((part) => part.facts),
      ...more,
    ];
    return {
      facts,
      stored: () => {
        this.#obsolete = [];
        for (const part of parts) part.stored();
        for (const queue of over) if (queue.isParked) ledger.removeQueue(queue.name);
      },
    };
  }

  /** Numbers below every block and below the tail have no sample: nobody needs to wait for them. */
  #giveUpGone(): void {
    const { ledger } = this.#options;
    const floor = Math.min(this.#usage.lowest ?? Infinity, ledger.tail.base);
    for (const queue of ledger.queues.values()) queue.giveUpBelow(floor);
    ledger.progressChanged();
  }
}

function rangeOf(samples: readonly StoredSample[]): Range {
  return { from: samples[0]?.number ?? 0, to: samples.at(-1)?.number ?? 0 };
}
