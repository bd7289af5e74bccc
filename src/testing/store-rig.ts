/** A store in a folder of its own, for tests: virtual time, real files, and power that can be cut. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { OutboxConfig } from "../config/config.ts";
import { type Clock, hostClock, sleep } from "../core/clock.ts";
import { createLog } from "../core/log.ts";
import type { Priority, TagRef, Value } from "../core/tag.ts";
import type { NumberedSample, Sample, UplinkQueue } from "../pipeline.ts";
import { openStore, type Store, type StoreOptions } from "../store/open-store.ts";
import { inProcessStorage, type Storage, threadStorage } from "../store/storage-client.ts";
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

/** Where the files are worked on; `name` tells the tests apart. */
export interface StoreWorker {
  readonly name: string;
  /** A function makes a storage for each opening. */
  readonly worker: "thread" | "in-process" | ((clock: Clock) => Storage);
  readonly workerUrl?: URL;
}

/** Opens, closes and cuts off a store; what it opened it closes at the end of the test. */
export class StoreRig {
  readonly clock: VirtualClock;
  /** What the store has written to the log, over all openings. */
  readonly logged: string[] = [];
  readonly #how: StoreWorker;
  readonly #opened: Store[] = [];
  readonly #root = mkdtempSync(join(tmpdir(), "sallyport-store-"));
  #folders = 0;
  #dir = this.#newDir();
  #store: Store | undefined;
  #stampMs = 0;
  /** Asked for so far: the next opening has them configured. */
  readonly #uplinks = new Set<string>();

  constructor(t: TestContext, how: StoreWorker, clock = new VirtualClock()) {
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
      uplinks: [...this.#uplinks].map((name) => ({ name, startAt: "now" })),
      tags: [tagRef("pump-1/speed"), tagRef("pump-1/fault", "high")],
      clock: this.clock,
      log: createLog({ write: (line) => this.logged.push(line.trimEnd()), level: "info", format: "text" }),
      ...this.#storage(),
      ...more,
    });
    this.#opened.push(this.#store);
    return this.#store;
  }

  close(): Promise<void> {
    return this.store.outbox.close();
  }

  /** A storage as the openings of this rig have one, for a test that puts something around it. */
  storage(): Storage {
    const { worker, workerUrl } = this.#how;
    if (typeof worker === "function") return worker(this.clock);
    return worker === "thread" ? threadStorage(workerUrl) : inProcessStorage();
  }

  #storage(): Pick<StoreOptions, "worker" | "workerUrl"> {
    const { worker, workerUrl } = this.#how;
    return { worker: typeof worker === "function" ? worker(this.clock) : worker, ...(workerUrl && { workerUrl }) };
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
    this.#uplinks.add(name);
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
      if (this.#how.worker === "thread") await sleep(hostClock, 1);
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

export type StoreCase = (rig: StoreRig) => Promise<void>;
