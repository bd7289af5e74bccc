/** Carries from memory to the file what has come of age, and drops from the file what its limits demand. */
import type { OutboxConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { PRIORITIES } from "../core/tag.ts";
import type { LossReason, NumberedSample, Range } from "../pipeline.ts";
import { blockOf, contentOf } from "./block-content.ts";
import { type OpenBlocks, type PackedBlock, pack } from "./block-packer.ts";
import { type Block, type BlockStore, type Change, type Facts, StorageFailure, type Usage } from "./block-store.ts";
import type { CommitTask } from "./commit-loop.ts";
import type { Ledger } from "./ledger.ts";
import type { OutboxLimits } from "./outbox-limits.ts";
import { containsAll, gaps } from "./ranges.ts";
import { type CandidateGroup, decideDrops, isOverfull, type RetentionLimits } from "./retention.ts";
import { FACT, safeText } from "./saved-facts.ts";
import type { TailEntry } from "./tail.ts";

/** How often, at a commit, the file is looked through for what is too old. */
const RETENTION_INTERVAL_MS = 60_000;
/** The same where nothing is committed, but something old is kept. */
const IDLE_RETENTION_INTERVAL_MS = 3_600_000;
/** Rounds of dropping after one commit; the next commit goes on. */
const MAX_DROP_ROUNDS = 16;

export interface CommitterOptions {
  readonly store: BlockStore;
  readonly ledger: Ledger;
  readonly config: OutboxConfig;
  readonly limits: OutboxLimits;
  readonly clock: Clock;
  readonly log: Log;
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
  #open: OpenBlocks = new Map();
  #usage: Usage;
  #committed: number;
  #retainedRunMs: number;
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
    this.#retainedRunMs = options.ledger.runMs();
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
    return {
      oldestMs: oldest?.sample.takenInMs,
      intervalMs: isOutage ? config.outageCommitIntervalMs : config.commitIntervalMs,
      isUrgent: this.#damage !== undefined || ledger.hasNewNames(),
      hasProgress:
        ledger.hasProgress ||
        this.#usage.moreReleased ||
        (this.#usage.lowest !== undefined && this.#sinceRetentionMs() >= IDLE_RETENTION_INTERVAL_MS),
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
      await this.#commitSamples([]);
      await this.#retain();
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
    await this.#commitSamples([[FACT.clean, "true"]], Infinity);
  }

  /** Sets a damaged file aside; what memory still holds goes into a new one. */
  async #renew(reason: string): Promise<void> {
    const { store, ledger, clock, log } = this.#options;
    const nowMs = clock.wallMs();
    const opened = await store.renew(reason, nowMs);
    log.error(`outbox.db is damaged (${reason}); it was set aside as ${opened.setAside?.path}`);
    for (const queue of ledger.queues.values()) {
      const first = queue.firstPending();
      if (first === undefined || first >= ledger.tail.base) continue;
      const fromMs = Math.min(queue.oldestMs() ?? 0, nowMs);
      queue.lose(ledger.unknownLoss("damaged file", { epoch: ledger.epoch, fromMs, toMs: nowMs }));
    }
    ledger.fileIsEmpty();
    this.#open = new Map();
    this.#usage = opened.usage;
    this.#saysClean = true;
    this.#damage = undefined;
  }

  async #commitSamples(more: Facts, releaseBelow = this.#options.ledger.tail.base): Promise<void> {
    const { ledger, limits } = this.#options;
    const found = ledger.unsettled(limits.commitSamples + 1);
    const entries = found.slice(0, limits.commitSamples);
    const beyond = found[limits.commitSamples];
    const newest = beyond === undefined ? ledger.newest : (entries.at(-1)?.sample.number ?? 0);
    const owed = ledger.owed();
    const mayGrow = ({ samples }: PackedBlock) => containsAll(owed, rangeOf(samples));
    const samples = entries.map((entry) => entry.sample);
    const packed = pack(this.#open, samples, mayGrow, ledger.runMs(), limits);
    const dropped = [...ledger.doomed];
    const queues = [...ledger.queues.values()];
    const ages = queues.map((queue) => queue.firstPending() ?? Infinity).map((n) => Math.min(n, ledger.newest + 1));
    const progress = this.#progress(beyond, more);
    const change: Change = {
      blocks: packed.blocks.map((block) => blockOf(block, ledger.runMs(), ledger.dictionary)),
      tags: ledger.dictionary.unstored(),
      facts: progress.facts,
      released: gaps(owed, { from: 0, to: Math.min(releaseBelow - 1, ledger.newest) }),
      dropped,
      ages,
    };
    this.#usage = await this.#store(change, entries);
    this.#open = packed.open;
    this.#committed = Math.max(this.#committed, samples.at(-1)?.number ?? 0);
    progress.stored();
    for (const first of dropped) ledger.doomed.delete(first);
    queues.forEach((queue, i) => {
      queue.noteOldest(ages[i] ?? 0, this.#usage.oldestMs[i]);
    });
    this.#giveUpGone();
    if (ledger.committedUpTo(newest)) for (const queue of queues) queue.notify();
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
  #progress(beyond: TailEntry | undefined, more: Facts): { facts: Facts; stored: () => void } {
    const { ledger, config } = this.#options;
    const runMs = ledger.runMs();
    const over = [...ledger.queues.values()].filter((queue) => queue.isOver(runMs, config.maxAgeMs));
    const staying = [...ledger.queues.values()].filter((queue) => !over.includes(queue));
    const parts = [...over.map((queue) => queue.removal()), ...staying.map((queue) => queue.unstored())];
    const facts: Facts = [
      // First, so that what is known better takes its place.
      ...this.#obsolete,
      ...(this.#saysClean ? [[FACT.clean, "false"] as const] : []),
      [FACT.safe, safeText(ledger.safeBefore(beyond))],
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

  async #retain(): Promise<void> {
    const { ledger, config } = this.#options;
    if (this.#sinceRetentionMs() < RETENTION_INTERVAL_MS && !isOverfull(this.#usage.usedBytes, config)) return;
    this.#retainedRunMs = ledger.runMs();
    for (let round = 0; round < MAX_DROP_ROUNDS; round++) {
      if ((await this.#dropOnce(config)) === 0) return;
    }
  }

  #sinceRetentionMs(): number {
    return this.#options.ledger.runMs() - this.#retainedRunMs;
  }

  /** Only blocks below the tail: what memory shows as stored stays stored. @returns blocks dropped */
  async #dropOnce(retention: RetentionLimits): Promise<number> {
    const { store, ledger, limits } = this.#options;
    const groups: CandidateGroup[] = [];
    for (const priority of PRIORITIES.keys()) {
      const request = { priority, maxBlocks: limits.retentionBlocks, below: ledger.tail.base };
      const found = await store.oldest(request);
      const free = found.filter((block) => !ledger.doomed.has(block.first));
      groups.push({ oldest: free, isAll: found.length < request.maxBlocks });
    }
    const drops = decideDrops(groups, this.#usage.usedBytes, ledger.runMs(), retention);
    if (drops.length === 0) return 0;
    const blocks = await store.load(drops.map((drop) => drop.first));
    for (const { first, reason } of drops) {
      const block = blocks.find((candidate) => candidate.first === first && !ledger.doomed.has(first));
      if (block !== undefined) this.#declare(block, reason);
    }
    const gone = new Set(drops.map((drop) => drop.first));
    for (const first of gone) ledger.doomed.add(first);
    this.#open = new Map([...this.#open].filter(([, { samples }]) => !gone.has(rangeOf(samples).from)));
    await this.#commitSamples([]);
    return drops.length;
  }

  #declare(block: Block, reason: LossReason): void {
    const { ledger } = this.#options;
    const { samples } = contentOf(block, ledger.dictionary);
    if (samples.length > 0) ledger.lose(reason, samples);
    else ledger.loseUnknown("damaged file", { from: block.first, to: block.last }, block);
  }
}

function rangeOf(samples: readonly NumberedSample[]): Range {
  return { from: samples[0]?.number ?? 0, to: samples.at(-1)?.number ?? 0 };
}
