/**
 * The outbox: every sample passes through it, and stays until every uplink's broker has acknowledged it.
 *
 *     append ──► tail (memory) ──► uplinks' reads                 while they acknowledge in time
 *                  └─ of age ──► commit ──► blocks in the file ──► uplinks' reads of history
 *
 * This file joins the parts: ledger (who waits for what), committer (memory to file), queues (an uplink's view).
 */
import type { OutboxConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { BootOffset, KnownTime } from "../core/known-time.ts";
import type { Log } from "../core/log.ts";
import type { TagRef } from "../core/tag.ts";
import type {
  ConfiguredUplink,
  Forgotten,
  LossReason,
  Moment,
  Outbox,
  OutboxReport,
  Sample,
  UndatedSample,
  UplinkQueue,
} from "../pipeline.ts";
import { type BlockContent, contentOf } from "./block-content.ts";
import { type Block, type BlockStore, type OpenedBlocks, StorageFailure } from "./block-store.ts";
import { BootTimes } from "./boot-times.ts";
import { CommitLoop, healthWith } from "./commit-loop.ts";
import { Committer } from "./committer.ts";
import { Dictionary, withFormer } from "./dictionary.ts";
import { highestNumber } from "./highest-number.ts";
import { HistoryReader } from "./history-reader.ts";
import type { Incidents } from "./incidents.ts";
import { Ledger } from "./ledger.ts";
import type { LossDraft } from "./losses.ts";
import type { OutboxLimits } from "./outbox-limits.ts";
import { laterSafe, type SafeTime, type SavedOutbox, savedOutbox } from "./saved-facts.ts";
import { Queue } from "./uplink-queue.ts";

/** Within an epoch the clock may step back by so much: what is stamped then lies before what was stored already. */
const STEP_WITHIN_EPOCH_MS = 1_000;
/** Nothing is known of where a loss begins. */
const BEGINNING: Moment = { epoch: 0, ms: 0 };
/** A stop has seconds, and a card that refused twice refuses again. */
const CLOSE_ATTEMPTS = 2;

/** What is known from elsewhere about a file that is not there any more, or was not closed. */
export interface LastKnown {
  readonly safe: SafeTime | undefined;
  /** Source time of the oldest sample it held; undefined when it held none, or it is not known. */
  readonly oldestMs: number | undefined;
  /** The life before had no file: what no uplink acknowledged in it is lost, however the file before was closed. */
  readonly wasBlind?: boolean;
}

export interface OutboxOptions {
  readonly store: BlockStore;
  readonly config: OutboxConfig;
  readonly limits: OutboxLimits;
  /** All that are configured. Other names in the file are parked. */
  readonly uplinks: readonly ConfiguredUplink[];
  /** The configured tags: told in losses of which nothing closer is known. */
  readonly tags: readonly TagRef[];
  /** What it may hold samples of besides; undefined: only the file knows. */
  readonly formerTags: readonly TagRef[] | undefined;
  /** Called with all tags that it may hold samples of: a file that is damaged does not tell them any more. */
  readonly keepTags: (tags: readonly TagRef[]) => void;
  readonly epoch: number;
  readonly clock: Clock;
  /** Absent: the clock is good. */
  readonly time?: KnownTime;
  readonly log: Log;
  readonly incidents: Incidents;
  readonly lastKnown: LastKnown;
  /** There was an outbox before: an empty file is not the one. */
  readonly hadOutbox: boolean;
  /** Why state.db cannot be written. */
  readonly stateFailure: () => StorageFailure | undefined;
  /** Called before each check; `known` looks through what memory holds, and gives nothing while nothing is safe. */
  readonly onTick: (known: () => LastKnown | undefined) => void;
  /** Ends what was opened beside the outbox. */
  readonly onClosed: (known: LastKnown | undefined) => Promise<void>;
}

/** @param opened what the store found */
export async function createOutbox(options: OutboxOptions, opened: OpenedBlocks): Promise<Outbox> {
  const { incidents } = options;
  if (opened.setAside !== undefined) {
    incidents.tell(
      `outbox.db could not be used (${opened.setAside.reason}); it was set aside as ${opened.setAside.path}, ${opened.setAside.salvaged?.blocks ?? 0} blocks salvaged`,
    );
  }
  const dictionary = new Dictionary(opened.tags);
  const saved = savedOutbox(opened.facts, dictionary);
  for (const { name, problem } of saved.bad) incidents.tell(`${name} in outbox.db is damaged: ${problem}`);
  const outbox = new StoredOutbox(options, opened, dictionary, saved);
  await outbox.start();
  return outbox;
}

class StoredOutbox implements Outbox {
  readonly #options: OutboxOptions;
  readonly #ledger: Ledger;
  readonly #committer: Committer;
  readonly #loop: CommitLoop;
  /** A new name in a file that replaced a damaged one may have lost anything. */
  readonly #damage: LossDraft | undefined;
  readonly #mayBeDueAtOnce: boolean;
  /** While names are taken over: one that the file does not know may have been added just before the unclean stop. */
  #gap: LossDraft | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: OutboxOptions, opened: OpenedBlocks, dictionary: Dictionary, saved: SavedOutbox) {
    const { clock, config, limits, tags, epoch, store, log, incidents, time } = options;
    const formerTags = options.formerTags ?? dictionary.all();
    const intervalsMs = [config.commitIntervalMs, config.outageCommitIntervalMs];
    this.#options = options;
    this.#mayBeDueAtOnce = intervalsMs.includes(0);
    this.#ledger = new Ledger({
      clock,
      limits,
      dictionary,
      boots: new BootTimes(saved.boots, time),
      tags: withFormer(tags, formerTags),
      epoch,
      newest: highestNumber(opened, saved, dictionary),
      nextLossId: 1 + Math.max(0, ...[...saved.losses.values()].flat().map((loss) => loss.id)),
      runMs: saved.runMs,
      commitFirst: config.commitIntervalMs === 0,
    });
    this.#committer = new Committer({
      store,
      ledger: this.#ledger,
      config,
      limits,
      clock,
      log,
      incidents,
      usage: opened.usage,
      committed: opened.highest ?? 0,
      obsolete: saved.bad.map(({ name }) => [name, null]),
      onTick: () => options.onTick(() => this.#known()),
    });
    this.#loop = new CommitLoop(this.#committer, clock, log, intervalsMs);
    const isDamaged = opened.setAside !== undefined && opened.setAside.salvaged?.isWhole !== true;
    this.#damage = isDamaged || this.#isGone(saved) ? this.#damageLoss() : undefined;
    this.#restore(saved);
    for (const uplink of options.uplinks) this.#configure(uplink);
    this.#gap = undefined;
    this.#parkOthers();
    this.#tellOf(tags, formerTags);
  }

  /** No uplink waits for anything of before. */
  #isEmpty(): boolean {
    return [...this.#ledger.queues.values()].every(
      (queue) => queue.firstPending() === undefined && queue.losses().length === 0,
    );
  }

  /** Tells the file that it is in use. A card that refuses does not keep the gateway from starting. */
  async start(): Promise<void> {
    await this.#checkRows();
    await this.#loop.flush();
    this.#loop.start();
  }

  append(samples: readonly (Sample | UndatedSample)[]): void {
    if (samples.length === 0) return;
    this.#ledger.append(samples);
    if (this.#mayBeDueAtOnce) this.#loop.checkNow();
    if (this.#options.config.commitIntervalMs === 0) return;
    for (const queue of this.#ledger.queues.values()) queue.notify();
  }

  uplink(name: string, startAt: "now" | "oldest"): UplinkQueue {
    const known = this.#ledger.queues.get(name);
    const queue = known ?? this.#newQueue(name);
    if (known === undefined) {
      const from = startAt === "now" && this.#damage === undefined ? this.#ledger.newest + 1 : this.#oldestHeld();
      queue.begin(from);
      for (const loss of [this.#damage, this.#gap]) if (loss !== undefined) queue.lose(loss);
    }
    queue.claim();
    this.#ledger.progressChanged();
    return queue;
  }

  reconfigure(uplinks: readonly ConfiguredUplink[], tags: readonly TagRef[]): void {
    this.#tellOf(tags, this.#ledger.tags);
    const names = new Set(uplinks.map(({ name }) => name));
    for (const [name, queue] of this.#ledger.queues) if (!names.has(name)) queue.disclaim();
    for (const uplink of uplinks) this.#configure(uplink);
    this.#parkOthers();
    this.#ledger.lossesChanged();
  }

  report(): OutboxReport {
    const { usage, committed } = this.#committer;
    return {
      takenIn: this.#ledger.takenIn,
      newest: this.#ledger.newest,
      released: this.#ledger.released(),
      committed,
      memorySamples: this.#ledger.tail.size,
      fileBytes: usage.fileBytes,
      writtenBytes: usage.writtenBytes,
      dropped: this.#ledger.dropped,
      ...healthWith(this.#loop.health(), this.#options.stateFailure()),
      incident: this.#options.incidents.text(),
    };
  }

  async forget(name: string): Promise<Forgotten> {
    const queue = this.#ledger.queues.get(name);
    if (queue === undefined) return { refused: `nothing is kept for an uplink ${name}` };
    if (!queue.isParked) return { refused: `${name} is configured; remove it from gateway.yaml first` };
    const samples = queue.depth();
    queue.forget();
    this.#ledger.progressChanged();
    const isStored = await this.#loop.flush();
    return isStored ? { samples } : { refused: `the card does not take it: ${this.#loop.health().healthReason}` };
  }

  async date(offset: BootOffset): Promise<void> {
    const { boots } = this.#ledger;
    boots.fix(offset, this.#ledger.newest + 1);
    if (boots.hasUnstoredOffset() && !(await this.#loop.flush())) {
      this.#options.log.warning("the card does not take the time yet: what was read without it waits");
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#loop.stop();
    for (let failures = 0; failures < CLOSE_ATTEMPTS; ) {
      if (!(await this.#loop.flush())) failures++;
      else if (this.#ledger.unsettled(1).length === 0) {
        await this.#markClean();
        break;
      }
    }
    const known = this.#known();
    const given = this.#ledger.unsettled(Number.POSITIVE_INFINITY).length;
    if (given > 0) {
      this.#options.log.error(`${given} samples could not be stored and are given up; the next start tells of it`);
    }
    try {
      await this.#options.store.close();
    } catch (thrown) {
      this.#options.log.error(`outbox.db could not be closed: ${messageOf(thrown)}`);
    }
    await this.#options.onClosed(known);
  }

  async #markClean(): Promise<void> {
    try {
      await this.#committer.markClean();
    } catch (thrown) {
      this.#options.log.error(`the stop could not be marked as clean: ${messageOf(thrown)}`);
    }
  }

  #configure({ name, startAt, history }: ConfiguredUplink): void {
    this.uplink(name, startAt);
    const queue = this.#ledger.queues.get(name);
    if (queue !== undefined) queue.limits = history;
  }

  #restore({ uplinks, losses, wasClean, safe, bad }: SavedOutbox): void {
    const { lastKnown, incidents } = this.#options;
    if (!wasClean || lastKnown.wasBlind === true) {
      incidents.tell("the last run did not end in order: what it had not stored yet is told as lost");
      const { ms, ...safeIn } = laterSafe(safe, lastKnown.safe) ?? BEGINNING;
      this.#gap = this.#lossSince("unclean stop", { ...safeIn, ms: Math.max(0, ms - STEP_WITHIN_EPOCH_MS) });
    }
    for (const [name, progress] of uplinks) {
      const queue = this.#newQueue(name);
      if (progress === undefined) queue.begin(this.#oldestHeld());
      else queue.restore(progress);
      queue.restoreLosses(losses.get(name) ?? []);
      if (this.#damage !== undefined) queue.lose(this.#damage);
      if (bad.some(({ loser }) => loser === name)) queue.lose(this.#lossSince("damaged file", BEGINNING));
      if (this.#gap !== undefined && progress?.parkedRunMs === undefined) queue.lose(this.#gap);
    }
  }

  /** state.db remembers an outbox, and this file has never been one: somebody emptied or removed it. */
  #isGone({ isNew }: SavedOutbox): boolean {
    const isGone = isNew && this.#options.hadOutbox;
    if (isGone)
      this.#options.incidents.tell("outbox.db is not the file it was, but an empty one: what it held is lost");
    return isGone;
  }

  #damageLoss(): LossDraft {
    const { safe, oldestMs } = this.#options.lastKnown;
    // Of the oldest sample only the time is known.
    const oldest = oldestMs === undefined ? undefined : { epoch: 0, ms: oldestMs };
    return this.#lossSince("damaged file", oldest ?? safe ?? BEGINNING);
  }

  #lossSince(reason: LossReason, from: SafeTime): LossDraft {
    const { clock, epoch } = this.#options;
    const { boots } = this.#ledger;
    const shiftMs = boots.shiftOf(from.boot);
    const toBoot = boots.undatedBoot();
    const fromMs = from.ms + (shiftMs ?? 0);
    const fromBoot = shiftMs === undefined ? from.boot : undefined;
    const nowMs = clock.wallMs();
    return this.#ledger.unknownLoss(reason, {
      epoch: from.epoch,
      toEpoch: epoch,
      fromMs,
      // Times of two boots cannot be compared before both are dated.
      toMs: fromBoot === toBoot ? Math.max(fromMs, nowMs) : nowMs,
      ...(fromBoot !== undefined && { fromBoot }),
      ...(toBoot !== undefined && { toBoot }),
    });
  }

  /**
   * A row that says too little hides what an uplink has not passed of its block: the first commit would release it, and
   * no read would ask for it. Where an uplink begins in a block, that block is looked at; others are when they are read.
   */
  async #checkRows(): Promise<void> {
    const { store } = this.#options;
    const check = (block: Block) => {
      const content = contentOf(block, this.#ledger.dictionary);
      if (content.problem !== undefined) this.#blockIsDamaged(block, content);
    };
    const ranges = [...this.#ledger.queues.values()].flatMap((queue) => queue.pending());
    try {
      for (const from of new Set(ranges.map((range) => range.from))) {
        (await store.reaching(from)).forEach(check);
      }
    } catch (thrown) {
      if (!(thrown instanceof StorageFailure)) throw thrown;
      this.#committer.readFailed(thrown);
    }
  }

  #tellOf(tags: readonly TagRef[], former: readonly TagRef[]): void {
    const all = this.#isEmpty() ? tags : withFormer(tags, former);
    this.#ledger.tellOf(all);
    this.#options.keepTags(all);
  }

  #newQueue(name: string): Queue {
    const { store, limits, clock } = this.#options;
    const history = new HistoryReader({
      store,
      clock,
      dictionary: this.#ledger.dictionary,
      boots: this.#ledger.boots,
      maxBlocks: limits.readBlocks,
      onDamaged: (block, content) => this.#blockIsDamaged(block, content),
      onFailure: (failure) => this.#committer.readFailed(failure),
    });
    const queue = new Queue(this.#ledger, history, name);
    this.#ledger.addQueue(queue);
    return queue;
  }

  #oldestHeld(): number {
    const waiting = this.#ledger.released();
    return Math.min(this.#committer.usage.lowest ?? waiting, waiting, this.#ledger.tail.base);
  }

  #parkOthers(): void {
    for (const [name, queue] of this.#ledger.queues) {
      queue.park(this.#ledger.newest, this.#ledger.runMs());
      if (!queue.isParked || queue.depth() === 0) continue;
      const waiting = `${queue.depth()} samples wait for ${name}, which gateway.yaml names no more`;
      this.#options.log.warning(`${waiting}; they go to an uplink of that name, or when they are too old`);
    }
    this.#ledger.progressChanged();
  }

  #blockIsDamaged(block: Block, { samples, problem }: BlockContent): void {
    if (this.#ledger.doomed.has(block.first)) return;
    this.#options.incidents.tell(`a block of ${block.samples} samples in outbox.db is damaged: ${problem}`);
    this.#ledger.doomed.add(block.first);
    if (samples.length > 0) this.#ledger.lose("damaged file", samples);
    else this.#ledger.loseUnknown("damaged file", block);
  }

  #known(): LastKnown | undefined {
    const safe = this.#ledger.safeNow();
    return safe && { safe, oldestMs: this.#ledger.oldestMs() };
  }
}
