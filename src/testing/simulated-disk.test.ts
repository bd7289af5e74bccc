import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { silentLog } from "../core/log.ts";
import { type Random, seededRandom } from "../core/random.ts";
import type { Sample, UplinkQueue } from "../pipeline.ts";
import { openStore, type Store } from "../store/open-store.ts";
import { outboxContract } from "./outbox-contract.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import { plain, readAll, tagRef } from "./store-rig.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { passWhile } from "./virtual-wait.ts";

const contractRoot = mkdtempSync(join(tmpdir(), "sallyport-disk-contract-"));
after(() => rmSync(contractRoot, { recursive: true }));
let contractDisks = 0;
outboxContract({
  name: "simulated disk",
  worker: (clock) => {
    const seed = ++contractDisks;
    return new SimulatedDisk({ root: join(contractRoot, `${seed}`), clock, random: seededRandom(seed) }).open();
  },
});

const SPEED = tagRef("pump-1/speed");
const CONFIG = {
  path: "outbox.db",
  maxSizeBytes: 1_048_576,
  maxAgeMs: 90 * 86_400_000,
  commitIntervalMs: 1_000,
  outageCommitIntervalMs: 1_000,
};
/** Small, so that logs begin anew and blocks are replaced within few commits. */
const LIMITS = { recentSamples: 20, maxBlockSamples: 10, commitSamples: 50 };

class Rig {
  readonly clock = new VirtualClock();
  readonly disk: SimulatedDisk;
  readonly given = new Map<number, Sample>();
  store: Store | undefined;
  #stampMs = 0;

  constructor(t: TestContext, seed = 1) {
    const root = mkdtempSync(join(tmpdir(), "sallyport-disk-"));
    this.disk = new SimulatedDisk({ root, clock: this.clock, random: seededRandom(seed) });
    t.after(() => {
      this.disk.end();
      rmSync(root, { recursive: true, force: true });
    });
  }

  async open(): Promise<UplinkQueue> {
    const opening = openStore({
      config: CONFIG,
      stateDir: this.disk.dir,
      uplinks: [{ name: "cloud", startAt: "now" }],
      tags: [SPEED],
      clock: this.clock,
      log: silentLog,
      worker: this.disk.open(),
      limits: LIMITS,
    });
    opening.then(
      (store) => {
        this.store = store;
      },
      () => undefined,
    );
    await this.clock.advance(60_000);
    const store = this.store ?? assert.fail("the store did not open");
    return store.outbox.uplink("cloud", "now");
  }

  async close(): Promise<void> {
    const closing = this.store?.outbox.close();
    await this.clock.advance(60_000);
    await closing;
  }

  append(count: number): void {
    const { outbox } = this.store ?? assert.fail();
    for (let i = 0; i < count; i++) {
      this.#stampMs += 10;
      const sample: Sample = {
        tag: SPEED,
        value: this.#stampMs,
        status: "Good",
        sourceTimestampMs: this.#stampMs,
        epoch: 1,
      };
      outbox.append([sample]);
      this.given.set(outbox.report().newest, sample);
    }
  }
}

const SEEDS = 15;
const CUT_WITHIN_POINTS = 400;
const ROUNDS = 20;

/** Lives until the power goes. @returns the highest number that was told as committed before */
async function liveUntilCut(rig: Rig, random: Random): Promise<number> {
  const queue = await rig.open();
  let committed = 0;
  let isCut = false;
  rig.disk.cutAfter(1 + Math.floor(random.next() * CUT_WITHIN_POINTS), () => {
    isCut = true;
  });
  for (let round = 0; round < ROUNDS && !isCut; round++) {
    rig.append(1 + Math.floor(random.next() * 60));
    if (round % 4 === 3) queue.acknowledge({ from: 0, to: queue.newest() - 40 });
    await rig.clock.advance(1_500);
    if (!isCut) committed = rig.store?.outbox.report().committed ?? 0;
  }
  if (!isCut) rig.disk.cutPower();
  return committed;
}

test("P4: what was told as committed is there after a power cut at any call, statement or torn commit", async (t) => {
  const random = seededRandom(7);
  for (let seed = 1; seed <= SEEDS; seed++) {
    const rig = new Rig(t, seed);
    for (let life = 0, from = 1; life < 3; life++) {
      const committed = await liveUntilCut(rig, random);
      const queue = await rig.open();
      const files = readdirSync(rig.disk.dir).filter((file) => file.includes("damaged"));
      assert.deepEqual(files, [], `seed ${seed}: no power cut damages a file`);
      const reasons = queue.losses().map(({ reason }) => reason);
      if (committed >= from) assert.deepEqual([...new Set(reasons)], ["unclean stop"]);
      const left = await readAll(queue);
      for (const sample of left) assert.deepEqual(plain(sample), rig.given.get(sample.number));
      const last = left.at(-1)?.number ?? 0;
      assert.ok(last >= committed, `seed ${seed}: ${committed} was committed, ${last} is the last one there`);
      from = last + 1;
      await rig.close();
    }
  }
});

test("a full card takes nothing, an erring one answers nothing; both heal, and nothing is lost", async (t) => {
  for (const fault of ["full", "readOnly", "erroring"] as const) {
    const rig = new Rig(t);
    const queue = await rig.open();
    rig.disk.condition.fault = fault;
    rig.append(30);
    await rig.clock.advance(10_000);
    const report = rig.store?.outbox.report();
    assert.deepEqual([report?.health, report?.committed], [fault === "full" ? "full" : "failing", 0]);
    rig.disk.condition.fault = "none";
    await rig.clock.advance(60_000);
    assert.equal(rig.store?.outbox.report().committed, 30);
    assert.equal((await readAll(queue)).length, 30);
  }
});

test("a slow card answers after its time, one call after the other", async (t) => {
  const rig = new Rig(t);
  await rig.open();
  await rig.clock.advance(2_000);
  rig.disk.condition.slowMs = 4_000;
  rig.append(5);
  await rig.clock.advance(4_900);
  assert.equal(rig.store?.outbox.report().committed, 0);
  await rig.clock.advance(1_000);
  assert.equal(rig.store?.outbox.report().committed, 5);
  assert.equal(rig.store?.outbox.report().health, "slow");
});

test("a cut life is never answered again, and cannot reach the next one", async (t) => {
  const rig = new Rig(t);
  await rig.open();
  rig.append(5);
  await rig.clock.advance(2_000);
  const old = rig.store;
  rig.disk.cutPower();
  let isAnswered = false;
  const answered = () => {
    isAnswered = true;
  };
  old?.state.nextSession("new").then(answered, answered);
  old?.outbox.close().then(answered, answered);
  await rig.clock.advance(60_000);
  assert.equal(isAnswered, false);
  assert.equal((await readAll(await rig.open())).length, 5);
});

test("a process that ended without closing its files leaves them to the next one", async (t) => {
  const rig = new Rig(t);
  await rig.open();
  rig.append(5);
  await rig.clock.advance(2_000);
  assert.equal((await readAll(await rig.open())).length, 5);
  const failed = rig.disk.open();
  await failed.state.open({ path: join(rig.disk.dir, "state.db"), nowMs: 0, walBytes: 65_536 });
  await failed.end();
  assert.equal((await readAll(await rig.open())).length, 5);
});

test("P8: a file that was damaged between two lives is set aside or read as it was, and told", async (t) => {
  for (const how of ["flipped", "truncated"] as const) {
    for (let seed = 1; seed <= 20; seed++) {
      const rig = new Rig(t, seed);
      await rig.open();
      rig.append(500);
      await rig.clock.advance(5_000);
      await rig.close();
      rig.disk.damage("outbox.db", how);
      const queue = await rig.open();
      const left = await passWhile(rig.clock, "the outbox was read", readAll(queue));
      for (const sample of left) assert.deepEqual(plain(sample), rig.given.get(sample.number), `${how} ${seed}`);
      const told = queue.losses().map(({ reason }) => reason);
      if (left.length < 500) assert.deepEqual([...new Set(told)], ["damaged file"], `${how} ${seed}`);
    }
  }
});

test("what the machine tells of its own card is no part of a run", async (t) => {
  const { disk } = new Rig(t);
  const { blocks } = disk.open();
  const { usage } = await blocks.open({ path: join(disk.dir, "outbox.db"), nowMs: 0, walBytes: 65_536 });
  assert.deepEqual([usage.partition, usage.writtenBytes], [undefined, 0]);
});
