import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryQueue } from "../testing/memory-queue.ts";
import { SettableValues, tagOf } from "../testing/settable-values.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { HistoryFeed } from "./history-feed.ts";
import { createJsonFormat } from "./json/json-format.ts";
import { topicsBelow } from "./topics.ts";

const ANY_BYTES = 4_096;

test("P4: a loss in several messages is told only when the last of them is acknowledged, in whatever order", () => {
  const clock = new VirtualClock();
  const queue = new MemoryQueue(clock);
  const format = createJsonFormat({
    topics: topicsBelow("p"),
    id: "{device}/{tag}",
    values: new SettableValues(clock, [], []),
    clock,
  });
  const limits = { messageMaxBytes: 100_000, retainAvailable: true };
  let dropped = 0;
  const feed = new HistoryFeed({
    queue,
    format: format.session({ session: 1, connectMs: 0 }, limits),
    forgo: false,
    clock,
    onReplayed: () => undefined,
    onDropped: (samples) => {
      dropped += samples;
    },
  });
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
