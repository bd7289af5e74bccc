import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Padding } from "./padding.ts";
import { replyByteCount } from "./register-map.ts";
import {
  answered,
  chooseQuantity,
  EXCEPTION_BYTE_COUNT,
  type Guard,
  type GuardedRead,
  isClear,
  NO_REPLIES_EXPECTED,
  overheard,
  SUSPECT_MS,
  unanswered,
} from "./reply-guard.ts";

const UNTRIED: Padding = { steps: 4, provenSteps: 0, doubted: false, stride: 1 };
const ONE_KNOWN: Padding = { ...UNTRIED, provenSteps: 1 };
const REFUSED: Padding = { ...UNTRIED, steps: 0 };

/** Ten holding registers. */
const READ: GuardedRead = {
  table: "holdingRegister",
  address: 0,
  quantity: 10,
  padding: UNTRIED,
  mayTry: true,
  canWait: false,
};

test("P5: no request expects the byte count of a reply that may still come, whatever happened before", () => {
  const events = fc.array(
    fc.record({
      quantity: fc.integer({ min: 1, max: 20 }),
      table: fc.constantFrom("holdingRegister", "coil"),
      steps: fc.integer({ min: 0, max: 4 }),
      mayTry: fc.boolean(),
      canWait: fc.boolean(),
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
      for (const { afterMs, answers, steps, ...drawnRead } of drawn) {
        nowMs += afterMs;
        const read = { ...drawnRead, address: 0, padding: { ...UNTRIED, steps } };
        const choice = chooseQuantity(guard, read, nowMs);
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
  assert.deepEqual(chooseQuantity(guard, { ...READ, padding: REFUSED }, 10), { kind: "wait", untilMs: 1_000 });
  assert.deepEqual(chooseQuantity(guard, READ, 1_000), { kind: "ask", quantity: 10 });
  assert.equal(isClear(guard, 999), false);
  assert.equal(isClear(guard, 1_000), true);
});

test("P5: a reply that comes twice is told apart by a register known to be readable, or by one tried once", () => {
  const guard = answered(NO_REPLIES_EXPECTED, 20, 1_000, 0);
  const known = { ...READ, padding: ONE_KNOWN };
  assert.deepEqual(chooseQuantity(guard, known, 10), { kind: "ask", quantity: 11 });
  assert.deepEqual(chooseQuantity(guard, known, 1_000), { kind: "ask", quantity: 10 });
  const both = answered(guard, 22, 1_500, 500);
  assert.deepEqual(chooseQuantity(both, known, 510), { kind: "ask", quantity: 12, trial: true });
  assert.deepEqual(chooseQuantity(both, { ...known, mayTry: false }, 510), { kind: "ask", quantity: 10 });
  assert.deepEqual(chooseQuantity(guard, READ, 10), { kind: "ask", quantity: 11, trial: true });
  assert.deepEqual(chooseQuantity(guard, { ...READ, padding: REFUSED }, 10), { kind: "ask", quantity: 10 });
});

test("P5: from the first reply on a unit is watched: what has a value waits rather than expect a length again", () => {
  const guard = answered(NO_REPLIES_EXPECTED, 20, 1_000, 0);
  const refused = { ...READ, padding: REFUSED };
  assert.deepEqual(chooseQuantity(guard, { ...refused, canWait: true }, 10), { kind: "wait", untilMs: 1_000 });
  assert.deepEqual(chooseQuantity(guard, refused, 10), { kind: "ask", quantity: 10 });
  const later = answered(guard, 20, 2_000, 1_000);
  assert.deepEqual(chooseQuantity(later, { ...refused, canWait: true }, 1_010), { kind: "ask", quantity: 10 });
});

test("P5: a reply that no request explains makes the unit suspect: no length is expected twice, until that is long ago", () => {
  const watched = answered(NO_REPLIES_EXPECTED, 20, 1_000, 0);
  const suspect = overheard(answered(watched, 20, 2_900, 1_900), 20, 2_000);
  const refused = { ...READ, padding: REFUSED };
  assert.deepEqual(chooseQuantity(suspect, refused, 2_000), { kind: "wait", untilMs: 2_900 });
  assert.deepEqual(chooseQuantity(suspect, READ, 2_000), { kind: "ask", quantity: 11, trial: true });
  assert.deepEqual(chooseQuantity(suspect, { ...READ, mayTry: false }, 2_000), { kind: "wait", untilMs: 2_900 });
  const over = answered(suspect, 20, SUSPECT_MS + 2_900, SUSPECT_MS + 1_900);
  assert.deepEqual(chooseQuantity(over, refused, SUSPECT_MS + 2_000), { kind: "ask", quantity: 10 });
});

test("a late reply is explained by its request, once; an exception by any", () => {
  const isSuspected = (guard: Guard) => guard.suspectUntilMs > 0;
  const guard = unanswered(NO_REPLIES_EXPECTED, 20, 1_000, 0);
  const late = overheard(guard, 20, 10);
  assert.equal(isSuspected(late), false);
  assert.equal(isSuspected(overheard(late, 20, 20)), true);
  assert.equal(isSuspected(overheard(guard, 22, 10)), true);
  assert.equal(isSuspected(overheard(guard, EXCEPTION_BYTE_COUNT, 10)), false);
  assert.equal(isSuspected(overheard(guard, 20, 1_000)), true);
});

test("P5: where exceptions come twice, one that follows another is certain of nothing", () => {
  const refused = answered(NO_REPLIES_EXPECTED, EXCEPTION_BYTE_COUNT, 1_000, 0);
  assert.equal(isClear(refused, 10), true);
  const suspect = overheard(refused, EXCEPTION_BYTE_COUNT, 20);
  assert.deepEqual([isClear(suspect, 30), isClear(suspect, 1_000)], [false, true]);
});

test("P5: a request whose echo has the form of its reply is made longer", () => {
  const coils: GuardedRead = { ...READ, table: "coil", address: 0x0300, quantity: 20 };
  assert.deepEqual(chooseQuantity(NO_REPLIES_EXPECTED, coils, 0), { kind: "ask", quantity: 28 });
  const stuck = { ...coils, padding: REFUSED };
  assert.deepEqual(chooseQuantity(NO_REPLIES_EXPECTED, stuck, 0), { kind: "ask", quantity: 20 });
});
