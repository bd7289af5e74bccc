import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { CommandMemoryState } from "../../core/remote-write.ts";
import { AHEAD_MAX_MS, begun, judgeFreshness, LIFETIME_MAX_MS, NONCES_MAX } from "./freshness.ts";
import type { CommandContent } from "./signed-command.ts";

const GATEWAY = "plant/gateway";
const BEGIN_MS = Date.UTC(2026, 10, 22);

function command(number: number, issuedMs: number, lifeMs = LIFETIME_MAX_MS): CommandContent {
  return { gateway: GATEWAY, issuedMs, expiresMs: issuedMs + lifeMs, nonce: `${number}`, values: [] };
}

function at(nowMs: number, isClockGood = true, hasBegun = true) {
  return { nowMs, isClockGood, hasBegun, gateway: GATEWAY };
}

function memory(horizonMs: number | undefined, more: Partial<CommandMemoryState> = {}): CommandMemoryState {
  return { horizonMs, nonces: new Map(), latestMs: undefined, ...more };
}

/** What may happen, in any order; the numbers are seconds, or which of the commands or copies of files so far. */
const usual = [
  fc.record({ kind: fc.constant("new" as const), s: fc.integer({ min: -400, max: 60 }) }),
  fc.record({ kind: fc.constant("again" as const), s: fc.nat(100) }),
  fc.record({ kind: fc.constant("pass" as const), s: fc.integer({ min: 0, max: 700 }) }),
  fc.record({ kind: fc.constant("doubt the clock" as const), s: fc.nat(1) }),
  fc.record({ kind: fc.constant("start" as const), s: fc.constant(0) }),
  fc.record({ kind: fc.constant("put back state.db" as const), s: fc.nat(100) }),
];
const lossOrStep = [
  fc.record({ kind: fc.constant("step" as const), s: fc.integer({ min: -2_000, max: 2_000 }) }),
  fc.record({ kind: fc.constant("lose state.db" as const), s: fc.constant(0) }),
];
const putBackAll = fc.record({ kind: fc.constant("put back all files" as const), s: fc.nat(100) });

/** Left to itself fast-check makes some ten. */
const MANY = { minLength: 10, maxLength: 60, size: "max" } as const;

/** A gateway, as far as its memory goes. */
class Site {
  nowMs = BEGIN_MS + 60_000;
  isGood = true;
  #memory = memory(BEGIN_MS);
  #hasBegun = false;
  /** Of the files, as somebody may have kept them. */
  readonly #copies: CommandMemoryState[] = [this.#memory];
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
    if (!this.#hasBegun && this.isGood) {
      this.#hasBegun = true;
      this.#memory = begun(this.#memory, this.nowMs);
    }
    const judged = judgeFreshness(this.#memory, given, at(this.nowMs, this.isGood, this.#hasBegun));
    this.#memory = judged.memory ?? this.#memory;
    this.#copies.push(this.#memory);
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

  start(): void {
    this.#hasBegun = false;
  }

  /** The outbox is as it was. */
  loseState(state = memory(undefined)): void {
    const { latestMs = 0 } = this.#memory;
    this.putBack({ ...state, latestMs: Math.max(latestMs, state.latestMs ?? 0) });
  }

  putBack(files: CommandMemoryState): void {
    this.#memory = files;
    this.#refused = new Set();
    this.start();
  }

  copy(which: number): CommandMemoryState {
    return this.#copies[which % this.#copies.length] ?? memory(undefined);
  }
}

describe("freshness", () => {
  const live = (happenings: readonly { readonly kind: string; readonly s: number }[]) => {
    const site = new Site();
    for (const { kind, s } of happenings) {
      if (kind === "new") site.arrive(site.sign(s));
      else if (kind === "again") site.again(s);
      else if (kind === "pass" || kind === "step") site.nowMs += s * 1_000;
      else if (kind === "doubt the clock") site.isGood = s === 0;
      else if (kind === "start") site.start();
      else if (kind === "lose state.db") site.loseState();
      else if (kind === "put back state.db") site.loseState(site.copy(s));
      else site.putBack(site.copy(s));
    }
  };

  test("P10: whatever the clock and state.db do, no command is carried out twice, nor after it was refused as long as that is remembered", () => {
    const happenings = fc.array(fc.oneof(...usual, ...lossOrStep), MANY);
    fc.assert(fc.property(happenings, live), { numRuns: 300 });
  });

  test("P10: nor where all files are put back as they were once, as a card's copy has them", () => {
    fc.assert(fc.property(fc.array(fc.oneof(...usual, putBackAll), MANY), live), { numRuns: 300 });
  });

  test("P10: before anybody knows the time nothing is fresh, then or later", () => {
    const early = command(1, BEGIN_MS + AHEAD_MAX_MS + 5_000);
    const judged = judgeFreshness(memory(undefined), early, at(BEGIN_MS, false, false));
    assert.match(judged.refusal ?? "", /the clock is not known to be good/);
    const later = judgeFreshness(begun(judged.memory ?? memory(0), BEGIN_MS), early, at(BEGIN_MS + 20_000));
    assert.match(later.refusal ?? "", /was here before/);
  });

  test("P10: while nobody vouches for the clock nothing is carried out, then or later", () => {
    const fresh = command(1, BEGIN_MS + 1);
    const judged = judgeFreshness(memory(BEGIN_MS), fresh, at(BEGIN_MS + 2, false));
    assert.match(judged.refusal ?? "", /the clock is not known to be good/);
    assert.match(judgeFreshness(judged.memory ?? memory(0), fresh, at(BEGIN_MS + 3)).refusal ?? "", /was here before/);
  });

  test("P10: a start refuses what the fastest clock could have signed before it, and what the files know of", () => {
    const ahead = command(1, BEGIN_MS + AHEAD_MAX_MS);
    const judged = judgeFreshness(begun(memory(BEGIN_MS - 1), BEGIN_MS), ahead, at(BEGIN_MS));
    assert.match(judged.refusal ?? "", /issued too early/);
    const known = [memory(undefined, { latestMs: BEGIN_MS + 99_000 }), memory(BEGIN_MS + 99_000)];
    for (const files of known) assert.equal(begun(files, BEGIN_MS).horizonMs, BEGIN_MS + 99_000);
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
