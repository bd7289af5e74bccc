/** The outbox on a card that fails: the real files, with failures put between. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { OutboxConfig } from "../config/config.ts";
import { silentLog } from "../core/log.ts";
import type { Priority, TagRef } from "../core/tag.ts";
import type { Outbox, Sample, UplinkQueue } from "../pipeline.ts";
import { acknowledgeAll, plain, readAll, tagRef } from "../testing/store-rig.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { type BlockHead, type BlockStore, type FailureKind, StorageFailure } from "./block-store.ts";
import { createOutbox, type LastKnown } from "./outbox.ts";
import { OUTBOX_LIMITS, type OutboxLimits } from "./outbox-limits.ts";
import { inProcessStorage } from "./storage-client.ts";

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

class FaultRig {
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
    const options = {
      store,
      config: { ...CONFIG, ...config },
      limits: { ...OUTBOX_LIMITS, ...limits },
      uplinks: [{ name: "cloud", startAt: "now" as const }],
      tags: [SPEED],
      epoch: 1,
      clock: this.clock,
      log: silentLog,
      lastKnown: { safe: undefined, oldestMs: undefined },
      onSafe: (safe: LastKnown) => this.known.push(safe),
      onClosed: async () => undefined,
    };
    this.#outbox = await createOutbox(options, opened);
    this.#queue = this.#outbox.uplink("cloud", "now");
  }

  /** Of the facts in the file, as another reader of it sees them. */
  async factNames(): Promise<readonly string[]> {
    const { blocks } = inProcessStorage();
    const { facts } = await blocks.open({ path: join(this.dir, "outbox.db"), nowMs: 0, walBytes: 65_536 });
    await blocks.close();
    return facts.map(([name]) => name);
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
    async renew(reason, nowMs) {
      fail(card.renewFailure);
      card.failure = undefined;
      card.readFailure = undefined;
      return real.renew(reason, nowMs);
    },
  };
}

test("P8: a full card keeps samples in memory, says so, and loses nothing when there is room again", async (t) => {
  const rig = await FaultRig.open(t);
  await rig.clock.advance(1_000);
  rig.card.failure = "full";
  const given = rig.append(30);
  await rig.clock.advance(5_000);
  const report = rig.outbox.report();
  assert.equal(report.health, "full");
  assert.equal(report.healthReason, "the card is full");
  assert.equal(report.committed, 0);
  assert.deepEqual((await readAll(rig.queue)).map(plain), given);
  rig.card.failure = undefined;
  await rig.clock.advance(60_000);
  assert.equal(rig.outbox.report().health, "ok");
  assert.equal(rig.outbox.report().committed, 30);
  assert.deepEqual(rig.queue.losses(), []);
});

test("P7: retries back off to a minute", async (t) => {
  const rig = await FaultRig.open(t);
  rig.append(1);
  let attempts = 0;
  rig.card.failure = "failing";
  Object.defineProperty(rig.card, "hold", {
    get: () => {
      attempts++;
      return undefined;
    },
  });
  await rig.clock.advance(30 * 60_000);
  assert.ok(attempts >= 30 && attempts < 40, `${attempts} attempts in half an hour`);
  assert.equal(rig.outbox.report().health, "failing");
});

test("P4 P7: memory is bounded: the oldest of the lowest priority go, each is told, safe time waits", async (t) => {
  const limits = { recentSamples: 10, tailSamples: 100, giveUpSamples: 20 };
  const rig = await FaultRig.open(t, limits);
  await rig.clock.advance(2_000);
  const heldMs = rig.clock.wallMs();
  rig.card.failure = "failing";
  const tagOf = (priority: Priority) => tagRef(`pump-1/${priority}`, priority);
  rig.append(50, tagOf("low"));
  rig.append(40, tagOf("high"));
  rig.append(40, tagOf("normal"));
  await rig.clock.advance(5_000);
  assert.equal(rig.outbox.report().memorySamples, 90);
  const [loss, ...others] = rig.queue.losses();
  assert.deepEqual(others, []);
  assert.equal(loss?.reason, "outbox full");
  assert.deepEqual(
    loss.tags.map(({ tag, count }) => [tag.id, count]),
    [["pump-1/low", 40]],
  );
  assert.deepEqual([loss.fromMs, loss.toMs], [10, 400], "the oldest");
  assert.equal(rig.outbox.report().dropped, 40);
  assert.equal((await readAll(rig.queue)).length, 90);
  assert.ok((rig.known.at(-1)?.safe?.ms ?? 0) <= heldMs, "a loss that only memory knows holds the safe time back");
  acknowledgeAll(rig.queue);
  await rig.clock.advance(5_000);
  assert.ok((rig.known.at(-1)?.safe?.ms ?? 0) <= heldMs, "also when nothing else waits");
  rig.card.failure = undefined;
  await rig.clock.advance(70_000);
  assert.ok((rig.known.at(-1)?.safe?.ms ?? 0) > heldMs);
});

test("a commit that takes long keeps the samples readable and the card is told as slow", async (t) => {
  const rig = await FaultRig.open(t);
  await rig.clock.advance(1_000);
  const given = rig.append(5);
  let release = () => {};
  rig.card.hold = new Promise((resolve) => {
    release = resolve;
  });
  await rig.clock.advance(6_000);
  assert.equal(rig.outbox.report().health, "slow");
  assert.match(rig.outbox.report().healthReason, /takes \d s/);
  given.push(...rig.append(5));
  assert.deepEqual((await readAll(rig.queue)).map(plain), given);
  acknowledgeAll(rig.queue);
  rig.card.hold = undefined;
  release();
  await rig.clock.advance(20_000);
  assert.equal(rig.outbox.report().committed, 5, "what was acknowledged meanwhile is not written");
  assert.equal(rig.outbox.report().health, "ok");
});

test("P8: a file found damaged while running is set aside; memory goes into the new one, the rest is told", async (t) => {
  const rig = await FaultRig.open(t, { recentSamples: 10, maxBlockSamples: 10 });
  rig.append(100);
  await rig.clock.advance(2_000);
  rig.append(1);
  await rig.clock.advance(2_000);
  const { memorySamples } = rig.outbox.report();
  assert.ok(memorySamples <= 11);
  rig.card.failure = "damaged";
  const late = rig.append(1);
  await rig.clock.advance(2_000);
  assert.equal(rig.outbox.report().health, "ok");
  assert.ok(readdirSync(rig.dir).some((file) => file.startsWith("outbox.db.damaged-")));
  assert.deepEqual(
    rig.queue.losses().map(({ reason }) => reason),
    ["damaged file"],
  );
  const left = await readAll(rig.queue);
  assert.ok(left.length >= 10 && left.length <= 12, `${left.length} were still in memory`);
  assert.deepEqual(left.slice(-1).map(plain), late);
  assert.equal(rig.outbox.report().committed, 102);
  await rig.outbox.close();
  await rig.start({});
  assert.deepEqual((await readAll(rig.queue)).map(plain), left.map(plain), "and is in the new file");
});

test("P8: a damaged file that cannot be set aside at once is tried again", async (t) => {
  const rig = await FaultRig.open(t);
  await rig.clock.advance(1_000);
  rig.card.failure = "damaged";
  rig.card.renewFailure = "failing";
  const given = rig.append(5);
  await rig.clock.advance(5_000);
  assert.equal(rig.outbox.report().health, "failing");
  rig.card.renewFailure = undefined;
  await rig.clock.advance(60_000);
  assert.equal(rig.outbox.report().health, "ok");
  assert.equal(rig.outbox.report().committed, 5);
  assert.deepEqual((await readAll(rig.queue)).map(plain), given);
  assert.deepEqual(rig.queue.losses(), [], "all of it was in memory");
});

test("a read that fails ends the batch where it is certain, and is tried again", async (t) => {
  const rig = await FaultRig.open(t, { recentSamples: 10 });
  const given = rig.append(50);
  await rig.clock.advance(2_000);
  given.push(...rig.append(1));
  rig.card.readFailure = "failing";
  const reading = rig.queue.read(1, 51, 100);
  await rig.clock.advance(2_000);
  assert.deepEqual(await reading, { covers: { from: 1, to: 0 }, samples: [] });
  rig.card.readFailure = undefined;
  assert.deepEqual((await readAll(rig.queue)).map(plain), given);
});

test("P4 P8: a block whose bytes are damaged is told, and the others are read", async (t) => {
  const rig = await FaultRig.open(t, { recentSamples: 10, maxBlockSamples: 10 });
  const damaged = new Set([2, 5]);
  let blocks = 0;
  rig.card.spoil = (data) => {
    if (damaged.has(blocks++)) data.fill(0x55, data.length >> 1);
  };
  const given = rig.append(100);
  await rig.clock.advance(2_000);
  given.push(...rig.append(1));
  const left = (await readAll(rig.queue)).map(plain);
  assert.deepEqual(
    left,
    given.filter((_, i) => i === 100 || !damaged.has(Math.floor(i / 10))),
  );
  const [loss, ...others] = rig.queue.losses();
  assert.deepEqual(others, []);
  assert.equal(loss?.reason, "damaged file");
  assert.deepEqual([loss.fromMs, loss.toMs], [given[20]?.sourceTimestampMs, given[59]?.sourceTimestampMs]);
  acknowledgeAll(rig.queue);
  await rig.clock.advance(12_000);
  assert.equal(rig.queue.losses().length, 1, "told once");
});

test("P8: a card that refuses at the stop does not hold the stop up, and the next start is an unclean one", async (t) => {
  const rig = await FaultRig.open(t);
  await rig.clock.advance(1_000);
  rig.append(3);
  rig.card.failure = "failing";
  await rig.outbox.close();
  rig.card.failure = undefined;
  await rig.start({});
  assert.deepEqual(
    rig.queue.losses().map(({ reason }) => reason),
    ["unclean stop"],
  );
});

test("P8: a removed uplink that is over is forgotten once the file forgets it, not before", async (t) => {
  const rig = await FaultRig.open(t);
  rig.outbox.uplink("removed", "now");
  rig.append(3);
  await rig.clock.advance(2_000);
  await rig.outbox.close();
  await rig.start({}, { maxAgeMs: 60_000 });
  assert.ok((await rig.factNames()).includes("uplink/removed"));
  await rig.clock.advance(50_000);
  rig.card.failure = "failing";
  rig.append(1);
  await rig.clock.advance(20_000);
  rig.card.failure = undefined;
  await rig.clock.advance(60_000);
  assert.equal(rig.outbox.report().committed, 4);
  assert.ok(!(await rig.factNames()).includes("uplink/removed"));
});

test("P7: to see which blocks must go no samples are fetched, only those of what goes", async (t) => {
  const rig = new FaultRig(t);
  await rig.start({ recentSamples: 10, maxBlockSamples: 10, maxBlockOpenMs: 1_000 }, { maxAgeMs: 150_000 });
  const step = async () => {
    rig.append(100);
    await rig.clock.advance(70_000);
  };
  for (let i = 0; i < 3; i++) await step();
  assert.ok(rig.card.seen.length > 0 && rig.card.seen.every((block) => !("data" in block)));
  assert.equal(rig.card.loaded, 0);
  await step();
  assert.equal(rig.queue.losses()[0]?.tags[0]?.count, 100, "what is too old goes, and is counted");
  assert.equal(rig.card.loaded, 10);
});
