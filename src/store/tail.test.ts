import assert from "node:assert/strict";
import { test } from "node:test";
import { afterCollection } from "../testing/garbage.ts";
import { tagOf } from "../testing/settable-values.ts";
import { Tail } from "./tail.ts";

const tag = tagOf("pump", "speed");

test("P7: what leaves the tail leaves memory at once", async () => {
  const tail = new Tail(1);
  const held: WeakRef<object>[] = [];
  const push = (number: number) => {
    const sample = { tag, value: number, status: "Good", sourceTimestampMs: number, epoch: 1, number } as const;
    held.push(new WeakRef(sample));
    tail.push(sample);
  };
  for (const number of [1, 2, 3, 4]) push(number);
  tail.trim(({ sample }) => sample.number < 3);
  assert.deepEqual(await afterCollection(held), [true, true, false, false]);
  assert.deepEqual(
    [...tail.samples(0, 9)].map(({ number }) => number),
    [3, 4],
  );
});
