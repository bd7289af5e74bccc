import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryQueue } from "../testing/memory-queue.ts";
import { SettableValues, tagOf } from "../testing/settable-values.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { createJsonFormat } from "./json/json-format.ts";
import { LiveFeed } from "./live-feed.ts";
import { topicsBelow } from "./topics.ts";

const LAG_MS = 5_000;
const SETTLED = "the clock is settled";
const GIVEN_UP = "samples were given up before they were told";

class PartlyDated extends MemoryQueue {
  datedTo = 0;

  override dated(): number {
    return this.datedTo;
  }
}

function feedOf(queue: MemoryQueue, clock: VirtualClock, onDelivered: (samples: number) => void = () => undefined) {
  const values = new SettableValues(clock, [], []);
  const format = createJsonFormat({ topics: topicsBelow("p"), id: "{device}/{tag}", values, clock });
  const limits = { messageMaxBytes: 100_000, retainAvailable: true };
  return new LiveFeed({ queue, format: format.session({ session: 1, connectMs: 0 }, limits), onDelivered, clock });
}

function fill(queue: MemoryQueue, samples: number): void {
  for (let n = 1; n <= samples; n++) {
    queue.append([{ tag: tagOf("pump", "speed"), value: n, status: "Good", sourceTimestampMs: n, epoch: 1 }]);
  }
}

test("P4: what went out live is acknowledged by the broker's word, and nothing beyond it", async () => {
  const clock = new VirtualClock();
  const queue = new MemoryQueue(clock);
  let delivered = 0;
  const feed = feedOf(queue, clock, (samples) => {
    delivered += samples;
  });
  fill(queue, 1_000);
  const batch = await feed.read({ from: 1, to: 1_000 });
  assert.ok(batch !== undefined);
  feed.take(batch);
  const parcel = feed.parcel(batch);
  assert.ok(parcel.upTo < 1_000, "more than a message holds");
  assert.deepEqual(queue.pending(), [{ from: 1, to: Number.POSITIVE_INFINITY }]);
  parcel.delivered();
  assert.deepEqual(queue.pending(), [{ from: parcel.upTo + 1, to: Number.POSITIVE_INFINITY }]);
  assert.equal(delivered, parcel.upTo);
});

test("P3: samples that were given up before they were told ask for a picture, so often and no more", async () => {
  const clock = new VirtualClock();
  const queue = new MemoryQueue(clock);
  const feed = feedOf(queue, clock);
  fill(queue, 3);
  feed.beginPicture().told();
  assert.equal(feed.needsPicture(LAG_MS), undefined);
  fill(queue, 3);
  feed.take({ covers: { from: 4, to: 6 }, samples: [] });
  assert.deepEqual(queue.pending(), [
    { from: 1, to: 3 },
    { from: 7, to: Number.POSITIVE_INFINITY },
  ]);
  assert.equal(feed.needsPicture(LAG_MS), undefined);
  await clock.advance(LAG_MS);
  assert.equal(feed.needsPicture(LAG_MS), GIVEN_UP);
  feed.beginPicture().told();
  await clock.advance(LAG_MS);
  assert.equal(feed.needsPicture(LAG_MS), undefined);
});

test("P9: what a picture showed without its time is told anew once it is dated", () => {
  const clock = new VirtualClock();
  const queue = new PartlyDated(clock);
  const feed = feedOf(queue, clock);
  fill(queue, 3);
  const picture = feed.beginPicture();
  assert.equal(picture.cut, 3);
  queue.datedTo = 3;
  assert.equal(feed.needsPicture(LAG_MS), undefined, "the first one is still on its way");
  picture.told();
  assert.equal(feed.needsPicture(LAG_MS), SETTLED);
  feed.beginPicture().told();
  assert.equal(feed.needsPicture(LAG_MS), undefined);
});

test("P9: a copy without its time acknowledges nothing, and is told anew once it is dated", async () => {
  const clock = new VirtualClock();
  const queue = new PartlyDated(clock);
  const feed = feedOf(queue, clock);
  feed.beginPicture().told();
  const copy = {
    tag: tagOf("pump", "speed"),
    value: 1,
    status: "Good",
    sourceTimestampMs: 1,
    epoch: 1,
    number: 1,
  } as const;
  feed.parcel({ covers: { from: 1, to: 1 }, samples: [{ ...copy, unsynced: true }] }).delivered();
  assert.deepEqual(queue.pending(), [{ from: 1, to: Number.POSITIVE_INFINITY }]);
  assert.equal(feed.needsPicture(LAG_MS), undefined);
  queue.datedTo = 1;
  assert.equal(feed.needsPicture(LAG_MS), SETTLED);
});
