import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Random, seededRandom } from "../core/random.ts";
import {
  BRIEF_IS_A_FIGHT,
  type Effect,
  FIGHT_BACKOFF_MAX_MS,
  FIGHT_BACKOFF_MIN_MS,
  FIGHT_OVER_AFTER_MS,
  HELD_AFTER_MS,
  INITIAL_SESSION,
  type SessionContext,
  type SessionEvent,
  type SessionState,
  stepSession,
} from "./session.ts";

const SERVERS = ["mqtts://a", "mqtts://b"] as const;
const RECONNECT = { spreadMs: 30_000, maxMs: 120_000 };
const always = (chance: number): Random => ({ next: () => chance });

/** Plays events one after the other; the last step's effects count. */
class Play {
  state: SessionState = INITIAL_SESSION;
  effects: readonly Effect[] = [];
  nowMs = 0;
  servers: readonly string[] = SERVERS;
  random: Random = always(1);

  on(...events: readonly (SessionEvent | SessionEvent["type"])[]): this {
    for (const event of events) {
      const context: SessionContext = {
        servers: this.servers,
        clientId: "plant-7-pump-house-3-cloud",
        reconnect: RECONNECT,
        random: this.random,
        nowMs: this.nowMs,
      };
      [this.state, this.effects] = stepSession(this.state, typeof event === "string" ? plain(event) : event, context);
    }
    return this;
  }

  pass(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  online(): this {
    return this.on("start", "timer", "stored", "connected", "announced");
  }

  has(type: Effect["type"]): boolean {
    return this.effects.some((effect) => effect.type === type);
  }

  timerMs(): number | undefined {
    return this.effects.find((effect) => effect.type === "setTimer")?.delayMs;
  }
}

function plain(type: SessionEvent["type"]): SessionEvent {
  switch (type) {
    case "stored":
      return { type, session: 1 };
    case "notStored":
    case "notConnected":
    case "failed":
    case "hostOffline":
      return { type, reason: "so it is" };
    case "closed":
      return { type, reason: "so it is", takenOver: false };
    default:
      return { type };
  }
}

describe("the session", () => {
  test("P3: a number is stored, then CONNECT, then the announcement, then samples", () => {
    const play = new Play();
    assert.deepEqual(play.on("start").effects, [{ type: "storeSession" }]);
    assert.deepEqual(play.on({ type: "stored", session: 12 }).effects, [
      { type: "connect", server: "mqtts://a", session: 12 },
    ]);
    assert.deepEqual(play.on("connected").effects, [{ type: "announce" }]);
    assert.equal(play.on("announced").effects[0]?.type, "deliver");
    assert.equal(play.state.phase, "online");
  });

  test("P7: the first retry is spread, later ones back off to the maximum", () => {
    const play = new Play();
    play.servers = ["mqtts://a"];
    const delays: (number | undefined)[] = [];
    play.on("start");
    for (let i = 0; i < 4; i++) {
      play.on("stored", "notConnected");
      delays.push(play.timerMs());
      play.on("timer");
    }
    assert.deepEqual(delays, [30_000, 60_000, 120_000, 120_000]);
  });

  test("P7: full jitter: chance draws from the whole delay", () => {
    const play = new Play();
    play.random = always(0.25);
    assert.equal(play.on("start", "stored", "notConnected").timerMs(), 7_500);
  });

  test("servers are tried in turn, one at a time, and a pass over all of them is one attempt", () => {
    const play = new Play();
    const tried: string[] = [];
    const delays: (number | undefined)[] = [];
    play.on("start");
    for (let i = 0; i < 4; i++) {
      for (const effect of play.on("stored").effects) if (effect.type === "connect") tried.push(effect.server);
      delays.push(play.on("notConnected").timerMs());
      play.on("timer");
    }
    assert.deepEqual(tried, ["mqtts://a", "mqtts://b", "mqtts://a", "mqtts://b"]);
    assert.deepEqual(delays, [30_000, 30_000, 60_000, 60_000]);
  });

  test("a connection that held is tried again on the same server, as if nothing had failed before", () => {
    const play = new Play().on("start", "stored", "notConnected", "timer", "stored", "connected", "announced");
    play.pass(HELD_AFTER_MS).on("closed");
    assert.deepEqual([play.state.server, play.state.failures, play.timerMs()], [1, 1, 30_000]);
  });

  test("a session number that cannot be stored means no CONNECT", () => {
    const play = new Play().on("start", { type: "notStored", reason: "disk full" });
    assert.equal(play.state.phase, "waiting");
    assert.equal(play.state.failure, "the session number cannot be stored: disk full");
  });

  test("P7: a useless connection is cut, and the next attempt waits until it is gone", () => {
    const play = new Play().online().on({ type: "failed", reason: "the link is frozen" });
    assert.equal(play.state.phase, "closing");
    assert.ok(play.has("destroy"));
    play.on({ type: "closed", reason: "cut by the gateway", takenOver: false });
    assert.deepEqual([play.state.phase, play.state.failure], ["waiting", "the link is frozen"]);
  });

  test("P7: a cut connection that never ends does not hold up the next", () => {
    const play = new Play().online().on("failed", "timer");
    assert.equal(play.state.phase, "waiting");
  });

  test("the same failure again is no news", () => {
    const play = new Play().on("start", "stored", "notConnected");
    const told = () => play.effects.find((effect) => effect.type === "tell")?.level;
    assert.equal(told(), "warning");
    play.on("timer", "stored", "notConnected");
    assert.equal(told(), "debug");
    play.on("timer", "stored", { type: "notConnected", reason: "another" });
    assert.equal(told(), "warning");
  });

  test("a refusal that ends every session is told each time: connected alone would look healthy", () => {
    const play = new Play().online();
    for (let round = 1; round <= 3; round++) {
      play.on("failed", "closed");
      assert.equal(play.effects.find((effect) => effect.type === "tell")?.level, "warning", `round ${round}`);
      play.on("timer", "stored", "connected", "announced");
    }
  });

  test("the reason stays known until a session is online again", () => {
    const play = new Play().on("start", "stored", "notConnected", "timer", "stored", "connected");
    assert.equal(play.state.failure, "so it is");
    play.on("announced");
    assert.equal(play.state.failure, "");
  });
});

describe("two gateways with one identity", () => {
  const takenOver: SessionEvent = {
    type: "closed",
    reason: "in whatever words",
    takenOver: true,
  };

  test("P7: words alone are no takeover: it is told as data", () => {
    const play = new Play().online();
    play.on({ type: "closed", reason: "the broker's words: session taken over (0x8E)", takenOver: false });
    assert.equal(play.state.takeovers, 0);
  });

  test("P7: a session taken over is named, and left to the other for long", () => {
    const play = new Play().online().pass(1_000).on(takenOver);
    assert.equal(play.state.failure, 'another gateway uses the client id "plant-7-pump-house-3-cloud"');
    assert.ok((play.timerMs() ?? 0) >= FIGHT_BACKOFF_MIN_MS);
  });

  test("P7: the longer it goes on, the longer it stays away", () => {
    const play = new Play().on("start");
    const delays: number[] = [];
    for (let i = 0; i < 6; i++) {
      play.on("stored", "connected", "announced").pass(500).on(takenOver);
      delays.push(play.timerMs() ?? 0);
      play.on("timer");
    }
    assert.deepEqual(delays, [120_000, 240_000, 480_000, 900_000, 900_000, FIGHT_BACKOFF_MAX_MS]);
  });

  test("P7: the other one's turns in between do not end the fight", () => {
    const play = new Play().on("start");
    for (let i = 0; i < 6; i++) play.on("stored", "connected", "announced").pass(600_000).on(takenOver).on("timer");
    assert.equal(play.state.takeovers, 6);
    play.on("stored", "connected", "announced").pass(FIGHT_OVER_AFTER_MS).on(takenOver);
    assert.equal(play.state.takeovers, 1);
  });

  test("P7: a broker that gives no reason is found out by repetition", () => {
    const play = new Play().on("start");
    for (let i = 1; i < BRIEF_IS_A_FIGHT; i++) {
      play.on("stored", "connected", "announced").pass(2_000).on("closed", "timer");
      assert.equal(play.state.failure, "so it is");
    }
    play.on("stored", "connected", "announced").pass(2_000).on("closed");
    assert.match(play.state.failure, /another gateway probably uses the client id "plant-7-pump-house-3-cloud"/);
    assert.ok((play.timerMs() ?? 0) >= FIGHT_BACKOFF_MIN_MS);
  });

  test("brief connections that are not in a row are no fight", () => {
    const play = new Play().on("start");
    for (let i = 0; i < 10; i++) {
      const lifeMs = i % 2 === 0 ? 2_000 : HELD_AFTER_MS;
      play.on("stored", "connected", "announced").pass(lifeMs).on("closed");
      assert.equal(play.state.failure, "so it is");
      play.on("timer");
    }
  });

  test("it is recognised also where we cut the connection at the same moment", () => {
    const play = new Play().online().on("failed", takenOver);
    assert.match(play.state.failure, /another gateway uses/);
  });
});

describe("a stop", () => {
  test("while connected: says goodbye, and is over when the connection is", () => {
    const play = new Play().online().on("stop");
    assert.ok(play.has("sayGoodbye"));
    assert.ok(play.on("closed").has("stopped"));
  });

  test("P7: a goodbye that nobody hears ends in seconds", () => {
    const play = new Play().online().on("stop");
    assert.ok((play.timerMs() ?? Number.POSITIVE_INFINITY) <= 3_000);
    assert.deepEqual(play.on("timer").effects, [{ type: "destroy" }, { type: "stopped" }]);
  });

  for (const events of [["start"], ["start", "stored", "notConnected"], []] as const) {
    test(`without a connection it is over at once (${events.join(", ") || "never started"})`, () => {
      assert.ok(new Play().on(...events, "stop").has("stopped"));
    });
  }

  test("while connecting: a connection that still comes is closed again", () => {
    const play = new Play().on("start", "stored", "stop");
    assert.ok(!play.has("stopped"));
    assert.deepEqual(play.on("connected").effects, [{ type: "close" }]);
    assert.ok(play.on("closed").has("stopped"));
  });

  test("while connecting: one that comes too late is cut", () => {
    const play = new Play().on("start", "stored", "stop", "timer", "connected");
    assert.ok(play.has("destroy"));
    assert.equal(play.state.phase, "stopped");
  });

  test("what was stopped never starts again", () => {
    const play = new Play().on("start", "stop", "start", "timer", "stored");
    assert.deepEqual([play.state.phase, play.effects], ["stopped", []]);
  });
});

test("chance alone decides when, never what", () => {
  const play = (seed: number) => {
    const one = new Play();
    one.random = seededRandom(seed);
    return one.on("start", "stored", "notConnected", "timer", "stored", "connected", "announced").state;
  };
  assert.deepEqual(play(1), play(2));
});
