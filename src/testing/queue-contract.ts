/**
 * What an uplink may expect of its queue and of the state beside it, run on the outbox with its files and on the plain
 * ones in memory with which uplinks are tested.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Sample, StateStore, UplinkQueue } from "../pipeline.ts";
import { plain } from "./store-rig.ts";

export interface QueueRig {
  readonly queue: UplinkQueue;
  readonly state: StateStore;
  append(count: number): readonly Sample[];
}

type Case = (rig: QueueRig) => Promise<void>;

export function queueContract(name: string, makeRig: (t: TestContext) => Promise<QueueRig>): void {
  for (const [promise, prove] of Object.entries(CASES)) {
    test(`${name}: ${promise}`, async (t) => prove(await makeRig(t)));
  }
}

const CASES: Readonly<Record<string, Case>> = {
  "samples are numbered in order, and reading removes nothing": async ({ queue, append }) => {
    const first = queue.newest();
    const given = [...append(3), ...append(2)];
    assert.equal(queue.newest(), first + 5);
    for (let times = 0; times < 2; times++) {
      const { covers, samples } = await queue.read(first + 1, first + 5, 10);
      assert.deepEqual(samples.map(plain), given);
      assert.deepEqual(covers, { from: first + 1, to: first + 5 });
      assert.ok(samples.every(({ takenInMs }) => takenInMs !== undefined));
    }
    assert.equal(queue.depth(), 5);
    assert.equal(queue.oldestMs(), given[0]?.sourceTimestampMs);
  },

  "a batch covers what is certain: as many samples as were asked for, and no number that is not given yet": async (
    rig,
  ) => {
    rig.append(4);
    assert.deepEqual((await rig.queue.read(1, 4, 2)).covers, { from: 1, to: 2 });
    assert.deepEqual((await rig.queue.read(1, Number.POSITIVE_INFINITY, 10)).covers, { from: 1, to: 4 });
    assert.deepEqual(await rig.queue.read(5, 9, 10), { covers: { from: 5, to: 4 }, samples: [] });
  },

  "P4: an acknowledgement reaches no number that is not given yet": async ({ queue, append }) => {
    append(2);
    queue.acknowledge({ from: 1, to: Number.POSITIVE_INFINITY });
    assert.equal(queue.depth(), 0);
    assert.equal(queue.oldestMs(), undefined);
    append(1);
    assert.deepEqual(queue.pending(), [{ from: 3, to: Number.POSITIVE_INFINITY }]);
    assert.deepEqual(await numbers(queue), [3]);
  },

  "P4: acknowledgements out of order leave what was not acknowledged, and a rewind takes some back": async (rig) => {
    const { queue } = rig;
    rig.append(10);
    queue.acknowledge({ from: 3, to: 4 });
    queue.acknowledge({ from: 8, to: 8 });
    queue.acknowledge({ from: 3, to: 3 });
    assert.deepEqual(await numbers(queue), [1, 2, 5, 6, 7, 9, 10]);
    assert.deepEqual(await queue.read(3, 4, 10), { covers: { from: 3, to: 4 }, samples: [] });
    queue.rewind(8);
    assert.deepEqual(await numbers(queue), [1, 2, 5, 6, 7, 8, 9, 10]);
  },

  "each append is told once, until it is no longer asked for": async ({ queue, append }) => {
    let told = 0;
    const listener = () => {
      told += 1;
    };
    const stops = [queue.onAppend(listener), queue.onAppend(listener)];
    append(3);
    assert.equal(told, 2);
    stops[0]?.();
    append(1);
    assert.equal(told, 3);
    stops[1]?.();
    append(1);
    assert.equal(told, 3);
  },

  "sessions only rise, each uplink's apart; an epoch that was raised holds": async ({ state }) => {
    const epoch = state.epoch();
    assert.ok(state.raiseEpoch() > epoch);
    assert.equal(state.epoch(), epoch + 1);
    const first = await state.nextSession("a");
    const [second, other] = [await state.nextSession("a"), await state.nextSession("b")];
    assert.ok(second > first);
    assert.ok(other <= second);
  },

  "retained topics are each uplink's and server's own": async ({ state }) => {
    await state.setRetained("a", "mqtts://one", ["t/status", "t/tags/pump"]);
    await state.setRetained("a", "mqtts://two", ["other"]);
    await state.setRetained("a", "mqtts://two", []);
    assert.deepEqual(state.retained("a", "mqtts://one"), ["t/status", "t/tags/pump"]);
    assert.deepEqual(state.retained("a", "mqtts://two"), []);
    assert.deepEqual(state.retained("b", "mqtts://one"), []);
  },
};

async function numbers(queue: UplinkQueue): Promise<readonly number[]> {
  return (await queue.read(1, queue.newest(), 100)).samples.map(({ number }) => number);
}
