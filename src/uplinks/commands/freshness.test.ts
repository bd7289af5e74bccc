import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { CommandMemoryState } from "../../core/remote-write.ts";
import { AHEAD_MAX_MS, firstHorizonMs, judgeFreshness, LIFETIME_MAX_MS, NONCES_MAX } from "./freshness.ts";
import type { CommandContent } from "./signed-command.ts";

const GATEWAY = "plant/gateway";
const BEGIN_MS = Date.UTC(2026, 10, 22);

function command(number: number, issuedMs: number, lifeMs = LIFETIME_MAX_MS): CommandContent {
  return { gateway: GATEWAY, issuedMs, expiresMs: issuedMs + lifeMs, nonce: `${number}`, values: [] };
}

function at(nowMs: number, isClockGood = true) {
  return { nowMs, isClockGood, gateway: GATEWAY };
}

function memory(
  horizonMs: number | undefined,
  nonces: readonly (readonly [string, number])[] = [],
): CommandMemoryState {
  return { horizonMs, nonces: new Map(nonces) };
}

/** What may happen, in any order; the numbers are minutes, or which of the commands so far. */
const happening = fc.oneof(
  fc.record({ kind: fc.constant("new" as const), aheadS: fc.integer({ min: -400, max: 60 }) }),
  fc.record({ kind: fc.constant("again" as const), which: fc.nat(100) }),
  fc.record({ kind: fc.constant("pass" as const), s: fc.integer({ min: 0, max: 700 }) }),
  fc.record({ kind: fc.constant("step" as const), s: fc.integer({ min: -2_000, max: 2_000 }) }),
  fc.record({ kind: fc.constant("lose state.db" as const) }),
  fc.record({ kind: fc.constant("doubt the clock" as const), isGood: fc.boolean() }),
);

describe("freshness", () => {
  test("P10: whatever clock and files do, no command is carried out twice, nor after it was refused", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
        let state = memory(BEGIN_MS);
        let nowMs = BEGIN_MS + 60_000;
        let isGood = true;
        let lastIssuedMs = 0;
        const all: CommandContent[] = [];
        const over = new Set<string>();
        const arrive = (given: CommandContent) => {
          const judged = judgeFreshness(state, given, at(nowMs, isGood));
          if (judged.refusal === undefined) assert.ok(!over.has(given.nonce), `${given.nonce} is carried out`);
          if (judged.memory === undefined) return;
          over.add(given.nonce);
          state = judged.memory;
          lastIssuedMs = Math.max(lastIssuedMs, ...state.nonces.values());
        };
        for (const each of happenings) {
          if (each.kind === "new") all.push(command(all.length, nowMs + each.aheadS * 1_000));
          if (each.kind === "new" || each.kind === "again") {
            const which = all[each.kind === "new" ? all.length - 1 : each.which % Math.max(1, all.length)];
            if (which !== undefined) arrive(which);
          }
          if (each.kind === "pass" || each.kind === "step") nowMs += each.s * 1_000;
          if (each.kind === "doubt the clock") isGood = each.isGood;
          if (each.kind === "lose state.db") state = memory(firstHorizonMs(nowMs, lastIssuedMs));
        }
      }),
    );
  });

  test("P10: before anybody knows the time nothing is fresh", () => {
    assert.match(judgeFreshness(memory(undefined), command(1, BEGIN_MS), at(BEGIN_MS)).refusal ?? "", /clock/);
    assert.equal(judgeFreshness(memory(undefined), command(1, BEGIN_MS), at(BEGIN_MS)).memory, undefined);
  });

  test("P10: a new memory refuses what the fastest clock could have signed before it", () => {
    const horizonMs = firstHorizonMs(BEGIN_MS, undefined);
    const ahead = command(1, BEGIN_MS + AHEAD_MAX_MS);
    assert.match(judgeFreshness(memory(horizonMs), ahead, at(BEGIN_MS)).refusal ?? "", /issued too early/);
    assert.equal(firstHorizonMs(BEGIN_MS, BEGIN_MS + 99_000), BEGIN_MS + 99_000);
  });

  test("P7: so many nonces are kept, then nothing is carried out until they are old", () => {
    const nonces = Array.from({ length: NONCES_MAX }, (_, i) => [`${i} kept`, BEGIN_MS + 1 + i] as const);
    const full = memory(BEGIN_MS, nonces);
    const late = BEGIN_MS + LIFETIME_MAX_MS;
    assert.match(judgeFreshness(full, command(1, late), at(late)).refusal ?? "", /remembered already/);
    const later = late + NONCES_MAX + 2;
    const judged = judgeFreshness(full, command(1, later), at(later));
    assert.deepEqual([judged.refusal, judged.memory?.nonces.size], [undefined, 1]);
    assert.equal(judged.memory?.horizonMs, BEGIN_MS + NONCES_MAX, "what was dropped stays refused");
  });
});
