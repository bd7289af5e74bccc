/** Holds the outbox and each uplink's history to their limits: chooses what goes and tells it; the next commit deletes it. */
import type { OutboxConfig } from "../config/config.ts";
import { PRIORITIES } from "../core/tag.ts";
import type { HistoryLimits, LossReason } from "../pipeline.ts";
import { contentOf } from "./block-content.ts";
import type { Block, BlockStore, OldBlock, Usage } from "./block-store.ts";
import type { Ledger } from "./ledger.ts";
import type { OutboxLimits } from "./outbox-limits.ts";
import { type CandidateGroup, type Dropped, decideDrops, isOverfull, roomOf } from "./retention.ts";
import type { StoredSample } from "./stored-sample.ts";
import type { Queue } from "./uplink-queue.ts";

/** How often, at a commit, the file is looked through for what is too old. */
const RETENTION_INTERVAL_MS = 60_000;
/** The same where nothing is committed, but something old is kept. */
const IDLE_RETENTION_INTERVAL_MS = 3_600_000;
/** Of the age limit: how far it may be passed where nothing is committed. */
const IDLE_RETENTION_SHARE = 1 / 16;

export interface RetainerOptions {
  readonly store: BlockStore;
  readonly ledger: Ledger;
  readonly config: OutboxConfig;
  readonly limits: OutboxLimits;
}

/** The oldest blocks of one priority. */
interface Oldest extends CandidateGroup {
  readonly oldest: readonly OldBlock[];
}

export class Retainer {
  readonly #options: RetainerOptions;
  #retainedRunMs: number;

  constructor(options: RetainerOptions) {
    this.#options = options;
    this.#retainedRunMs = options.ledger.runMs();
  }

  /** Whether the file wants a look although nothing is committed. */
  isWaiting(usage: Usage): boolean {
    if (usage.lowest === undefined || this.#sinceMs() < RETENTION_INTERVAL_MS) return false;
    const { config, ledger } = this.#options;
    const agesMs = [...ledger.queues.values()].map(({ limits }) => limits?.maxAgeMs ?? config.maxAgeMs);
    const shortMs = Math.min(config.maxAgeMs, ...agesMs) * IDLE_RETENTION_SHARE;
    return this.#sinceMs() >= Math.min(IDLE_RETENTION_INTERVAL_MS, shortMs);
  }

  /**
   * Dooms some of what must go.
   *
   * @param toComeBytes what will be added to the file
   * @returns whether there is anything to delete; then there may be more
   */
  async round(usage: Usage, toComeBytes: number): Promise<boolean> {
    const { config, ledger } = this.#options;
    // What has come of age waits for room at most, never for a look round.
    const isDue = toComeBytes === 0 && this.#sinceMs() >= RETENTION_INTERVAL_MS;
    const usedBytes = usage.usedBytes + toComeBytes;
    const room = { roomBytes: roomOf(config, usage), maxAgeMs: config.maxAgeMs };
    let found = false;
    if (isDue || isOverfull(usedBytes, room)) found = await this.#retainAll(usedBytes, room);
    for (const queue of ledger.queues.values()) {
      const { limits } = queue;
      if (limits === undefined || !(isDue || usage.usedBytes > limits.maxSizeBytes)) continue;
      found = (await this.#retainOne(queue, limits)) || found;
    }
    if (!found && isDue) this.#retainedRunMs = ledger.runMs();
    return found;
  }

  #sinceMs(): number {
    return this.#options.ledger.runMs() - this.#retainedRunMs;
  }

  async #retainAll(usedBytes: number, room: { roomBytes: number; maxAgeMs: number }): Promise<boolean> {
    const { ledger } = this.#options;
    const groups: Oldest[] = [];
    let freedBytes = 0;
    for (const priority of PRIORITIES.keys()) {
      const group = await this.#oldest(priority, 0);
      const wanted = group.oldest.filter((block) => this.#isWanted(block));
      for (const block of group.oldest) {
        if (wanted.includes(block)) continue;
        ledger.doomed.add(block.first);
        freedBytes += block.sizeBytes;
      }
      groups.push({ ...group, oldest: wanted });
    }
    const drops = decideDrops(groups, usedBytes - freedBytes, ledger.runMs(), room);
    for (const [block, reason] of await this.#load(drops)) this.#declare(block, reason);
    for (const { first } of drops) ledger.doomed.add(first);
    return freedBytes > 0 || drops.length > 0;
  }

  /** What one uplink gives up stays for the others that wait for it. */
  async #retainOne(queue: Queue, history: HistoryLimits): Promise<boolean> {
    const { store, ledger } = this.#options;
    const waiting = queue.waiting(ledger.newest + 1);
    const usedBytes = await store.sizeOf(waiting);
    const groups: Oldest[] = [];
    for (const priority of PRIORITIES.keys()) {
      const range = waiting.find((candidate) => candidate.priority === priority);
      const group = range === undefined ? { oldest: [], isAll: true } : await this.#oldest(priority, range.from);
      groups.push({ ...group, oldest: group.oldest.filter((block) => queue.waitsForBlock(block)) });
    }
    const limits = { roomBytes: history.maxSizeBytes, maxAgeMs: history.maxAgeMs };
    const drops = decideDrops(groups, usedBytes, ledger.runMs(), limits);
    if (drops.length === 0) return false;
    const gone = new Set(drops.map((drop) => drop.first));
    const loaded = await this.#load(drops);
    const floors: number[] = [];
    for (const [priority, { oldest }] of groups.entries()) floors.push(await this.#floorOf(priority, oldest, gone));
    // In one moment: nothing that is told as lost is read after.
    for (const [block, reason] of loaded) this.#declareTo(queue, block, reason);
    queue.raiseFloors(floors);
    ledger.progressChanged();
    for (const block of groups.flatMap(({ oldest }) => oldest)) {
      if (gone.has(block.first) && !this.#isWanted(block)) ledger.doomed.add(block.first);
    }
    return true;
  }

  /** Below this number nothing of the priority is left for the uplink. */
  async #floorOf(priority: number, oldest: readonly OldBlock[], gone: ReadonlySet<number>): Promise<number> {
    const { store, ledger } = this.#options;
    const next = oldest.find((block) => !gone.has(block.first));
    if (next !== undefined) return next.first;
    const from = (oldest.at(-1)?.last ?? -1) + 1;
    // One that reaches into the tail is no candidate, but is waited for.
    const [later] = await store.oldest({ priority, maxBlocks: 1, from, below: Number.MAX_SAFE_INTEGER });
    return Math.min(ledger.tail.base, later?.first ?? ledger.tail.base);
  }

  /** Only blocks below the tail: what memory shows as stored stays stored. */
  async #oldest(priority: number, from: number): Promise<Oldest> {
    const { store, ledger, limits } = this.#options;
    const request = { priority, from, maxBlocks: limits.retentionBlocks, below: ledger.tail.base };
    const found = await store.oldest(request);
    const oldest = found.filter((block) => !ledger.doomed.has(block.first));
    return { oldest, isAll: found.length < request.maxBlocks };
  }

  #isWanted(block: OldBlock): boolean {
    return [...this.#options.ledger.queues.values()].some((queue) => queue.waitsForBlock(block));
  }

  /** The blocks that go, with their reasons; not those that were doomed for another one meanwhile. */
  async #load(drops: readonly Dropped[]): Promise<readonly (readonly [Block, LossReason])[]> {
    if (drops.length === 0) return [];
    const { store, ledger } = this.#options;
    const blocks = await store.load(drops.map((drop) => drop.first));
    return drops.flatMap(({ first, reason }) => {
      const block = blocks.find((candidate) => candidate.first === first && !ledger.doomed.has(first));
      return block === undefined ? [] : [[block, reason] as const];
    });
  }

  #declare(block: Block, reason: LossReason): void {
    const { ledger } = this.#options;
    const samples = this.#samplesOf(block);
    if (samples.length > 0) ledger.lose(reason, samples);
    else ledger.loseUnknown("damaged file", block);
  }

  #declareTo(queue: Queue, block: Block, reason: LossReason): void {
    const { ledger } = this.#options;
    const samples = this.#samplesOf(block);
    if (samples.length > 0) ledger.loseFor(queue, reason, samples);
    else queue.lose(ledger.unknownLoss("damaged file", ledger.spanOf(block)));
  }

  #samplesOf(block: Block): readonly StoredSample[] {
    return contentOf(block, this.#options.ledger.dictionary).samples;
  }
}
