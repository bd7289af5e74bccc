import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { RefusalBook, TOLD } from "./refusal-book.ts";

test("P7: a storm of refusals is told by its first ones, then by one in a while with the count of all before it", async () => {
  const clock = new VirtualClock();
  const book = new RefusalBook(clock);
  const told: (readonly [number, number])[] = [];
  const note = (number: number) => book.note("unproven", ({ count = 1 }) => told.push([number, count]));
  for (let i = 1; i <= TOLD.burst; i++) note(i);
  assert.equal(told.splice(0).length, TOLD.burst);
  await clock.advance(4_500);
  note(21);
  await clock.advance(1_000);
  // By now one could be told; but not before those that came earlier.
  note(22);
  assert.equal(told.length, 0);
  await clock.advance(4_000);
  assert.deepEqual(told.splice(0), [[22, 2]]);
  note(23);
  book.note("proven", () => told.push([0, 0]));
  assert.deepEqual(told.splice(0), [[0, 0]], "strangers hide nobody who signed");
  book.stop();
  assert.deepEqual(told, [[23, 1]]);
  assert.equal(clock.pendingTimers(), 0);
});
