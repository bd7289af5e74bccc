/** Invariant: a crash may leave a phantom (a duplicate), never a hole. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { PRIORITIES } from "../core/tag.ts";
import type { NumberedSample, Sample, UplinkQueue } from "../pipeline.ts";
import { plain, readAll, StoreRig, tagRef } from "../testing/store-rig.ts";

const UPLINKS = ["a", "b", "c"] as const;
const LIMITS = {
  recentSamples: 8,
  maxBlockSamples: 5,
  commitSamples: 12,
  readBlocks: 2,
  maxBlockOpenMs: 30_000,
};

type Step =
  | { readonly do: "append"; readonly count: number; readonly priority: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "read"; readonly uplink: number; readonly max: number }
  | { readonly do: "acknowledge"; readonly uplink: number; readonly at: number; readonly length: number }
  | { readonly do: "rewind"; readonly uplink: number; readonly by: number }
  | { readonly do: "cut power" | "restart" };

const uplink = fc.nat({ max: UPLINKS.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      count: fc.integer({ min: 1, max: 9 }),
      priority: fc.nat({ max: 2 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(300, 1_300, 1_300, 11_000, 61_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("read" as const), uplink, max: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("acknowledge" as const),
      uplink,
      at: fc.nat({ max: 99 }),
      length: fc.nat({ max: 25 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rewind" as const), uplink, by: fc.nat({ max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("cut power" as const, "restart" as const) }) },
);

/** The outbox beside what it owes: per uplink, the number and sample of everything it has not acknowledged. */
class Model {
  readonly rig: StoreRig;
  readonly #commitIntervalMs: number;
  readonly #owed = UPLINKS.map(() => new Map<number, Sample>());
  #queues: UplinkQueue[] = [];

  constructor(rig: StoreRig, commitIntervalMs: number) {
    this.rig = rig;
    this.#commitIntervalMs = commitIntervalMs;
  }

  async open(): Promise<void> {
    const config = { commitIntervalMs: this.#commitIntervalMs, outageCommitIntervalMs: this.#commitIntervalMs };
    await this.rig.open(config, { limits: LIMITS });
    this.#queues = UPLINKS.map((name) => this.rig.queue(name));
    // The file knows the names from now on.
    await this.rig.clock.advance(1_000);
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case "append":
        return this.#append(step.count, step.priority);
      case "wait":
        return this.rig.clock.advance(step.ms);
      case "read":
        return this.#check(step.uplink, step.max);
      case "acknowledge":
        return this.#acknowledge(step.uplink, step.at, step.length);
      case "rewind": {
        const queue = this.#queue(step.uplink);
        return queue.rewind(Math.max(1, queue.newest() - step.by));
      }
      case "cut power":
        return this.#cutPower();
      case "restart":
        await this.rig.close();
        return this.open();
    }
  }

  async checkAll(): Promise<void> {
    for (const index of UPLINKS.keys()) await this.#check(index, 100);
  }

  #append(count: number, priority: number): void {
    const before = this.rig.store.outbox.report().newest;
    const samples = this.rig.append(count, tagRef(`pump-1/${PRIORITIES[priority]}`, PRIORITIES[priority]));
    assert.equal(this.rig.store.outbox.report().newest, before + count);
    for (const owed of this.#owed) {
      assert.ok(Math.max(0, ...owed.keys()) <= before, "a number in use is not given again");
      samples.forEach((sample, i) => {
        owed.set(before + 1 + i, sample);
      });
    }
  }

  #acknowledge(index: number, at: number, length: number): void {
    const queue = this.#queue(index);
    const from = Math.floor((queue.newest() * at) / 100);
    queue.acknowledge({ from, to: from + length });
    const owed = this.#owed[index];
    for (let n = from; n <= Math.min(from + length, queue.newest()); n++) owed?.delete(n);
  }

  async #cutPower(): Promise<void> {
    const { committed } = this.rig.store.outbox.report();
    for (const owed of this.#owed) for (const number of owed.keys()) if (number > committed) owed.delete(number);
    this.rig.cutPower();
    await this.open();
    for (const queue of this.#queues) assert.equal(queue.losses()[0]?.reason, "unclean stop");
    await this.checkAll();
  }

  async #check(index: number, max: number): Promise<void> {
    const queue = this.#queue(index);
    const newest = queue.newest();
    const read = new Map<number, NumberedSample>();
    for (const sample of await readAll(queue, max)) {
      assert.ok(!read.has(sample.number), "once in a reading");
      assert.ok(sample.number > Math.max(0, ...read.keys()), "by number");
      read.set(sample.number, sample);
    }
    for (const [number, sample] of this.#owed[index] ?? []) {
      const found = read.get(number);
      if (number <= newest) assert.ok(found !== undefined, `${number} is a hole for ${UPLINKS[index]}`);
      if (found !== undefined) assert.deepEqual(plain(found), sample);
    }
  }

  #queue(index: number): UplinkQueue {
    return this.#queues[index] ?? assert.fail();
  }
}

function property(t: TestContext, commitIntervalMs: number): Promise<void> {
  return fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: "max" }), async (steps) => {
      const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
      try {
        const model = new Model(rig, commitIntervalMs);
        await model.open();
        for (const step of steps) await model.run(step);
        await model.checkAll();
      } finally {
        await rig.end();
      }
    }),
    { numRuns: 20, includeErrorInReport: true },
  );
}

test("P4: whatever happens in whatever order, nothing committed and unacknowledged is lost", (t) => property(t, 1_000));

test("P4: the same with commitInterval 0", (t) => property(t, 0));
