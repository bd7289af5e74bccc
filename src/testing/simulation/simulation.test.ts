import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { drawPlan } from "./draw.ts";
import { INVARIANTS } from "./invariant.ts";
import { meets, type Need } from "./mutation.ts";
import type { Plan } from "./plan.ts";
import { nameOf, planNamed } from "./shrink.ts";
import { simulate } from "./simulate.ts";

const SEARCHED_SEEDS = 1_000;

test("one seed is one story, to the last message", async () => {
  const plan = shortest((candidate) => meets(candidate, ["power cut"]));
  const first = await simulate(plan);
  const second = await simulate(plan);
  assert.equal(second.hash, first.hash);
  assert.deepEqual(second.story, first.story);
});

for (const kind of ["power cut", "disk full", "clock step", "reload", "file damaged", "flapping"] as const) {
  test(`P3 P4 P5 P6 P7 P8 P9: the whole gateway keeps its promises through a ${kind}, and all is well in the end`, async () => {
    const plan = shortest((candidate) => meets(candidate, [kind]));
    const { breaches, arrived } = await simulate(plan);
    assert.deepEqual(breaches, [], `SIM_SEED=${plan.seed} npm run sim tells the story`);
    assert.ok(arrived > 0);
  });
}

test("P3 P4: over QoS 0 nothing is lost on a link that breaks amid messages, and each host ends up right", async () => {
  const plan = shortest((candidate) => meets(candidate, ["breaks at a byte", "rebirth"]));
  const { breaches, arrived } = await simulate(plan);
  assert.deepEqual(breaches, [], `SIM_SEED=${plan.seed} npm run sim tells the story`);
  assert.ok(arrived > 0);
});

test("P4 P9: a board that learns the time late loses nothing through a power cut, and dates nothing wrongly as Good", async () => {
  const isLate = ({ site, faults }: Plan) =>
    site.board?.waitAtMostMs === 60_000 &&
    site.board.boots.every(({ goodAfterMs }) => goodAfterMs !== "never" && goodAfterMs > 5_000) &&
    faults.some(({ trouble }) => trouble.kind === "power cut");
  const plan = shortest(isLate);
  const { breaches, story } = await simulate(plan);
  assert.deepEqual(breaches, [], `SIM_SEED=${plan.seed} npm run sim tells the story`);
  assert.ok(story.some((line) => /\d samples of boot-\d are dated/.test(line)));
});

test("a fault that is left out changes no other one, and the rest has a name", () => {
  const whole = shortest(({ faults }) => faults.length > 3);
  const kept = { ...whole, faults: whole.faults.filter(({ id }) => id % 2 === 0) };
  assert.deepEqual(planNamed(nameOf(kept, whole), drawPlan), kept);
  assert.deepEqual(planNamed(nameOf(whole, whole), drawPlan), whole);
});

test("each invariant is checked where it says", () => {
  for (const [invariant, places] of Object.entries(INVARIANTS)) {
    const checked = places.map((place) => {
      const [file = "", checker = ""] = place.split(" ");
      const text = readFileSync(new URL(file, import.meta.url), "utf8");
      assert.ok(text.includes(checker), `${place} is nowhere`);
      return text.includes(`"${invariant}"`);
    });
    assert.ok(checked.includes(true), `nothing breaches "${invariant}"`);
  }
});

test("a thousand seeds draw every kind of trouble and every kind of change", () => {
  const plans = Array.from({ length: SEARCHED_SEEDS }, (_, seed) => drawPlan(seed));
  const never = Object.keys(NEEDS).filter((need) => !plans.some((plan) => meets(plan, [need])));
  assert.deepEqual(never, []);
});

function shortest(isWanted: (plan: Plan) => boolean): Plan {
  const plans = Array.from({ length: SEARCHED_SEEDS }, (_, seed) => drawPlan(seed)).filter(isWanted);
  return plans.reduce((a, b) => (a.calmFromMs <= b.calmFromMs ? a : b));
}

/** As objects, so that the compiler asks for whatever is added to the plan. */
const NEEDS: Readonly<Record<Need, true>> = {
  device: true,
  "adapter gone": true,
  "pin gone": true,
  "pin deaf": true,
  "pin chatters": true,
  "broker gone": true,
  "broker frozen": true,
  "broker forgets": true,
  "connections cut": true,
  flapping: true,
  "breaks at a byte": true,
  "not routed": true,
  "host away": true,
  rebirth: true,
  "slow to acknowledge": true,
  "slow link": true,
  "taken over": true,
  "clock step": true,
  "disk full": true,
  "disk failing": true,
  "disk slow": true,
  "power cut": true,
  "file damaged": true,
  restart: true,
  reload: true,
  silent: true,
  slow: true,
  late: true,
  twice: true,
  "wrong unit": true,
  "cut short": true,
  "a bit flipped": true,
  "noise before": true,
  echo: true,
  exception: true,
  "add uplink": true,
  "remove uplink": true,
  "bring back uplink": true,
  "rename uplink": true,
  "move uplink": true,
  "remove device": true,
  "rename device": true,
  "remove tag": true,
  "change priority": true,
  "small outbox": true,
  "commit first": true,
  board: true,
  sparkplug: true,
  "primary host": true,
};
