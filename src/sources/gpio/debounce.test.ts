import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Change, type Contact, type ContactEvent, debounce } from "./debounce.ts";

const DEBOUNCE_MS = 20;
const LOW: Contact = { level: false, turningSinceMs: undefined };

function changesOf(
  events: readonly ContactEvent[],
  debounceMs = DEBOUNCE_MS,
  begin: "low" | "unknown" = "low",
): Change[] {
  const changes: Change[] = [];
  let contact = begin === "low" ? LOW : undefined;
  for (const event of events) {
    const [next, change] = debounce(contact, event, debounceMs);
    contact = next;
    if (change !== undefined) changes.push(change);
  }
  return changes;
}

const edge = (level: boolean, atMs: number): ContactEvent => ({ kind: "edge", level, atMs });
const sampled = (level: boolean, atMs: number): ContactEvent => ({ kind: "sampled", level, atMs });
const time = (atMs: number): ContactEvent => ({ kind: "time", atMs });

test("a bouncing contact changes once, at the edge from which on it stood", () => {
  const bounce = [edge(true, 0), edge(false, 2), edge(true, 3), edge(false, 5), edge(true, 6)];
  assert.deepEqual(changesOf([...bounce, time(25)]), []);
  assert.deepEqual(changesOf([...bounce, time(26)]), [{ level: true, atMs: 6 }]);
});

test("a glitch shorter than the debounce time never was", () => {
  assert.deepEqual(changesOf([edge(true, 0), edge(false, 19), time(100)]), []);
});

test("a level that stood long enough counts also when nobody looked in time", () => {
  assert.deepEqual(changesOf([edge(true, 0), edge(false, 50), time(100)]), [
    { level: true, atMs: 0 },
    { level: false, atMs: 50 },
  ]);
});

test("a scan finds the edge that nobody told of, and does not disturb one that was told", () => {
  assert.deepEqual(changesOf([sampled(true, 10), sampled(true, 29), sampled(true, 30)]), [{ level: true, atMs: 10 }]);
  assert.deepEqual(changesOf([edge(true, 0), sampled(true, 19), time(20)]), [{ level: true, atMs: 0 }]);
  assert.deepEqual(changesOf([edge(true, 0), sampled(false, 10), time(40)]), []);
});

test("the first look is where a contact begins, and no change; a first edge is one", () => {
  assert.deepEqual(changesOf([time(0), sampled(true, 1), time(50)], DEBOUNCE_MS, "unknown"), []);
  assert.deepEqual(changesOf([edge(true, 1), time(50)], DEBOUNCE_MS, "unknown"), [{ level: true, atMs: 1 }]);
});

test("without a debounce time every edge counts at once", () => {
  const pulses = [edge(true, 1), edge(false, 2), edge(true, 2), edge(true, 3)];
  assert.deepEqual(changesOf(pulses, 0), [
    { level: true, atMs: 1 },
    { level: false, atMs: 2 },
    { level: true, atMs: 2 },
  ]);
});

/** Alternating edges at rising times, from low. */
const wave = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 40 }).map((gaps) =>
  gaps.map((_, i) =>
    edge(
      i % 2 === 0,
      gaps.slice(0, i + 1).reduce((sum, gap) => sum + gap, 0),
    ),
  ),
);

test("exactly the levels that stand for the debounce time and differ from the one before count", () => {
  fc.assert(
    fc.property(wave, (edges) => {
      const endMs = (edges.at(-1)?.atMs ?? 0) + 1_000;
      const expected: Change[] = [];
      edges.forEach((event, i) => {
        if (event.kind === "time") return;
        const stoodMs = (edges[i + 1]?.atMs ?? endMs) - event.atMs;
        if (stoodMs >= DEBOUNCE_MS && event.level !== (expected.at(-1)?.level ?? false)) {
          expected.push({ level: event.level, atMs: event.atMs });
        }
      });
      assert.deepEqual(changesOf([...edges, time(endMs)]), expected);
    }),
  );
});

test("when timers fire makes no difference to what changed and when", () => {
  fc.assert(
    fc.property(wave, fc.array(fc.integer({ min: 0, max: 2_000 })), (edges, timersMs) => {
      const endMs = 4_000;
      const withTimers = [...edges, ...timersMs.map(time)].sort((a, b) => a.atMs - b.atMs);
      assert.deepEqual(changesOf([...withTimers, time(endMs)]), changesOf([...edges, time(endMs)]));
    }),
  );
});
