/** An outbox on a card that fails: the real files, with failures put between. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { OutboxConfig } from "../config/config.ts";
import { createLog } from "../core/log.ts";
import type { TagRef } from "../core/tag.ts";
import type { Outbox, Sample, UplinkQueue } from "../pipeline.ts";
import { type BlockHead, type BlockStore, type Facts, type FailureKind, StorageFailure } from "../store/block-store.ts";
import { Incidents } from "../store/incidents.ts";
import { createOutbox, type LastKnown } from "../store/outbox.ts";
import { OUTBOX_LIMITS, type OutboxLimits } from "../store/outbox-limits.ts";
import { readFacts } from "../store/row-sums.ts";
import { type Database, OUTBOX_FILE_ID, openReadOnly, type SqliteWatch } from "../store/sqlite.ts";
import { OUTBOX_FORMAT } from "../store/sqlite-block-store.ts";
import { createStorageCalls } from "../store/storage-calls.ts";
import { inProcessStorage } from "../store/storage-client.ts";
import { tagRef } from "./store-rig.ts";
import { VirtualClock } from "./virtual-clock.ts";

const CONFIG: OutboxConfig = {
  path: "outbox.db",
  maxSizeBytes: 64 * 1_048_576,
  maxAgeMs: 90 * 86_400_000,
  commitIntervalMs: 1_000,
  outageCommitIntervalMs: 1_000,
};
const SPEED = tagRef("pump-1/speed");

/** What the card does to the next calls. */
interface Card {
  failure: FailureKind | undefined;
  readFailure: FailureKind | undefined;
  renewFailure: FailureKind | undefined;
  /** A commit waits for it before it begins. */
  hold: Promise<void> | undefined;
  /** Bytes of every block on their way to the card. */
  spoil: ((data: Uint8Array) => void) | undefined;
  /** Blocks whose samples were fetched to be declared. */
  loaded: number;
  /** Heads of blocks that were looked at. */
  seen: BlockHead[];
}

export class FaultRig {
  /** What the outbox has written to the log, over all openings. */
  readonly logged: string[] = [];
  readonly clock = new VirtualClock();
  readonly card: Card = {
    failure: undefined,
    readFailure: undefined,
    renewFailure: undefined,
    hold: undefined,
    spoil: undefined,
    loaded: 0,
    seen: [],
  };
  readonly dir = mkdtempSync(join(tmpdir(), "sallyport-faults-"));
  readonly known: LastKnown[] = [];
  #outbox: Outbox | undefined;
  #queue: UplinkQueue | undefined;
  #stampMs = 0;

  constructor(t: TestContext) {
    t.after(async () => {
      this.card.failure = undefined;
      await this.#outbox?.close();
      rmSync(this.dir, { recursive: true, force: true });
    });
  }

  get outbox(): Outbox {
    return this.#outbox ?? assert.fail();
  }

  get queue(): UplinkQueue {
    return this.#queue ?? assert.fail();
  }

  static async open(t: TestContext, limits: Partial<OutboxLimits> = {}): Promise<FaultRig> {
    const rig = new FaultRig(t);
    await rig.start(limits);
    return rig;
  }

  async start(limits: Partial<OutboxLimits>, config: Partial<OutboxConfig> = {}): Promise<void> {
    const store = faulty(inProcessStorage().blocks, this.card);
    const path = join(this.dir, "outbox.db");
    const opened = await store.open({ path, nowMs: this.clock.wallMs(), walBytes: 65_536 });
    const write = (line: string) => this.logged.push(line.trimEnd());
    const log = createLog({ write, level: "info", format: "text" });
    const options = {
      store,
      config: { ...CONFIG, ...config },
      limits: { ...OUTBOX_LIMITS, ...limits },
      uplinks: [{ name: "cloud", startAt: "now" as const }],
      tags: [SPEED],
      formerTags: [],
      keepTags: () => undefined,
      epoch: 1,
      clock: this.clock,
      log,
      lastKnown: { safe: undefined, oldestMs: undefined },
      hadOutbox: false,
      incidents: new Incidents(log),
      stateFailure: () => undefined,
      onTick: (known: () => LastKnown | undefined) => this.#note(known()),
      onClosed: async () => undefined,
    };
    this.#outbox = await createOutbox(options, opened);
    this.#queue = this.#outbox.uplink("cloud", "now");
  }

  #note(known: LastKnown | undefined): void {
    if (known !== undefined) this.known.push(known);
  }

  /** In the file, as another reader of it sees them. */
  async facts(): Promise<ReadonlyMap<string, string | null>> {
    const database = openReadOnly(join(this.dir, "outbox.db"), { fileId: OUTBOX_FILE_ID, format: OUTBOX_FORMAT });
    try {
      return new Map(readFacts(database).facts);
    } finally {
      database.close();
    }
  }

  /** As a worn card might have them. */
  async writeFacts(facts: Facts): Promise<void> {
    const { blocks } = inProcessStorage();
    await blocks.open({ path: join(this.dir, "outbox.db"), nowMs: 0, walBytes: 65_536 });
    await blocks.commit({ blocks: [], tags: [], facts, released: [], dropped: [], forgotten: [], ages: [] });
    await blocks.close();
  }

  /** Does to the rows of the blocks what a worn card might. */
  damageRows(sql: string): void {
    const watch = new OpenedDatabases();
    const calls = createStorageCalls(watch);
    calls.openBlocks({ path: join(this.dir, "outbox.db"), nowMs: 0, walBytes: 65_536 });
    for (const database of watch.databases) database.unsafeMode(true).exec(sql);
    calls.closeBlocks(undefined);
  }

  /** The same, and the index of the blocks does not hear of it. */
  damageKeys(sql: string): void {
    this.damageRows(`
      PRAGMA writable_schema = ON;
      CREATE TEMP TABLE hidden AS SELECT * FROM sqlite_schema WHERE name = 'block_by_priority';
      DELETE FROM sqlite_schema WHERE name = 'block_by_priority';
      PRAGMA writable_schema = RESET;
      ${sql};
      PRAGMA writable_schema = ON;
      INSERT INTO sqlite_schema SELECT * FROM hidden;
      PRAGMA writable_schema = RESET;
    `);
  }

  append(count: number, tag: TagRef = SPEED): Sample[] {
    const samples = Array.from({ length: count }, (): Sample => {
      this.#stampMs += 10;
      return { tag, value: this.#stampMs, status: "Good", sourceTimestampMs: this.#stampMs, epoch: 1 };
    });
    this.outbox.append(samples);
    return samples;
  }
}

class OpenedDatabases implements SqliteWatch {
  readonly databases: Database[] = [];

  opened(database: Database): void {
    // The file that only holds the lock has no rows.
    if (!database.name.endsWith("-lock")) this.databases.push(database);
  }

  statement(): void {}
}

function faulty(real: BlockStore, card: Card): BlockStore {
  const fail = (kind: FailureKind | undefined) => {
    if (kind !== undefined) throw new StorageFailure(kind, `the card is ${kind}`);
  };
  return {
    ...real,
    async commit(change) {
      await card.hold;
      fail(card.failure);
      for (const { data } of change.blocks) card.spoil?.(data);
      return real.commit(change);
    },
    async read(request) {
      fail(card.readFailure);
      return real.read(request);
    },
    async oldest(request) {
      const found = await real.oldest(request);
      card.seen.push(...found);
      return found;
    },
    async load(firsts) {
      card.loaded += firsts.length;
      return real.load(firsts);
    },
    async renew(reason, nowMs, below) {
      fail(card.renewFailure);
      card.failure = undefined;
      card.readFailure = undefined;
      return real.renew(reason, nowMs, below);
    },
  };
}
