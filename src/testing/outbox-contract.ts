/**
 * What every outbox must do, whether its file is on a thread of its own or in-process: `outboxContract` registers the
 * tests. Time is virtual; the files are real.
 */
import assert from "node:assert/strict";
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { OutboxConfig } from "../config/config.ts";
import { silentLog } from "../core/log.ts";
import type { Priority, TagRef, Value } from "../core/tag.ts";
import type { NumberedSample, Sample, UplinkQueue } from "../pipeline.ts";
import { openStore, type Store, type StoreOptions } from "../store/open-store.ts";
import { VirtualClock } from "./virtual-clock.ts";

export const COMMIT_INTERVAL_MS = 1_000;

const DEFAULT_CONFIG: OutboxConfig = {
  path: "outbox.db",
  maxSizeBytes: 64 * 1_048_576,
  maxAgeMs: 90 * 86_400_000,
  commitIntervalMs: COMMIT_INTERVAL_MS,
  outageCommitIntervalMs: COMMIT_INTERVAL_MS,
};

/** Virtual steps until something must have happened: an hour. */
const MAX_STEPS = 14_400;
const STEP_MS = 250;
const READ_SAMPLES = 500;

export function tagRef(id: string, priority: Priority = "normal"): TagRef {
  const [device = "", name = ""] = id.split("/");
  return { id, device, name, type: "float64", priority };
}

type Worker = Pick<StoreOptions, "worker" | "workerUrl">;

/** An outbox with its files in a folder of its own, which can be closed, cut off and opened again. */
export class StoreRig {
  readonly clock: VirtualClock;
  readonly #how: Worker;
  readonly #opened: Store[] = [];
  readonly #root = mkdtempSync(join(tmpdir(), "sallyport-store-"));
  #folders = 0;
  #dir = this.#newDir();
  #store: Store | undefined;
  #stampMs = 0;

  constructor(t: TestContext, how: Worker, clock = new VirtualClock()) {
    this.#how = how;
    this.clock = clock;
    t.after(() => this.end());
  }

  get dir(): string {
    return this.#dir;
  }

  get store(): Store {
    assert.ok(this.#store !== undefined, "open the store first");
    return this.#store;
  }

  async open(config: Partial<OutboxConfig> = {}, more: Partial<StoreOptions> = {}): Promise<Store> {
    this.#store = await openStore({
      config: { ...DEFAULT_CONFIG, ...config },
      stateDir: this.#dir,
      tags: [tagRef("pump-1/speed"), tagRef("pump-1/fault", "high")],
      clock: this.clock,
      log: silentLog,
      ...this.#how,
      ...more,
    });
    this.#opened.push(this.#store);
    return this.#store;
  }

  close(): Promise<void> {
    return this.store.outbox.close();
  }

  /** What a power cut leaves: the files as they are now, without the process. */
  cutPower(): void {
    const left = this.#dir;
    this.#dir = this.#newDir();
    for (const file of readdirSync(left)) cpSync(join(left, file), join(this.#dir, file));
  }

  async end(): Promise<void> {
    for (const store of this.#opened) await store.outbox.close();
    rmSync(this.#root, { recursive: true, force: true });
  }

  queue(name = "cloud", startAt: "now" | "oldest" = "now"): UplinkQueue {
    return this.store.outbox.uplink(name, startAt);
  }

  append(count: number, tag: TagRef = tagRef("pump-1/speed")): Sample[] {
    const samples = Array.from({ length: count }, () => this.#sample(tag, this.#stampMs / 7));
    this.store.outbox.append(samples);
    return samples;
  }

  appendValue(value: Value): Sample {
    const sample = this.#sample(tagRef("pump-1/speed"), value);
    this.store.outbox.append([sample]);
    return sample;
  }

  #sample(tag: TagRef, value: Value): Sample {
    this.#stampMs += 10;
    const sourceTimestampMs = this.clock.wallMs() + this.#stampMs;
    return { tag, value, status: "Good", sourceTimestampMs, epoch: this.store.state.epoch() };
  }

  /** Lets time pass until it is so. */
  async until(isSo: () => boolean): Promise<void> {
    for (let step = 0; !isSo(); step++) {
      assert.ok(step < MAX_STEPS, `waited too long: ${isSo}`);
      await this.clock.advance(STEP_MS);
      // A thread works in real time: virtual time would run hours ahead of it.
      if (this.#how.worker === "thread") await setTimeout(1);
    }
  }

  /** Until the next commit, whatever it holds. */
  async untilWritten(): Promise<void> {
    const { writtenBytes } = this.store.outbox.report();
    await this.until(() => this.store.outbox.report().writtenBytes > writtenBytes);
  }

  untilCommitted(number: number): Promise<void> {
    return this.until(() => this.store.outbox.report().committed >= number);
  }

  #newDir(): string {
    return join(this.#root, `${++this.#folders}`);
  }
}

/** Everything that is pending, read as an uplink reads it. */
export async function readAll(queue: UplinkQueue, maxSamples = READ_SAMPLES): Promise<NumberedSample[]> {
  const samples: NumberedSample[] = [];
  const newest = queue.newest();
  for (let from = 0; from <= newest; ) {
    const batch = await queue.read(from, newest, maxSamples);
    assert.equal(batch.covers.from, from);
    assert.ok(batch.samples.length <= maxSamples);
    assert.ok(batch.covers.to <= newest);
    assert.ok(batch.samples.every(({ number }) => number >= from && number <= batch.covers.to));
    samples.push(...batch.samples);
    from = batch.covers.to + 1;
  }
  return samples;
}

export function acknowledgeAll(queue: UplinkQueue): void {
  queue.acknowledge({ from: 0, to: queue.newest() });
}

/** A sample without what the outbox added to it. */
export function plain({ tag, value, status, sourceTimestampMs, epoch }: Sample): Sample {
  return { tag, value, status, sourceTimestampMs, epoch };
}

export function outboxContract(how: Worker): void {
  for (const [name, body] of Object.entries({ ...READING, ...KEEPING, ...LIMITS, ...STATE })) {
    test(`${how.worker}: ${name}`, (t) => body(new StoreRig(t, how)));
  }
}

type Case = (rig: StoreRig) => Promise<void>;

const READING: Record<string, Case> = {
  "samples are numbered in order and read until acknowledged": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    let appends = 0;
    const stop = queue.onAppend(() => appends++);
    const first = queue.newest();
    const given = [...rig.append(3), ...rig.append(2)];
    stop();
    rig.append(1);
    assert.equal(appends, 2);
    assert.equal(queue.newest(), first + 6);
    const batch = await queue.read(first + 1, first + 5, 10);
    assert.deepEqual(batch.samples.map(plain), given);
    assert.deepEqual(
      batch.samples.map(({ number }) => number - first),
      [1, 2, 3, 4, 5],
    );
    assert.deepEqual(batch.covers, { from: first + 1, to: first + 5 });
    assert.equal((await queue.read(first + 1, first + 5, 2)).covers.to, first + 2);
    assert.equal((await readAll(queue, 1)).length, 6, "reading removes nothing");
    assert.equal(queue.depth(), 6);
    assert.equal(queue.oldestMs(), given[0]?.sourceTimestampMs);
    acknowledgeAll(queue);
    assert.equal(queue.depth(), 0);
    assert.equal(queue.oldestMs(), undefined);
    assert.deepEqual(queue.pending(), [{ from: first + 7, to: Infinity }]);
  },

  "numbers beyond the newest are neither read nor acknowledged": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(2);
    assert.deepEqual((await queue.read(1, Infinity, 10)).covers, { from: 1, to: 2 });
    assert.deepEqual(await queue.read(3, 9, 10), { covers: { from: 3, to: 2 }, samples: [] });
    queue.acknowledge({ from: 1, to: Infinity });
    rig.append(1);
    assert.deepEqual(
      (await readAll(queue)).map(({ number }) => number),
      [3],
    );
  },

  "acknowledgements out of order leave ranges, and only those are read": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(10);
    queue.acknowledge({ from: 3, to: 4 });
    queue.acknowledge({ from: 8, to: 8 });
    assert.deepEqual(queue.pending(), [
      { from: 1, to: 2 },
      { from: 5, to: 7 },
      { from: 9, to: Infinity },
    ]);
    assert.deepEqual(
      (await readAll(queue)).map(({ number }) => number),
      [1, 2, 5, 6, 7, 9, 10],
    );
    const batch = await queue.read(3, 4, 10);
    assert.deepEqual(batch, { covers: { from: 3, to: 4 }, samples: [] });
  },

  "P7: progress never has more than 64 ranges, and never a hole": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(400);
    for (let n = 2; n <= 400; n += 2) queue.acknowledge({ from: n, to: n });
    assert.equal(queue.pending().length, 64);
    const left = new Set((await readAll(queue)).map(({ number }) => number));
    for (let n = 1; n <= 400; n += 2) assert.ok(left.has(n), `${n} was never acknowledged`);
  },

  "a rewind takes acknowledgements back, also of what was never stored": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    const given = rig.append(6);
    acknowledgeAll(queue);
    queue.rewind(4);
    assert.deepEqual((await readAll(queue)).map(plain), given.slice(3));
    await rig.untilCommitted(6);
    rig.cutPower();
    await rig.open();
    assert.deepEqual((await readAll(rig.queue())).map(plain), given.slice(3), "and is stored when it waits");
  },

  "each uplink has its own progress; a new name starts now, or with the oldest held": async (rig) => {
    await rig.open();
    const a = rig.queue("a");
    rig.append(3);
    const now = rig.queue("now", "now");
    const oldest = rig.queue("oldest", "oldest");
    rig.append(2);
    acknowledgeAll(a);
    assert.deepEqual([a.depth(), now.depth(), oldest.depth()], [0, 2, 5]);
    assert.equal(rig.store.outbox.report().released, 1);
  },

  "P4: commitInterval 0 shows an uplink only what is on the card": async (rig) => {
    await rig.open({ commitIntervalMs: 0, outageCommitIntervalMs: 0 });
    const queue = rig.queue();
    let appends = 0;
    queue.onAppend(() => appends++);
    let given: Sample[] = [];
    for (let i = 0; i < 5; i++) {
      given = [...given, ...rig.append(20)];
      await rig.until(() => queue.newest() === given.length);
    }
    assert.ok(appends >= 5);
    rig.cutPower();
    await rig.open();
    assert.deepEqual((await readAll(rig.queue())).map(plain), given);
  },
};

const KEEPING: Record<string, Case> = {
  "P11: what is acknowledged within commitInterval is never written": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    await rig.untilWritten();
    const before = rig.store.outbox.report().writtenBytes;
    for (let i = 0; i < 40; i++) {
      rig.append(50);
      await rig.clock.advance(COMMIT_INTERVAL_MS / 2);
      acknowledgeAll(queue);
    }
    assert.equal(rig.store.outbox.report().committed, 0);
    assert.equal(rig.store.outbox.report().writtenBytes, before);
    rig.cutPower();
    await rig.open();
    assert.equal((await readAll(rig.queue("all", "oldest"))).length, 0);
  },

  "P4: a power cut loses nothing older than the interval, and it tells what it may have lost": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    await rig.clock.advance(5_000);
    const takenInMs = rig.clock.wallMs();
    const given = [rig.appendValue(1.5), rig.appendValue(2n ** 63n), rig.appendValue("ü"), rig.appendValue(null)];
    await rig.untilCommitted(given.length);
    const committedMs = rig.clock.wallMs();
    queue.acknowledge({ from: 1, to: 1 });
    rig.append(3);
    rig.cutPower();
    await rig.clock.advance(60_000);
    await rig.open();
    const again = rig.queue();
    assert.deepEqual((await readAll(again)).map(plain).slice(-3), given.slice(1));
    const [loss, ...others] = again.losses();
    assert.equal(others.length, 0);
    assert.equal(loss?.reason, "unclean stop");
    assert.ok(loss.fromMs > takenInMs && loss.fromMs <= committedMs, "from the safe time");
    assert.equal(loss.toMs, rig.clock.wallMs());
    assert.deepEqual(
      loss.tags.map(({ tag, count }) => [tag.id, count]),
      [
        ["pump-1/speed", null],
        ["pump-1/fault", null],
      ],
    );
    rig.append(1);
    assert.equal(again.newest(), 5, "numbers go on above the highest in the file");
  },

  "a clean stop keeps everything and tells no loss": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    const given = rig.append(5);
    queue.acknowledge({ from: 2, to: 3 });
    await rig.close();
    await rig.open();
    const again = rig.queue();
    assert.deepEqual(again.losses(), []);
    assert.deepEqual(
      (await readAll(again)).map(({ number }) => number),
      [1, 4, 5],
    );
    assert.deepEqual((await readAll(again)).map(plain), [given[0], given[3], given[4]]);
    assert.equal(again.oldestMs(), given[0]?.sourceTimestampMs);
  },

  "P4: an acknowledgement of stored samples is remembered, at most 10 s later": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    rig.append(10);
    await rig.untilCommitted(10);
    acknowledgeAll(queue);
    await rig.untilWritten();
    rig.cutPower();
    await rig.open();
    assert.equal((await readAll(rig.queue())).length, 0);
  },

  "a loss stays until it is acknowledged, over restarts": async (rig) => {
    await rig.open();
    rig.queue();
    await rig.untilWritten();
    rig.cutPower();
    await rig.open();
    assert.equal(rig.queue().losses().length, 1, "also where no sample was ever stored");
    await rig.close();
    await rig.open();
    const [loss] = rig.queue().losses();
    rig.queue().acknowledgeLoss(loss?.id ?? -1);
    assert.equal(rig.queue().losses().length, 0);
    await rig.close();
    await rig.open();
    assert.equal(rig.queue().losses().length, 0);
  },

  "what every uplink has passed leaves the file; what one has not stays": async (rig) => {
    const limits = { recentSamples: 10, maxBlockSamples: 8 };
    await rig.open({}, { limits });
    const a = rig.queue("a");
    const b = rig.queue("b");
    const given = rig.append(100);
    await rig.untilCommitted(100);
    acknowledgeAll(a);
    b.acknowledge({ from: 1, to: 60 });
    assert.equal(rig.store.outbox.report().released, 61);
    await rig.close();
    await rig.open({}, { limits });
    const all = await readAll(rig.queue("all", "oldest"));
    assert.ok(all.length >= 40 && all.length < 50, `${all.length} samples held`);
    assert.deepEqual((await readAll(rig.queue("b"))).map(plain), given.slice(60));
    acknowledgeAll(rig.queue("b"));
    acknowledgeAll(rig.queue("all"));
    await rig.close();
    await rig.open();
    assert.equal((await readAll(rig.queue("more", "oldest"))).length, 0);
  },

  "history beyond memory is read in order, whatever its priority": async (rig) => {
    const limits = { recentSamples: 20, maxBlockSamples: 7, commitSamples: 50, readBlocks: 2 };
    await rig.open({}, { limits });
    const queue = rig.queue();
    const given: Sample[] = [];
    for (let i = 0; i < 60; i++) {
      given.push(...rig.append(3), ...rig.append(1, tagRef("pump-1/fault", "high")));
      if (i % 9 === 0) given.push(...rig.append(1, tagRef("pump-1/text", "low")));
      if (i % 10 === 0) await rig.clock.advance(COMMIT_INTERVAL_MS);
    }
    await rig.untilCommitted(given.length);
    rig.append(1);
    assert.ok(rig.store.outbox.report().memorySamples <= 21);
    queue.acknowledge({ from: 30, to: 50 });
    const left = await readAll(queue, 11);
    const wanted = given.filter((_, i) => i + 1 < 30 || i + 1 > 50);
    assert.deepEqual(left.slice(0, -1).map(plain), wanted);
    rig.cutPower();
    await rig.open({}, { limits });
    assert.deepEqual((await readAll(rig.queue(), 13)).map(plain), given, "the acknowledgement was not stored yet");
  },

  "a removed uplink is parked: what it had waits for it, nothing new does": async (rig) => {
    await rig.open();
    rig.queue("a");
    rig.queue("b");
    rig.append(3);
    await rig.close();
    await rig.open();
    acknowledgeAll(rig.queue("a"));
    rig.append(4);
    await rig.close();
    await rig.open();
    const b = rig.queue("b");
    rig.append(1);
    assert.deepEqual(
      (await readAll(b)).map(({ number }) => number),
      [1, 2, 3, 8],
    );
  },

  "a parked uplink is forgotten after maxAge": async (rig) => {
    const config = { maxAgeMs: 60_000 };
    await rig.open(config);
    rig.queue("a");
    rig.queue("gone");
    rig.append(3);
    await rig.close();
    await rig.open(config);
    const a = rig.queue("a");
    rig.append(1);
    await rig.clock.advance(120_000);
    acknowledgeAll(a);
    rig.append(1);
    await rig.untilCommitted(5);
    assert.equal(rig.store.outbox.report().released, 5);
  },

  "P8: a changed configuration reads old blocks as they were written": async (rig) => {
    await rig.open();
    rig.queue();
    const old: Sample = { ...rig.appendValue(7), tag: { ...tagRef("pump-1/speed"), type: "int16" } };
    rig.store.outbox.append([old]);
    await rig.close();
    await rig.open({}, { tags: [tagRef("other/one")] });
    const queue = rig.queue();
    rig.store.outbox.append([{ ...old, tag: tagRef("other/one") }]);
    const back = await readAll(queue);
    assert.deepEqual(
      back.map(({ tag }) => [tag.id, tag.type]),
      [
        ["pump-1/speed", "float64"],
        ["pump-1/speed", "int16"],
        ["other/one", "float64"],
      ],
    );
  },
};

/** Small enough to reach the limits of the file with few samples; what is in memory is never dropped. */
const SMALL = { recentSamples: 50, maxBlockSamples: 50, commitSamples: 500 };

const LIMITS: Record<string, Case> = {
  "P4 P7: at the size limit the oldest of the lowest priority go, and each uplink is told": async (rig) => {
    const maxSizeBytes = 400_000;
    await rig.open({ maxSizeBytes }, { limits: SMALL });
    const a = rig.queue("a");
    const b = rig.queue("b");
    for (let i = 0; i < 20; i++) {
      // Noise in every bit: nothing that could be compressed.
      const values = Array.from({ length: 2_000 }, (_, n) => Math.sin(i * 2_000 + n));
      for (const value of values) rig.appendValue(value);
      rig.append(5, tagRef("pump-1/fault", "high"));
      await rig.untilCommitted(rig.store.outbox.report().newest);
      a.acknowledge({ from: 0, to: 10 });
    }
    rig.append(1);
    await rig.untilCommitted(rig.store.outbox.report().newest);
    const { fileBytes } = rig.store.outbox.report();
    assert.ok(fileBytes <= maxSizeBytes * 1.25, `${fileBytes} bytes`);
    const taken = rig.store.outbox.report().takenIn;
    for (const [queue, acknowledged] of [
      [a, 10],
      [b, 0],
    ] as const) {
      const left = await readAll(queue);
      assert.equal(left.filter(({ tag }) => tag.priority === "high").length, 100, "the higher priority stays");
      const [loss, ...others] = queue.losses();
      assert.deepEqual(others, [], "merged into one");
      assert.equal(loss?.reason, "outbox full");
      assert.deepEqual(
        loss.tags.map(({ tag, count }) => [tag.id, count]),
        [["pump-1/speed", taken - left.length - acknowledged]],
        "every sample is read or counted",
      );
      const oldestLeft = left.find(({ tag }) => tag.priority === "normal")?.sourceTimestampMs ?? 0;
      assert.ok(loss.toMs < oldestLeft);
    }
    assert.equal(rig.store.outbox.report().dropped, b.losses()[0]?.tags[0]?.count);
  },

  "P4: what is too old goes and is told; a stepped clock makes nothing old": async (rig) => {
    const config = { maxAgeMs: 600_000 };
    await rig.open(config, { limits: SMALL });
    const queue = rig.queue();
    rig.append(200);
    await rig.untilCommitted(200);
    rig.clock.stepWall(20 * 365 * 86_400_000);
    await rig.clock.advance(61_000);
    rig.append(200);
    await rig.untilCommitted(400);
    assert.deepEqual(queue.losses(), []);
    await rig.clock.advance(560_000);
    rig.append(100);
    await rig.until(() => queue.losses().length === 1);
    assert.equal(queue.losses()[0]?.reason, "too old");
    assert.deepEqual(
      queue.losses()[0]?.tags.map(({ count }) => count),
      [200],
    );
    assert.equal((await readAll(queue)).length, 300);
    assert.equal(queue.depth(), 300, "what is gone is no longer waited for");
  },

  "P8: a file that is not ours, or damaged, is set aside and told, and the gateway goes on": async (rig) => {
    const damages: readonly ((path: string) => void)[] = [
      (path) => writeFileSync(path, "these are the words of another program ".repeat(200)),
      (path) => {
        const file = openSync(path, "r+");
        writeSync(file, Buffer.alloc(8_000, 0x5a), 0, 8_000, 200);
        closeSync(file);
      },
    ];
    for (const damage of damages) {
      await rig.open();
      rig.queue();
      rig.append(300);
      await rig.close();
      damage(join(rig.dir, "outbox.db"));
      await rig.open();
      const queue = rig.queue();
      assert.deepEqual(
        queue.losses().map(({ reason }) => reason),
        ["damaged file"],
      );
      assert.ok(readdirSync(rig.dir).some((file) => file.startsWith("outbox.db.damaged-20")));
      const given = rig.append(3);
      await rig.untilCommitted(3);
      assert.deepEqual((await readAll(queue)).map(plain), given);
      await rig.close();
      rmSync(rig.dir, { recursive: true });
    }
  },

  "P8: an empty file is a new file": async (rig) => {
    mkdirSync(rig.dir);
    writeFileSync(join(rig.dir, "outbox.db"), "");
    await rig.open();
    assert.deepEqual(rig.queue().losses(), []);
    assert.deepEqual(
      readdirSync(rig.dir).filter((file) => file.includes("damaged")),
      [],
    );
  },
};

const STATE: Record<string, Case> = {
  "epochs and sessions only ever rise, over power cuts and with either file lost": async (rig) => {
    const lose = (file: string) => () => {
      for (const name of readdirSync(rig.dir)) if (name.startsWith(file)) rmSync(join(rig.dir, name));
    };
    const spoil = () => writeFileSync(join(rig.dir, "state.db"), "not a database ".repeat(500));
    let [epoch, session] = [Math.floor(rig.clock.wallMs() / 1_000), Math.floor(rig.clock.wallMs() / 1_000)];
    const rises = async () => {
      for (let i = 0; i < 40; i++) {
        const next = i === 0 ? rig.store.state.epoch() : rig.store.state.raiseEpoch();
        assert.ok(next > epoch, `epoch ${next} after ${epoch}`);
        assert.equal(rig.store.state.epoch(), next);
        epoch = next;
        // So many steps at once would outrun a card; a second lies between two.
        await rig.until(() => true);
        const given = await rig.store.state.nextSession("cloud");
        assert.ok(given > session, `session ${given} after ${session}`);
        session = given;
      }
    };
    for (const accident of [() => undefined, lose("state.db"), lose("outbox.db"), spoil, () => undefined]) {
      await rig.open();
      await rises();
      rig.cutPower();
      accident();
    }
    await rig.open();
    assert.ok(readdirSync(rig.dir).length > 0);
    await rises();
  },

  "sessions asked for at once are all different": async (rig) => {
    await rig.open();
    const given = await Promise.all(Array.from({ length: 40 }, () => rig.store.state.nextSession("cloud")));
    assert.equal(new Set(given).size, 40);
  },

  "retained topics survive a power cut, each uplink's and server's apart": async (rig) => {
    await rig.open();
    const server = "mqtts://a.example.com:8883";
    await rig.store.state.setRetained("cloud", server, ["t/status", "t/tags/pump-1"]);
    await rig.store.state.setRetained("cloud", "mqtts://b", ["other"]);
    await rig.store.state.setRetained("cloud", "mqtts://b", []);
    rig.cutPower();
    await rig.open();
    assert.deepEqual(rig.store.state.retained("cloud", server), ["t/status", "t/tags/pump-1"]);
    assert.deepEqual(rig.store.state.retained("cloud", "mqtts://b"), []);
    assert.deepEqual(rig.store.state.retained("dmz", server), []);
  },

  "P11: the state record is written at most once a minute, and tells how long all was safe": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    for (let second = 0; second < 180; second++) {
      rig.append(10);
      acknowledgeAll(queue);
      await rig.clock.advance(1_000);
    }
    const wentDarkMs = rig.clock.wallMs();
    rig.cutPower();
    await rig.open();
    const [loss] = rig.queue().losses();
    assert.ok(loss !== undefined && loss.fromMs > wentDarkMs - 65_000, "no commit told it: state.db did");
  },
};
