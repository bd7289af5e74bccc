/** The rows of the blocks have no checksum: what a worn card makes of them must be seen by what they hold. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { NumberedSample } from "../pipeline.ts";
import { FaultRig } from "../testing/fault-rig.ts";
import { acknowledgeAll, plain, readAll } from "../testing/store-rig.ts";

const LIMITS = { recentSamples: 10, maxBlockSamples: 10 };
/** Of the third of ten blocks of ten samples. */
const THIRD = "WHERE first = 21";

function numbersOf(samples: readonly NumberedSample[]): number[] {
  return samples.map(({ number }) => number);
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

test("P4 P8: a block whose row says other numbers than it holds is told, with its count, and the others are read", async (t) => {
  const damages = ["last = 24", "last = 4096", "samples = 9", "last = 9007199254740993"];
  for (const damage of damages) {
    const rig = await FaultRig.open(t, LIMITS);
    const given = rig.append(100);
    await rig.clock.advance(2_000);
    await rig.outbox.close();
    rig.damageRows(`UPDATE block SET ${damage} ${THIRD}`);
    await rig.start(LIMITS);
    assert.deepEqual(numbersOf(await readAll(rig.queue)), [...numbers(1, 20), ...numbers(31, 100)], damage);
    const [loss, ...others] = rig.queue.losses();
    assert.deepEqual(others, []);
    assert.equal(loss?.reason, "damaged file");
    assert.deepEqual([loss.fromMs, loss.toMs], [given[20]?.sourceTimestampMs, given[29]?.sourceTimestampMs]);
    assert.equal(loss.tags[0]?.count, 10);
    acknowledgeAll(rig.queue);
    await rig.clock.advance(12_000);
    rig.queue.acknowledgeLoss(loss.id);
    await rig.outbox.close();
    await rig.start(LIMITS);
    assert.deepEqual(rig.queue.losses(), [], "told once");
  }
});

test("P4 P8: a row that hides the rest of its block is seen before that is released", async (t) => {
  const rig = await FaultRig.open(t, LIMITS);
  rig.append(100);
  await rig.clock.advance(2_000);
  rig.queue.acknowledge({ from: 1, to: 25 });
  await rig.outbox.close();
  rig.damageRows(`UPDATE block SET last = 24 ${THIRD}`);
  await rig.start(LIMITS);
  assert.deepEqual(numbersOf(await readAll(rig.queue)), numbers(31, 100));
  assert.equal(rig.queue.losses()[0]?.tags[0]?.count, 5, "what was not acknowledged");
});

test("P4 P8: numbers go on above what the last block holds, whatever its row says", async (t) => {
  for (const damage of ["last = 94", "last = 9007199254740993"]) {
    const rig = await FaultRig.open(t, LIMITS);
    rig.append(100);
    await rig.clock.advance(2_000);
    rig.queue.acknowledge({ from: 1, to: 95 });
    await rig.outbox.close();
    rig.damageRows(`UPDATE block SET ${damage} WHERE first = 91`);
    await rig.start(LIMITS);
    assert.equal(rig.queue.losses()[0]?.tags[0]?.count, 5);
    const newest = rig.queue.newest();
    assert.ok(newest >= 100);
    const given = rig.append(3);
    await rig.clock.advance(2_000);
    assert.deepEqual((await readAll(rig.queue)).map(plain), given);
    assert.equal(rig.queue.newest(), newest + 3);
  }
});

test("P4 P8: a block that is not where its index has it makes the file a damaged one, never a hole", async (t) => {
  for (const [first, moved] of [
    [21, 23],
    [21, 1_000_021],
    [1, 5],
    [1, 1_000_001],
    [91, 80_091],
  ]) {
    const rig = await FaultRig.open(t, LIMITS);
    const given = rig.append(100);
    await rig.clock.advance(2_000);
    await rig.outbox.close();
    rig.damageKeys(`UPDATE block SET first = ${moved} WHERE first = ${first}`);
    await rig.start(LIMITS);
    const reading = readAll(rig.queue);
    await rig.clock.advance(5_000);
    await reading;
    await rig.clock.advance(5_000);
    assert.ok(
      readdirSync(rig.dir).some((file) => file.startsWith("outbox.db.damaged-")),
      `${first} to ${moved}`,
    );
    assert.equal(rig.queue.losses()[0]?.reason, "damaged file");
    given.push(...rig.append(3));
    await rig.clock.advance(2_000);
    const left = new Set((await readAll(rig.queue)).map(({ value }) => value));
    const missing = given.filter(({ value }) => !left.has(value));
    assert.ok(missing.length <= LIMITS.maxBlockSamples, `${first} to ${moved}: ${missing.length} are gone`);
    for (const { sourceTimestampMs: at } of missing) {
      assert.ok(rig.queue.losses().some(({ fromMs, toMs }) => fromMs <= at && at <= toMs));
    }
  }
});
