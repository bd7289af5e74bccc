import assert from "node:assert/strict";
import { test } from "node:test";
import type { NumberedSample } from "../pipeline.ts";
import { tagRef } from "../testing/store-rig.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { blockOf } from "./block-content.ts";
import type { Block, ReadRequest } from "./block-store.ts";
import { BootTimes } from "./boot-times.ts";
import { Dictionary } from "./dictionary.ts";
import { HistoryReader } from "./history-reader.ts";
import { inProcessStorage } from "./storage-client.ts";

const NORMAL = 1;
const HIGH = 2;
const LAST = 30;

const dictionary = new Dictionary([]);

function block(numbers: readonly number[], rank = NORMAL): Block {
  const tag = tagRef("pump-1/speed", rank === HIGH ? "high" : "normal");
  const samples = numbers.map(
    (number): NumberedSample => ({ tag, value: number, status: "Good", sourceTimestampMs: number, epoch: 1, number }),
  );
  return blockOf({ rank, samples, openedRunMs: 0 }, 0, dictionary);
}

function range(from: number, to: number, step = 1): number[] {
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);
}

/** Reads all there is, window by window. */
async function readAll(blocks: readonly Block[]) {
  const reads: ReadRequest[] = [];
  const damaged: number[] = [];
  const read = async (request: ReadRequest) => {
    reads.push(request);
    return { blocks, to: request.to };
  };
  const reader = new HistoryReader({
    store: { ...inProcessStorage().blocks, read },
    dictionary,
    boots: new BootTimes(new Map(), undefined),
    maxBlocks: blocks.length,
    onDamaged: ({ first }) => damaged.push(first),
    onFailure: (failure) => assert.fail(failure),
    clock: new VirtualClock(),
  });
  const windows: number[][] = [];
  for (let from = 1; from <= LAST; ) {
    const window = await reader.window(from, LAST);
    assert.ok(window !== undefined && window.from === from && window.to >= from);
    windows.push(window.samples.map(({ number }) => number));
    from = window.to + 1;
  }
  return { windows, reads: reads.length, damaged };
}

test("P7: what was read ahead is decoded a block at a time", async () => {
  const { windows, reads } = await readAll([block(range(1, 10)), block(range(11, 20)), block(range(21, 30))]);
  assert.deepEqual(windows, [range(1, 10), range(11, 20), range(21, 30)]);
  assert.equal(reads, 1);
});

test("P4: blocks of several priorities come by number, and what two blocks hold comes once", async () => {
  const blocks = [
    block(range(1, 11, 2)),
    block(range(2, 30, 4), HIGH),
    block(range(9, 21, 2)),
    block(range(23, 29, 2)),
  ];
  const { windows } = await readAll(blocks);
  const all = [...range(1, 29, 2), ...range(2, 30, 4)].sort((a, b) => a - b);
  assert.deepEqual(windows.flat(), all);
});

test("P4: a damaged block that reaches over others is told once, and they are read", async () => {
  const torn = { ...block([4, 28]), data: new Uint8Array(9) };
  const { windows, damaged } = await readAll([block(range(1, 10)), torn, block(range(11, 20)), block(range(21, 30))]);
  assert.deepEqual(windows.flat(), range(1, 30));
  assert.deepEqual(damaged, [4]);
});
