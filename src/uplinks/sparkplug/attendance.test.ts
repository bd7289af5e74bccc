import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type AttendanceEffect,
  type AttendanceEvent,
  type AttendanceState,
  GREETING_MS,
  REBIRTH_GAP_MS,
  startAttendance,
  stepAttendance,
} from "./attendance.ts";

const PROBES = ["NBIRTH", "DBIRTH"];

/** A session as the loop sees it, which checks after every step what must hold. */
class World {
  state: AttendanceState = startAttendance(PROBES);
  readonly #hasHost: boolean;
  readonly #hasOtherServers: boolean;
  #nowMs = 0;
  #over = false;
  #telling = false;
  #delivering = false;
  readonly #echoed = new Set<string>();
  #timer = false;
  #lastRetellMs = Number.NEGATIVE_INFINITY;
  #retelling = false;

  constructor(hasHost: boolean, hasOtherServers: boolean) {
    this.#hasHost = hasHost;
    this.#hasOtherServers = hasOtherServers;
  }

  happen(event: AttendanceEvent, passMs: number): void {
    this.#nowMs += passMs;
    if (event.type === "timer" && !this.#timer) return;
    if (event.type === "timer") this.#timer = false;
    if (event.type === "told" && !this.#telling) return;
    if (event.type === "state" && !this.#hasHost) return;
    if ((event.type === "retold" || event.type === "busy") && !this.#retelling) return;
    if (event.type === "retold" || event.type === "busy") this.#retelling = false;
    if (event.type === "echo") this.#echoed.add(event.topic);
    const primaryHost = this.#hasHost ? "scada" : undefined;
    const context = { nowMs: this.#nowMs, server: "a", primaryHost, hasOtherServers: this.#hasOtherServers };
    const [state, effects] = stepAttendance(this.state, event, context);
    this.state = state;
    for (const effect of effects) this.#check(effect, event);
    assert.ok(!(state.phase === "probing") || this.#timer, "a probe has an end");
    const waits = state.phase === "present" && state.rebirthWanted && !state.retelling;
    assert.ok(!waits || this.#timer, "a Rebirth that is asked for comes");
  }

  #check(effect: AttendanceEffect, event: AttendanceEvent): void {
    assert.ok(!this.#over, "who has gone does nothing");
    const { host } = this.state;
    switch (effect.type) {
      case "tell":
        assert.ok(!this.#telling && (!this.#hasHost || host.online), "told once, and to a host that is there");
        this.#telling = true;
        break;
      case "deliver":
        assert.ok(this.#telling && !this.#delivering, "data follow births");
        assert.deepEqual([...this.#echoed].sort(), [...PROBES].sort(), "data follow births that came back");
        this.#delivering = true;
        break;
      case "retell":
        assert.ok(this.#delivering && !this.#retelling, "births anew in a session that is there, one at a time");
        assert.ok(
          event.type === "busy" || this.#nowMs - this.#lastRetellMs >= REBIRTH_GAP_MS || this.#lastRetellMs < 0,
          "no storm",
        );
        this.#lastRetellMs = this.#nowMs;
        this.#retelling = true;
        break;
      case "moveOn":
        assert.ok(this.#hasHost && !host.online, "left for a host that is not there");
        assert.ok(this.#telling || this.#hasOtherServers, "where there is no other server, one waits");
        this.#over = true;
        break;
      case "fail":
        assert.ok(this.#echoed.size < PROBES.length, "failed for births that did not come back");
        this.#over = true;
        break;
      case "setTimer":
        assert.ok(effect.delayMs >= 0 && Number.isFinite(effect.delayMs), "a timer runs out");
        this.#timer = true;
        break;
    }
  }
}

const event: fc.Arbitrary<AttendanceEvent> = fc.oneof(
  fc.constantFrom<AttendanceEvent>(
    { type: "subscribed" },
    { type: "told" },
    { type: "rebirth" },
    { type: "retold" },
    { type: "timer" },
  ),
  fc.constantFrom(...PROBES).map((topic) => ({ type: "echo", topic }) as const),
  fc
    .record({ online: fc.boolean(), timestamp: fc.nat({ max: 5 }) })
    .map((state) => ({ type: "state", state }) as const),
);

test("P3 P4 P7: whatever is heard in whatever order, births, data and rebirths keep their rules", () => {
  const happenings = fc.array(fc.tuple(event, fc.nat({ max: 4_000 })), { maxLength: 60 });
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), happenings, (hasHost, hasOtherServers, all) => {
      const world = new World(hasHost, hasOtherServers);
      for (const [what, passMs] of all) world.happen(what, passMs);
    }),
    { numRuns: 1_000 },
  );
});

describe("a Rebirth", () => {
  const context = { server: "a", primaryHost: undefined, hasOtherServers: false };
  function present(): AttendanceState {
    let state = startAttendance([]);
    for (const type of ["subscribed", "told"] as const) {
      [state] = stepAttendance(state, { type }, { ...context, nowMs: 0 });
    }
    return state;
  }

  test("P4: is a greeting at first, and then says that something is missing", () => {
    const repeats = (nowMs: number) => {
      const [, [effect]] = stepAttendance(present(), { type: "rebirth" }, { ...context, nowMs });
      return effect?.type === "retell" && effect.repeat;
    };
    assert.deepEqual([repeats(0), repeats(GREETING_MS - 1), repeats(GREETING_MS)], [false, false, true]);
  });

  test("that comes while births are on their way is served after them", () => {
    const [busy] = stepAttendance(present(), { type: "rebirth" }, { ...context, nowMs: 0 });
    const [wanted, none] = stepAttendance(busy, { type: "rebirth" }, { ...context, nowMs: 100 });
    assert.deepEqual(none, []);
    const [, effects] = stepAttendance(wanted, { type: "retold" }, { ...context, nowMs: 200 });
    assert.deepEqual(effects, [{ type: "setTimer", delayMs: REBIRTH_GAP_MS - 200 }]);
  });
});
