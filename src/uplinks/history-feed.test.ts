import assert from "node:assert/strict";
import { test } from "node:test";
import type { NumberedSample } from "../pipeline.ts";
import { MemoryQueue } from "../testing/memory-queue.ts";
import { SettableValues, tagOf } from "../testing/settable-values.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { HistoryFeed, type HistoryFeedOptions } from "./history-feed.ts";
import { createJsonFormat } from "./json/json-format.ts";
import { MISSES_ALL, RollingWindow } from "./rolling-window.ts";
import { topicsBelow } from "./topics.ts";

const ANY_BYTES = 4_096;

function feedOf(queue: MemoryQueue, clock: VirtualClock, more: Partial<HistoryFeedOptions> = {}): HistoryFeed {
  const values = new SettableValues(clock, [], []);
  const format = createJsonFormat({ topics: topicsBelow("p"), id: "{device}/{tag}", values, clock });
  const limits = { messageMaxBytes: 100_000, retainAvailable: true };
  return new HistoryFeed({
    queue,
    format: format.session({ session: 1, connectMs: 0 }, limits),
    forgo: false,
    clock,
    onReplayed: () => undefined,
    onDropped: () => undefined,
    ...more,
  });
}

test("P4: a loss in several messages is told only when the last of them is acknowledged, in whatever order", () => {
  const clock = new VirtualClock();
  const queue = new MemoryQueue(clock);
  let dropped = 0;
  const onDropped = (samples: number) => {
    dropped += samples;
  };
  const feed = feedOf(queue, clock, { onDropped });
  const tags = Array.from({ length: 50 }, (_, i) => ({ tag: tagOf("pump", `t${i}`), count: 2 }));
  queue.lose({ id: 1, reason: "too old", epoch: 1, toEpoch: 1, fromMs: 1, toMs: 2, tags });

  const parcels = [feed.next(ANY_BYTES), feed.next(ANY_BYTES), feed.next(ANY_BYTES)];
  assert.equal(feed.next(ANY_BYTES), undefined);
  const [first, second, third] = parcels;
  third?.delivered();
  first?.delivered();
  assert.equal(queue.losses().length, 1);
  second?.delivered();
  assert.equal(queue.losses().length, 0);
  assert.equal(dropped, 100);
  assert.equal(feed.isReady(), false);
});

test("P6: what a host missed and what waits go by turns: one that comes and goes all the time holds nothing up", () => {
  const clock = new VirtualClock();
  const window = new RollingWindow();
  const sample = (number: number): NumberedSample => ({
    tag: tagOf("pump", "speed"),
    value: number,
    status: "Good",
    sourceTimestampMs: number,
    epoch: 1,
    number,
  });
  window.sending([sample(1), sample(2), sample(3)])(0);
  window.owe(MISSES_ALL, 0);
  const feed = feedOf(new MemoryQueue(clock), clock, { window });
  feed.load({ covers: { from: 11, to: 13 }, samples: [11, 12, 13].map(sample) });
  const told = [1, 2, 3, 4, 5, 6].map(() => {
    const [message] = feed.next(1)?.messages ?? [];
    return message === undefined ? undefined : JSON.parse(Buffer.from(message.payload).toString()).values[0].t;
  });
  assert.deepEqual(told, [1, 11, 2, 12, 3, 13]);
  assert.equal(feed.next(1), undefined);
});
