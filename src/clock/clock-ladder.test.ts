import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ClockTrust } from "../core/known-time.ts";
import { type ClockSigns, INITIAL_LADDER, type LadderState, RTC_AGREES_WITHIN_MS, stepLadder } from "./clock-ladder.ts";

const WAIT_MS = 600_000;
const YEAR_MS = 31_557_600_000;
const NOW_MS = Date.UTC(2026, 10, 22);
const NO_SIGN: ClockSigns = { hostMs: 0, service: false, rtcMs: undefined, notBeforeMs: NOW_MS - YEAR_MS };

/** Looks in turn, a second apart; tells what the last one came to. */
function after(...looks: readonly Partial<ClockSigns>[]): LadderState {
  return looks.reduce<LadderState>((state, signs, i) => {
    return stepLadder(state, { type: "look", ...NO_SIGN, ...signs }, i * 1_000, WAIT_MS)[0];
  }, INITIAL_LADDER);
}

const SERVICE = { service: true, hostMs: NOW_MS };
const RTC = { rtcMs: NOW_MS, hostMs: NOW_MS };

test("P9: without a sign the time is not known", () => {
  assert.deepEqual([after({}).rung, after({}).trust], ["unsynced", "none"]);
});

test("P9: the time service's sign makes the clock good, whatever else there is", () => {
  for (const state of [after(SERVICE), after({}, SERVICE), after(RTC, { ...RTC, ...SERVICE })]) {
    assert.deepEqual([state.rung, state.trust], ["ntp", "good"]);
  }
});

test("P9: a real-time clock makes it good where the kernel set its clock by one that runs", () => {
  assert.deepEqual([after(RTC).rung, after(RTC).trust], ["rtc", "good"]);
  const deadBattery = { rtcMs: Date.UTC(2000, 0, 1), hostMs: Date.UTC(2000, 0, 1) };
  assert.equal(after(deadBattery).trust, "none", "earlier than the program and the last time seen");
  const restored = { rtcMs: NOW_MS, hostMs: NOW_MS + RTC_AGREES_WITHIN_MS + 1 };
  assert.equal(after(restored).trust, "none", "the host has its time from elsewhere");
});

test("P9: a clock that was good goes on when its sign is gone", () => {
  assert.deepEqual([after(SERVICE, {}).rung, after(SERVICE, {}).trust], ["holdover", "good"]);
  assert.equal(after(SERVICE, RTC).rung, "rtc", "a real-time clock is the better one");
  assert.equal(after(SERVICE, {}, SERVICE).rung, "ntp");
});

test("P9: after waitAtMost the host's time is taken, and is not good until it is", () => {
  const waiting = after({});
  const step = (state: LadderState, signs: Partial<ClockSigns>, nowMs: number) =>
    stepLadder(state, { type: "look", ...NO_SIGN, ...signs }, nowMs, WAIT_MS);
  assert.equal(step(waiting, {}, WAIT_MS - 1)[0].trust, "none");
  const [waited, effects] = step(waiting, {}, WAIT_MS);
  assert.deepEqual([waited.rung, waited.trust], ["host", "waited"]);
  assert.deepEqual(effects[0], { type: "settle", trust: "waited" });
  const [good, more] = step(waited, SERVICE, WAIT_MS + 1_000);
  assert.deepEqual([good.rung, good.trust], ["ntp", "good"]);
  assert.deepEqual(more[0], { type: "settle", trust: "good" });
  assert.equal(stepLadder(INITIAL_LADDER, { type: "look", ...NO_SIGN }, 5, 0)[0].trust, "waited", "no waiting at all");
});

test("P9: what an earlier process of the boot came to is not asked again", () => {
  const known = (trust: ClockTrust, isHost = false) =>
    stepLadder(INITIAL_LADDER, { type: "known", trust, isHost }, 0, WAIT_MS)[0];
  assert.equal(known("good").rung, "holdover");
  assert.equal(known("waited").rung, "host");
  assert.equal(known("none"), INITIAL_LADDER);
  const host = stepLadder(known("good", true), { type: "look", ...NO_SIGN }, 0, WAIT_MS)[0];
  assert.deepEqual([host.rung, host.trust], ["host", "good"], "source: host is never judged");
});

test("P9: whatever the signs, trust never falls, and each rise is told once", () => {
  const looks = fc.array(
    fc.record({
      service: fc.boolean(),
      rtcMs: fc.constantFrom(undefined, NOW_MS, 0),
      hostMs: fc.constantFrom(NOW_MS, 0, NOW_MS + YEAR_MS),
      afterMs: fc.integer({ min: 0, max: WAIT_MS }),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(looks, (all) => {
      const ranks: readonly ClockTrust[] = ["none", "waited", "good"];
      let state = INITIAL_LADDER;
      let nowMs = 0;
      for (const { afterMs, ...signs } of all) {
        nowMs += afterMs;
        const [next, effects] = stepLadder(state, { type: "look", ...NO_SIGN, ...signs }, nowMs, WAIT_MS);
        assert.ok(ranks.indexOf(next.trust) >= ranks.indexOf(state.trust));
        const settled = effects.filter(({ type }) => type === "settle");
        assert.equal(settled.length, next.trust === state.trust ? 0 : 1);
        state = next;
      }
    }),
  );
});
