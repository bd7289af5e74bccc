import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPlan } from "./draw.ts";
import type { Plan } from "./plan.ts";
import { nameOf, planNamed } from "./shrink.ts";
import { simulate } from "./simulate.ts";

const SEARCHED_SEEDS = 1_000;

test("one seed is one story, to the last message", async () => {
  const plan = shortest((candidate) => candidate.faults.some(({ trouble }) => trouble.kind === "power cut"));
  const first = await simulate(plan);
  const second = await simulate(plan);
  assert.equal(second.hash, first.hash);
  assert.deepEqual(second.story, first.story);
});

for (const kind of ["power cut", "disk full", "clock step", "reload", "file damaged", "flapping"] as const) {
  test(`P3 P4 P5 P6 P7 P8 P9: the whole gateway keeps its promises through a ${kind}, and all is well in the end`, async () => {
    const plan = shortest((candidate) => candidate.faults.some(({ trouble }) => trouble.kind === kind));
    const { breaches, arrived } = await simulate(plan);
    assert.deepEqual(breaches, [], `SIM_SEED=${plan.seed} npm run sim tells the story`);
    assert.ok(arrived > 0);
  });
}

test("a fault that is left out changes no other one, and the rest has a name", () => {
  const whole = shortest(({ faults }) => faults.length > 3);
  const kept = { ...whole, faults: whole.faults.filter(({ id }) => id % 2 === 0) };
  assert.deepEqual(planNamed(nameOf(kept, whole), drawPlan), kept);
  assert.deepEqual(planNamed(nameOf(whole, whole), drawPlan), whole);
});

test("a thousand seeds draw every kind of trouble and every kind of change", () => {
  const troubles = Array.from({ length: SEARCHED_SEEDS }, (_, seed) => drawPlan(seed)).flatMap(({ faults }) =>
    faults.map(({ trouble }) => trouble),
  );
  const kinds = new Set(troubles.map(({ kind }) => kind));
  const hows = new Set(troubles.flatMap((trouble) => (trouble.kind === "device" ? [trouble.trouble.how] : [])));
  const changes = new Set(troubles.flatMap((trouble) => (trouble.kind === "reload" ? [trouble.change.what] : [])));
  assert.deepEqual([kinds.size, hows.size, changes.size], [21, 10, 9]);
});

function shortest(isWanted: (plan: Plan) => boolean): Plan {
  const plans = Array.from({ length: SEARCHED_SEEDS }, (_, seed) => drawPlan(seed)).filter(isWanted);
  return plans.reduce((a, b) => (a.calmFromMs <= b.calmFromMs ? a : b));
}
