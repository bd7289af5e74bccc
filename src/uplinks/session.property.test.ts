import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "../core/random.ts";
import {
  type Effect,
  INITIAL_SESSION,
  type SessionContext,
  type SessionEvent,
  type SessionState,
  stepSession,
} from "./session.ts";

/** What may come next in a world of one broker, one card and one impatient user. */
type Happening = "start" | "stop" | "timer" | "card" | "broker" | "announced" | "failed" | "moved" | "cut";

const HAPPENINGS: readonly Happening[] = [
  "start",
  "stop",
  "timer",
  "card",
  "broker",
  "announced",
  "failed",
  "moved",
  "cut",
];

/** A world that reacts to effects as the loop does, and checks what must hold after every step. */
class World {
  state: SessionState = INITIAL_SESSION;
  readonly #random = seededRandom(1);
  #nowMs = 0;
  #storing = false;
  #connecting = false;
  #connections = 0;
  #announcing = false;
  #delivering = false;
  #stored = 0;
  #used = 0;
  #timer = false;
  #stopAsked = false;
  #stoppedTold = 0;

  happen(happening: Happening, well: boolean, passMs: number): void {
    this.#nowMs += passMs;
    const event = this.#eventOf(happening, well);
    if (event === undefined) return;
    const before = this.state;
    const context: SessionContext = {
      servers: ["a", "b", "c"],
      clientId: "gateway",
      reconnect: { spreadMs: 1_000, maxMs: 8_000 },
      random: this.#random,
      nowMs: this.#nowMs,
    };
    const [state, effects] = stepSession(before, event, context);
    this.state = state;
    if (state.phase !== before.phase) this.#timer = false;
    for (const effect of effects) this.#perform(effect);
    this.#check();
  }

  #eventOf(happening: Happening, well: boolean): SessionEvent | undefined {
    switch (happening) {
      case "start":
        return { type: "start" };
      case "stop":
        this.#stopAsked = true;
        return { type: "stop" };
      case "timer":
        if (!this.#timer) return undefined;
        this.#timer = false;
        return { type: "timer" };
      case "card":
        if (!this.#storing) return undefined;
        this.#storing = false;
        if (!well) return { type: "notStored", reason: "disk full" };
        this.#stored += 1;
        return { type: "stored", session: this.#stored };
      case "broker":
        if (!this.#connecting) return undefined;
        this.#connecting = false;
        if (!well) return { type: "notConnected", reason: "refused" };
        this.#connections += 1;
        return { type: "connected" };
      case "announced":
        if (!this.#announcing) return undefined;
        this.#announcing = false;
        return { type: "announced" };
      case "failed":
        if (this.#connections === 0) return undefined;
        return { type: "failed", reason: "the link is frozen" };
      case "moved":
        if (this.#connections === 0) return undefined;
        return { type: "hostOffline", reason: "the host is not here" };
      case "cut":
        if (this.#connections === 0) return undefined;
        this.#lose();
        return { type: "closed", reason: "the broker closed the connection", takenOver: !well };
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "storeSession":
        assert.ok(!this.#storing, "stores one number at a time");
        this.#storing = true;
        break;
      case "connect":
        assert.ok(!this.#connecting && this.#connections === 0, "never two connections");
        assert.equal(effect.session, this.#stored, "the number is stored before CONNECT");
        assert.ok(effect.session > this.#used, "no number is used twice");
        assert.ok(!this.#stopAsked, "no CONNECT after a stop");
        this.#used = effect.session;
        this.#connecting = true;
        break;
      case "announce":
        assert.equal(this.#connections, 1, "announces on a connection");
        this.#announcing = true;
        break;
      case "deliver":
        assert.ok(this.#connections === 1 && !this.#announcing, "nothing is published before it is announced");
        this.#delivering = true;
        break;
      case "sayGoodbye":
      case "leave":
        assert.equal(this.#connections, 1, "says goodbye to someone");
        break;
      case "destroy":
        // The end of a cut connection comes as an event of its own, at some time.
        break;
      case "setTimer":
        assert.ok(effect.delayMs >= 0 && Number.isFinite(effect.delayMs), "a timer runs out");
        this.#timer = true;
        break;
      case "stopped":
        this.#stoppedTold += 1;
        break;
    }
  }

  #lose(): void {
    this.#connections -= 1;
    this.#announcing = false;
    this.#delivering = false;
  }

  #check(): void {
    const { phase } = this.state;
    assert.ok(
      !this.#delivering ||
        phase === "online" ||
        phase === "closing" ||
        phase === "leaving" ||
        phase === "stopping" ||
        phase === "stopped",
    );
    assert.equal(this.#stoppedTold, phase === "stopped" ? 1 : 0, "a stop is told once, at its end");
    assert.ok(!this.#stopAsked || phase === "stopping" || phase === "stopped", "nothing undoes a stop");
    assert.ok(phase !== "waiting" || this.#timer, "who waits has a timer");
    assert.ok(
      (phase !== "stopping" && phase !== "closing" && phase !== "leaving") || this.#timer,
      "an end has a limit",
    );
    assert.ok(phase !== "online" || this.state.failure === "", "online is no failure");
  }
}

// A connection that was given up and does not end cannot be told from one that is gone: the world ends it first.
function orderly(
  happenings: readonly (readonly [Happening, boolean, number])[],
): readonly (readonly [Happening, boolean, number])[] {
  return happenings.flatMap((one) =>
    one[0] === "failed" || one[0] === "moved" ? [one, ["cut", true, 0] as const] : [one],
  );
}

test("P3 P7: whatever happens in whatever order, the session keeps its word", () => {
  const happening = fc.tuple(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom("timer", "card", "broker", "announced") },
      { weight: 3, arbitrary: fc.constantFrom(...HAPPENINGS.filter((h) => h !== "stop")) },
      { weight: 1, arbitrary: fc.constant("stop") },
    ),
    fc.boolean(),
    fc.integer({ min: 0, max: 20_000 }),
  ) as fc.Arbitrary<[Happening, boolean, number]>;
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 80 }), (happenings) => {
      const world = new World();
      world.happen("start", true, 0);
      for (const [what, well, passMs] of orderly(happenings)) world.happen(what, well, passMs);
    }),
    { numRuns: 500 },
  );
});
