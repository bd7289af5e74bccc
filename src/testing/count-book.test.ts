import assert from "node:assert/strict";
import { test } from "node:test";
import { CountBook } from "./count-book.ts";

test("P4: a hole is told only by a loss for a reason that may be", () => {
  const served = new Map([["meter", [{ count: 7, wallMs: 1_000 }]]]);
  const lost = { id: "meter/r0", v: null, q: false, s: "BadDataLost", t: 900, h: 1, from: 900, to: 1_100 } as const;
  const book = new CountBook(["unclean stop"]);
  const told = (reason: string) => {
    book.arrived({ session: 1, epoch: 1, seq: 1, values: [{ ...lost, reason }] });
    return book.holes(served, 1).map((hole) => hole.told);
  };
  assert.deepEqual(told("outbox full"), [false]);
  assert.equal(book.caughtUp(served, 1, 2_000), false);
  assert.deepEqual(told("unclean stop"), [true]);
  assert.equal(book.caughtUp(served, 1, 2_000), true);
});
