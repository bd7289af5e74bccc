import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { replyByteCount } from "./register-map.ts";
import { answered, chooseQuantity, type Guard, isClear, NO_REPLIES_EXPECTED, unanswered } from "./reply-guard.ts";

const READ = { table: "holdingRegister", address: 0, quantity: 10, paddingSteps: 4, paddingKnown: false } as const;

test("P5: no request expects the byte count of a reply that may still come, whatever happened before", () => {
  const events = fc.array(
    fc.record({
      quantity: fc.integer({ min: 1, max: 20 }),
      table: fc.constantFrom("holdingRegister", "coil"),
      paddingSteps: fc.integer({ min: 0, max: 4 }),
      afterMs: fc.integer({ min: 1, max: 700 }),
      answers: fc.boolean(),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(events, (drawn) => {
      let guard: Guard = NO_REPLIES_EXPECTED;
      let nowMs = 0;
      const pending: { byteCount: number; untilMs: number }[] = [];
      for (const { afterMs, answers, ...read } of drawn) {
        nowMs += afterMs;
        const choice = chooseQuantity(guard, { ...read, address: 0, paddingKnown: false }, nowMs);
        if (choice.kind === "wait") {
          assert.ok(choice.untilMs > nowMs && choice.untilMs <= nowMs + 1_000);
          continue;
        }
        const byteCount = replyByteCount(read.table, choice.quantity);
        assert.ok(choice.quantity >= read.quantity);
        assert.ok(!pending.some((p) => p.untilMs > nowMs && p.byteCount === byteCount));
        if (answers) guard = answered(guard, byteCount, nowMs + 1_000, nowMs);
        else {
          guard = unanswered(guard, byteCount, nowMs + 1_000, nowMs);
          pending.push({ byteCount, untilMs: nowMs + 1_000 });
        }
      }
    }),
  );
});

test("after a time-out the next request is longer by a register; where it may not be, it waits", () => {
  const guard = unanswered(NO_REPLIES_EXPECTED, 20, 1_000, 0);
  assert.deepEqual(chooseQuantity(guard, READ, 10), { kind: "ask", quantity: 11 });
  assert.deepEqual(chooseQuantity(guard, { ...READ, paddingSteps: 0 }, 10), { kind: "wait", untilMs: 1_000 });
  assert.deepEqual(chooseQuantity(guard, READ, 1_000), { kind: "ask", quantity: 10 });
  assert.equal(isClear(guard, 999), false);
  assert.equal(isClear(guard, 1_000), true);
});

test("a reply that comes twice is told apart by a register known to be readable, and by no other", () => {
  const guard = answered(NO_REPLIES_EXPECTED, 20, 1_000, 0);
  assert.deepEqual(chooseQuantity(guard, READ, 10), { kind: "ask", quantity: 10 });
  assert.deepEqual(chooseQuantity(guard, { ...READ, paddingKnown: true }, 10), { kind: "ask", quantity: 11 });
  assert.deepEqual(chooseQuantity(guard, { ...READ, paddingKnown: true }, 1_000), { kind: "ask", quantity: 10 });
  const both = answered(guard, 22, 1_500, 500);
  assert.deepEqual(chooseQuantity(both, { ...READ, paddingKnown: true }, 510), { kind: "ask", quantity: 10 });
});

test("P5: a request whose echo has the form of its reply is made longer", () => {
  const coils = { table: "coil", address: 0x0300, quantity: 20, paddingSteps: 4, paddingKnown: false } as const;
  assert.deepEqual(chooseQuantity(NO_REPLIES_EXPECTED, coils, 0), { kind: "ask", quantity: 28 });
  const stuck = { ...coils, paddingSteps: 0 };
  assert.deepEqual(chooseQuantity(NO_REPLIES_EXPECTED, stuck, 0), { kind: "ask", quantity: 20 });
});
