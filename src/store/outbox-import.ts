/**
 * Takes over what another outbox still owes, for the uplinks of the same names: the backlog of a dead gateway, by the
 * card it left. Times and epochs stay; the numbers are new, above all that were given here.
 */
import type { NumberedSample } from "../pipeline.ts";
import { blockOf, spanOf } from "./block-content.ts";
import { PACK_LIMITS, pack } from "./block-packer.ts";
import { type Facts, StorageFailure, type Usage } from "./block-store.ts";
import { Dictionary } from "./dictionary.ts";
import { numberIn } from "./fact-text.ts";
import { highestNumber } from "./highest-number.ts";
import type { LossDraft } from "./losses.ts";
import type { OutboxFile } from "./outbox-file.ts";
import { add, bound, clip, contains, type Ranges, subtract, union } from "./ranges.ts";
import { unreservedOf } from "./retention.ts";
import { FACT, lossText, progressText, type SavedOutbox, savedOutbox } from "./saved-facts.ts";
import { SqliteBlockStore } from "./sqlite-block-store.ts";
import { COUNTER, EPOCH } from "./state.ts";

/** Of samples in one commit: what memory holds of a backlog of millions. */
const BATCH_SAMPLES = 16_384;
const WAL_BYTES = 4 * 1_048_576;
const ALWAYS = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };
const ALL = { from: 0, to: Number.POSITIVE_INFINITY };

export interface Imported {
  readonly samples: number;
  /** How many of them each uplink waits for. */
  readonly waiting: ReadonlyMap<string, number>;
  readonly losses: number;
}

/**
 * Nobody may work on the target. Each commit is whole: what was interrupted can be done again, and doubles samples at
 * worst, with the same identity.
 *
 * @param targetPath outbox.db; made where there is none
 * @param reserveBytes kept free on its partition; absent: as the outbox has it by default
 * @throws StorageFailure
 */
export function importOutbox(source: OutboxFile, targetPath: string, nowMs: number, reserveBytes?: number): Imported {
  const store = new SqliteBlockStore();
  try {
    return new Import(source, store, targetPath, nowMs, reserveBytes).run();
  } finally {
    store.close();
  }
}

/** An uplink of either file. */
interface Heir {
  readonly name: string;
  /** What it waits for, by the source's numbers. */
  readonly owed: Ranges;
  /** What it waited for here before, by ours. */
  readonly before: Ranges;
  /** What it had given up here before. */
  readonly floors: readonly number[];
  readonly parkedRunMs: number | undefined;
  /** What it takes over, by our numbers. */
  wanted: Ranges;
  waiting: number;
}

class Import {
  readonly #source: OutboxFile;
  readonly #store: SqliteBlockStore;
  readonly #nowMs: number;
  readonly #dictionary: Dictionary;
  readonly #saved: SavedOutbox;
  readonly #heirs: readonly Heir[];
  readonly #counters: Map<string, number>;
  /** The highest number before, and now. */
  readonly #before: number;
  #number: number;
  #batch: NumberedSample[] = [];

  constructor(source: OutboxFile, store: SqliteBlockStore, path: string, nowMs: number, reserveBytes?: number) {
    const opened = store.open({ path, nowMs, walBytes: WAL_BYTES });
    checkRoom(source.usedBytes() + WAL_BYTES, opened.usage, reserveBytes);
    this.#source = source;
    this.#store = store;
    this.#nowMs = nowMs;
    this.#dictionary = new Dictionary(opened.tags);
    this.#saved = savedOutbox(opened.facts, this.#dictionary);
    this.#before = highestNumber(opened, this.#saved, this.#dictionary);
    this.#number = this.#before;
    this.#counters = highestCounters([...opened.facts, ...source.facts]);
    this.#heirs = heirsOf(source.saved, this.#saved);
  }

  run(): Imported {
    for (const sample of this.#source.samples(ALWAYS)) {
      this.#take(sample);
      if (this.#batch.length >= BATCH_SAMPLES) this.#commit([]);
    }
    const losses = this.#losses();
    this.#commit(losses);
    return {
      samples: this.#number - this.#before,
      losses: losses.length,
      waiting: new Map(this.#heirs.filter(({ waiting }) => waiting > 0).map(({ name, waiting }) => [name, waiting])),
    };
  }

  #take(sample: NumberedSample): void {
    const heirs = this.#heirs.filter(({ owed }) => contains(owed, sample.number));
    if (heirs.length === 0) return;
    const number = ++this.#number;
    for (const heir of heirs) {
      heir.wanted = add(heir.wanted, { from: number, to: number });
      heir.waiting++;
    }
    this.#batch.push({ ...sample, number });
    // Of two values of a tag the greater epoch holds: what was taken over must not pass for newer than what comes.
    this.#counters.set(EPOCH, Math.max(this.#counters.get(EPOCH) ?? 0, sample.epoch));
  }

  #commit(losses: Facts): void {
    const { runMs } = this.#saved;
    const { blocks } = pack(new Map(), this.#batch, () => false, runMs, PACK_LIMITS);
    const packed = blocks.map((block) => blockOf(block, runMs, this.#dictionary));
    const facts: Facts = [
      ...[...this.#counters].map(([name, value]): [string, string] => [name, JSON.stringify(value)]),
      ...this.#heirs.map((heir): [string, string] => [FACT.uplink(heir.name), this.#progressOf(heir)]),
      ...losses,
    ];
    const tags = this.#dictionary.unstored();
    this.#store.commit({ blocks: packed, tags, facts, released: [], dropped: [], forgotten: [], ages: [] });
    this.#dictionary.stored(tags);
    this.#batch = [];
  }

  /** An open range reaches over all numbers to come, also over those of the samples that others took over. */
  #progressOf({ before, floors, wanted, parkedRunMs }: Heir): string {
    const others = subtract(before, { from: this.#before + 1, to: this.#number });
    return progressText({ pending: bound(union([others, wanted])), floors, parkedRunMs });
  }

  /** What the source had not told, what of it cannot be read, and what its last moments may have cost. */
  #losses(): Facts {
    const { saved, damaged } = this.#source;
    const tags = this.#source.tags().map((tag) => ({ tag, count: null }));
    let id = Math.max(0, ...[...this.#saved.losses.values()].flat().map((loss) => loss.id));
    return this.#heirs.flatMap(({ name, owed }) => {
      const drafts: LossDraft[] = [...(saved.losses.get(name) ?? [])];
      for (const { block } of damaged) {
        if (clip(owed, { from: block.first, to: block.last }).length === 0) continue;
        drafts.push({ reason: "damaged file", priority: "mixed", ...spanOf(block), tags });
      }
      if (!saved.wasClean && saved.safe !== undefined && saved.uplinks.get(name)?.parkedRunMs === undefined) {
        const { ms, epoch } = saved.safe;
        const toMs = Math.max(ms, this.#nowMs);
        // Its last moments may have seen the clock stepped back: all epochs are meant that it can have begun.
        const toEpoch = Math.max(epoch, this.#counters.get(EPOCH) ?? 0);
        drafts.push({ reason: "unclean stop", priority: "mixed", epoch, toEpoch, fromMs: ms, toMs, tags });
      }
      return drafts.map((draft): [string, string] => {
        const loss = { ...draft, id: ++id };
        return [FACT.loss(name, loss.id), lossText(loss, this.#dictionary)];
      });
    });
  }
}

/** Before anything is written. What the limits of the outbox do not bear goes as always: when the gateway has started. */
function checkRoom(neededBytes: number, { partition }: Usage, reserveBytes: number | undefined): void {
  if (partition === undefined) return;
  const roomBytes = unreservedOf(partition, reserveBytes);
  if (neededBytes <= roomBytes) return;
  const megabytes = (bytes: number) => `${Math.ceil(Math.max(0, bytes) / 1e6)} MB`;
  const kept = "beside what is kept free for all else";
  throw new StorageFailure(
    "full",
    `the backlog may need ${megabytes(neededBytes)}, and there is room for ${megabytes(roomBytes)} ${kept}; make room on the card first`,
  );
}

/** A name that is not known here waits as a removed one does, until it is configured. */
function heirsOf(source: SavedOutbox, target: SavedOutbox): readonly Heir[] {
  const names = new Set([...source.uplinks.keys(), ...target.uplinks.keys()]);
  return [...names].map((name) => {
    const known = target.uplinks.get(name);
    return {
      name,
      // Progress that cannot be read counts as none: twice rather than never.
      owed: source.uplinks.has(name) ? (source.uplinks.get(name)?.pending ?? [ALL]) : [],
      before: target.uplinks.has(name) ? (known?.pending ?? [ALL]) : [],
      floors: known?.floors ?? [],
      parkedRunMs: target.uplinks.has(name) ? known?.parkedRunMs : target.runMs,
      wanted: [],
      waiting: 0,
    };
  });
}

/** Epoch and session numbers: both gateways' readers know theirs, and neither may see them turn back. */
function highestCounters(facts: Facts): Map<string, number> {
  const counters = new Map<string, number>();
  for (const [name, text] of facts) {
    const value = name.startsWith(COUNTER) ? numberIn(text) : undefined;
    if (value !== undefined) counters.set(name, Math.max(value, counters.get(name) ?? 0));
  }
  return counters;
}
