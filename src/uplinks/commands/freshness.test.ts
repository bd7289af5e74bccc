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

function memory(horizonMs: number | undefined, more: Partial<CommandMemoryState> = {}): CommandMemoryState {
  return { horizonMs, nonces: new Map(), latestMs: undefined, ...more };
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

/** A gateway, as far as its memory goes. */
class Site {
  nowMs = BEGIN_MS + 60_000;
  isGood = true;
  #memory = memory(BEGIN_MS);
  readonly #all: CommandContent[] = [];
  readonly #carriedOut = new Set<string>();
  #refused = new Set<string>();
  #latestMs = 0;

  sign(aheadS: number): CommandContent {
    const signed = command(this.#all.length, this.nowMs + aheadS * 1_000);
    this.#all.push(signed);
    return signed;
  }

  again(which: number): void {
    const known = this.#all[which % Math.max(1, this.#all.length)];
    if (known !== undefined) this.arrive(known);
  }

  arrive(given: CommandContent): void {
    if (this.#memory.horizonMs === undefined && this.isGood)
      this.#memory = { ...this.#memory, horizonMs: firstHorizonMs(this.#memory, this.nowMs) };
    const judged = judgeFreshness(this.#memory, given, at(this.nowMs, this.isGood));
    this.#memory = judged.memory ?? this.#memory;
    const { nonce } = given;
    if (judged.refusal !== undefined) {
      if (judged.memory !== undefined) this.#refused.add(nonce);
      return;
    }
    assert.ok(!this.#carriedOut.has(nonce) && !this.#refused.has(nonce), `${nonce} is carried out`);
    assert.ok(given.issuedMs >= this.#latestMs, `${nonce} is carried out after a later one`);
    this.#carriedOut.add(nonce);
    this.#latestMs = given.issuedMs;
  }

  /** state.db is gone, the outbox is not. */
  loseState(): void {
    this.#memory = memory(undefined, { latestMs: this.#memory.latestMs });
    this.#refused = new Set();
  }
}

describe("freshness", () => {
  test("P10: whatever clock and files do, no command is carried out twice, nor after it was refused as long as that is remembered", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
        const site = new Site();
        for (const each of happenings) {
          if (each.kind === "new") site.arrive(site.sign(each.aheadS));
          else if (each.kind === "again") site.again(each.which);
          else if (each.kind === "pass" || each.kind === "step") site.nowMs += each.s * 1_000;
          else if (each.kind === "doubt the clock") site.isGood = each.isGood;
          else site.loseState();
        }
      }),
      { numRuns: 300 },
    );
  });

  test("P10: before anybody knows the time nothing is fresh", () => {
    assert.match(judgeFreshness(memory(undefined), command(1, BEGIN_MS), at(BEGIN_MS)).refusal ?? "", /clock/);
    assert.equal(judgeFreshness(memory(undefined), command(1, BEGIN_MS), at(BEGIN_MS)).memory, undefined);
  });

  test("P10: while nobody vouches for the clock nothing is carried out, then or later", () => {
    const fresh = command(1, BEGIN_MS + 1);
    const judged = judgeFreshness(memory(BEGIN_MS), fresh, at(BEGIN_MS + 2, false));
    assert.match(judged.refusal ?? "", /the clock is not known to be good/);
    assert.match(judgeFreshness(judged.memory ?? memory(0), fresh, at(BEGIN_MS + 3)).refusal ?? "", /was here before/);
  });

  test("P10: a new memory refuses what the fastest clock could have signed before it, and what the outbox knows of", () => {
    const horizonMs = firstHorizonMs(memory(undefined), BEGIN_MS);
    const ahead = command(1, BEGIN_MS + AHEAD_MAX_MS);
    assert.match(judgeFreshness(memory(horizonMs), ahead, at(BEGIN_MS)).refusal ?? "", /issued too early/);
    assert.equal(firstHorizonMs(memory(undefined, { latestMs: BEGIN_MS + 99_000 }), BEGIN_MS), BEGIN_MS + 99_000);
  });

  test("P10: one that a fast clock signed puts off no other one for longer than its own is wrong", () => {
    const judged = judgeFreshness(memory(BEGIN_MS), command(1, BEGIN_MS + 86_400_000), at(BEGIN_MS + 1));
    assert.match(judged.refusal ?? "", /compare the clocks/);
    assert.deepEqual([judged.memory?.latestMs, judged.memory?.horizonMs], [undefined, BEGIN_MS]);
  });

  test("P7: so many nonces are kept, then nothing is carried out until they are old", () => {
    const nonces = Array.from({ length: NONCES_MAX }, (_, i) => [`${i} kept`, BEGIN_MS + 1 + i] as const);
    const full = memory(BEGIN_MS, { nonces: new Map(nonces) });
    const late = BEGIN_MS + LIFETIME_MAX_MS;
    assert.match(judgeFreshness(full, command(1, late), at(late)).refusal ?? "", /remembered already/);
    const later = late + NONCES_MAX + 2;
    const judged = judgeFreshness(full, command(1, later), at(later));
    assert.deepEqual([judged.refusal, judged.memory?.nonces.size], [undefined, 1]);
    assert.equal(judged.memory?.horizonMs, BEGIN_MS + NONCES_MAX, "what was dropped stays refused");
  });
});
