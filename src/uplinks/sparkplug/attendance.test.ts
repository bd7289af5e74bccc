import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { MISSES_ALL, MISSES_NOTHING, WINDOW_MS } from "../rolling-window.ts";
import {
  type AttendanceContext,
  type AttendanceEffect,
  type AttendanceEvent,
  type AttendanceState,
  FIRST_ATTENDANCE,
  type FormerAttendance,
  GREETING_MS,
  HOST_DOUBTED_MS,
  REBIRTH_GAP_MS,
  startAttendance,
  stepAttendance,
} from "./attendance.ts";

const PROBES = ["NBIRTH", "DBIRTH"];

/** A session as the loop sees it, which checks after every step what must hold. */
class World {
  state: AttendanceState;
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
  /** The host's CONNECT that was told everything, or has been promised it. */
  #servedMs: number | undefined;
  #owes = false;

  constructor(hasHost: boolean, hasOtherServers: boolean, former: FormerAttendance) {
    this.state = startAttendance(PROBES, former);
    this.#servedMs = former.hostMs;
    this.#owes = former.missesFromMs === MISSES_ALL;
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
    // They could not be begun.
    if (event.type === "busy") this.#lastRetellMs = Number.NEGATIVE_INFINITY;
    if (event.type === "echo") this.#echoed.add(event.topic);
    const primaryHost = this.#hasHost ? "scada" : undefined;
    const context = { nowMs: this.#nowMs, server: "a", primaryHost, hasOtherServers: this.#hasOtherServers };
    const [state, effects] = stepAttendance(this.state, event, context);
    this.state = state;
    this.#note(event);
    for (const effect of effects) this.#check(effect);
    if (event.type === "busy" && !this.#over) this.#owes ||= event.missesFromMs === MISSES_ALL;
    assert.equal(
      state.missesFromMs === MISSES_ALL,
      this.#owes,
      "what a host missed waits for births, in later sessions, too",
    );
    assert.ok(!(state.phase === "probing") || this.#timer, "a probe has an end");
    const waits = state.phase === "present" && state.rebirthWanted && !state.retelling;
    assert.ok(!waits || this.#timer, "a Rebirth that is asked for comes");
  }

  /** Who connected anew, or went, missed something. */
  #note(event: AttendanceEvent): void {
    const { hostMs } = this.state;
    if (this.#over || event.type !== "state" || hostMs === this.#servedMs) return;
    if (this.#servedMs !== undefined) this.#owes = true;
    this.#servedMs = hostMs;
  }

  #check(effect: AttendanceEffect): void {
    if (effect.type === "tell" || effect.type === "retell") {
      assert.equal(effect.missesFromMs === MISSES_ALL, this.#owes, "births bring what was missed");
      this.#owes = false;
    }
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
        assert.ok(this.#nowMs - this.#lastRetellMs >= REBIRTH_GAP_MS, "no storm");
        this.#lastRetellMs = this.#nowMs;
        this.#retelling = true;
        break;
      case "moveOn":
        assert.ok(this.#hasHost && !host.online, "left for a host that is not there");
        assert.ok(
          this.#telling || this.#hasOtherServers || this.state.isDoubted,
          "where there is no other server, one waits",
        );
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
      case "doubt":
        assert.ok(!host.online, "only of a host that seems away");
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
    { type: "busy", missesFromMs: MISSES_ALL },
    { type: "timer" },
  ),
  fc.constantFrom(...PROBES).map((topic) => ({ type: "echo", topic }) as const),
  fc
    .record({ online: fc.boolean(), timestamp: fc.nat({ max: 5 }) })
    .map((state) => ({ type: "state", state }) as const),
);

test("P3 P4 P7: whatever is heard in whatever order, births, data and rebirths keep their rules", () => {
  const happenings = fc.array(fc.tuple(event, fc.nat({ max: 4_000 })), { maxLength: 60 });
  const former = fc.record({
    hostMs: fc.option(fc.nat({ max: 5 }), { nil: undefined }),
    missesFromMs: fc.constantFrom(MISSES_ALL, MISSES_NOTHING),
  });
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), former, happenings, (hasHost, hasOtherServers, before, all) => {
      const world = new World(hasHost, hasOtherServers, before);
      for (const [what, passMs] of all) world.happen(what, passMs);
    }),
    { numRuns: 1_000 },
  );
});

describe("a Rebirth", () => {
  const context = { server: "a", primaryHost: undefined, hasOtherServers: false };
  function present(): AttendanceState {
    let state = startAttendance([], FIRST_ATTENDANCE);
    for (const type of ["subscribed", "told"] as const) {
      [state] = stepAttendance(state, { type }, { ...context, nowMs: 0 });
    }
    return state;
  }

  test("P4: is a greeting at first, which misses nothing from before, and then says that something is missing", () => {
    const missesFrom = (nowMs: number) => {
      const [, [effect]] = stepAttendance(present(), { type: "rebirth" }, { ...context, nowMs });
      return effect?.type === "retell" ? effect.missesFromMs : undefined;
    };
    assert.deepEqual(
      [missesFrom(0), missesFrom(GREETING_MS - 1), missesFrom(GREETING_MS)],
      [0, 0, GREETING_MS - WINDOW_MS],
    );
  });

  test("P4: that finds other births on their way brings what was missing with the next ones", () => {
    const nowMs = GREETING_MS;
    const [asked, [effect]] = stepAttendance(present(), { type: "rebirth" }, { ...context, nowMs });
    assert.equal(effect?.type, "retell");
    const busy = { type: "busy", missesFromMs: MISSES_ALL } as const;
    const [state] = stepAttendance(asked, busy, { ...context, nowMs });
    const [, effects] = stepAttendance(state, { type: "timer" }, { ...context, nowMs: nowMs + 1_000 });
    assert.deepEqual(effects, [{ type: "retell", missesFromMs: MISSES_ALL }]);
  });

  test("P4: that was not served in its session brings in the next one what was missing", () => {
    const [state] = stepAttendance(present(), { type: "rebirth" }, { ...context, nowMs: 0 });
    const [unserved] = stepAttendance(state, { type: "rebirth" }, { ...context, nowMs: 100 });
    const [, effects] = stepAttendance(
      startAttendance([], unserved),
      { type: "subscribed" },
      { ...context, nowMs: 200 },
    );
    assert.deepEqual(effects, [{ type: "tell", missesFromMs: 0 }]);
  });

  test("that comes while births are on their way is served after them", () => {
    const [busy] = stepAttendance(present(), { type: "rebirth" }, { ...context, nowMs: 0 });
    const [wanted, none] = stepAttendance(busy, { type: "rebirth" }, { ...context, nowMs: 100 });
    assert.deepEqual(none, []);
    const [, effects] = stepAttendance(wanted, { type: "retold" }, { ...context, nowMs: 200 });
    assert.deepEqual(effects, [{ type: "setTimer", delayMs: REBIRTH_GAP_MS - 200 }]);
  });
});

describe("a primary host", () => {
  const context = { server: "a", primaryHost: "scada", hasOtherServers: false };
  const online = (timestamp: number) => ({ type: "state", state: { online: true, timestamp } }) as const;
  const offline = (timestamp: number) => ({ type: "state", state: { online: false, timestamp } }) as const;

  /** Everything that follows from these, a second apart. */
  function effectsOf(
    former: FormerAttendance,
    events: readonly AttendanceEvent[],
    more: Partial<AttendanceContext> = {},
  ): readonly AttendanceEffect[] {
    let state = startAttendance([], former);
    let nowMs = 0;
    return events.flatMap((one) => {
      nowMs += 1_000;
      const [next, effects] = stepAttendance(state, one, { ...context, ...more, nowMs });
      state = next;
      return effects;
    });
  }
  const tells = (missesFromMs: number) => ({ type: "tell", missesFromMs }) as const;

  test("P4: that went, or connected anew, before this session could hear it, is owed everything with the births", () => {
    const was = { hostMs: 5, missesFromMs: MISSES_NOTHING };
    assert.deepEqual(effectsOf(was, [{ type: "subscribed" }, online(5)]), [tells(MISSES_NOTHING)]);
    assert.deepEqual(effectsOf(was, [{ type: "subscribed" }, online(9)]), [tells(MISSES_ALL)]);
    assert.deepEqual(effectsOf(was, [{ type: "subscribed" }, online(2)]), [tells(MISSES_ALL)]);
    assert.deepEqual(effectsOf(was, [offline(5), { type: "subscribed" }, online(5)]), [tells(MISSES_ALL)]);
    assert.deepEqual(effectsOf(FIRST_ATTENDANCE, [offline(5), { type: "subscribed" }, online(5)]), [
      tells(MISSES_NOTHING),
    ]);
  });

  test("P4: that comes back soon after births is owed what it missed only when births go out again", () => {
    const present = [{ type: "subscribed" }, online(5), { type: "told" }] as const;
    const asked = [{ type: "rebirth" }, { type: "retold" }] as const;
    const effects = effectsOf(FIRST_ATTENDANCE, [...present, ...asked, online(9)]);
    assert.deepEqual(effects.at(-1), { type: "setTimer", delayMs: REBIRTH_GAP_MS - 2_000 });
    const wait = Array.from({ length: 3 }, () => ({ type: "retold" }) as const);
    assert.deepEqual(effectsOf(FIRST_ATTENDANCE, [...present, ...asked, online(9), ...wait]).at(-1), {
      type: "retell",
      missesFromMs: MISSES_ALL,
    });
  });

  test("P4: whose clock was set back while it is there has connected anew, and its will counts", () => {
    const present = [{ type: "subscribed" }, online(5), { type: "told" }] as const;
    const back = effectsOf(FIRST_ATTENDANCE, [...present, online(2)]);
    assert.deepEqual(back.at(-1), { type: "retell", missesFromMs: MISSES_ALL });
    const gone = effectsOf(FIRST_ATTENDANCE, [...present, online(2), offline(2)]);
    assert.equal(gone.at(-1)?.type, "moveOn");
  });

  test("P4: whose clock was set back while it was away is not believed, and not ignored for ever", () => {
    const doubt = [{ type: "doubt" }, { type: "setTimer", delayMs: HOST_DOUBTED_MS }];
    const away = [offline(5), { type: "subscribed" }] as const;
    assert.deepEqual(effectsOf(FIRST_ATTENDANCE, [...away, online(2), online(3)]), doubt);
    assert.deepEqual(effectsOf(FIRST_ATTENDANCE, [offline(5), online(2), { type: "subscribed" }]), doubt);
    const left = effectsOf(FIRST_ATTENDANCE, [...away, online(2), { type: "timer" }]);
    assert.deepEqual(
      left.slice(2).map(({ type }) => type),
      ["moveOn"],
      "a new session begins with its word",
    );
    const stays = effectsOf(FIRST_ATTENDANCE, [...away, online(2), offline(6), { type: "timer" }]);
    assert.deepEqual(stays, doubt, "another word ends the doubt");
  });
});
