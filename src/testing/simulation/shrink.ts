/** A plan that breaks, made small: faults are left out, in halves and then one by one, as long as it breaks in the same way. */
import type { Fault, Plan } from "./plan.ts";
import { type Outcome, simulate } from "./simulate.ts";

/** Each is a whole run. */
const RUNS_MAX = 60;

/** @returns the smallest plan found, with its outcome */
export async function shrink(plan: Plan, broken: Outcome): Promise<{ readonly plan: Plan; readonly outcome: Outcome }> {
  const invariant = broken.breaches[0]?.invariant;
  let best = { plan, outcome: broken };
  let runs = 0;
  for (let size = Math.ceil(plan.faults.length / 2); size >= 1; ) {
    let smaller = false;
    for (let from = 0; from < best.plan.faults.length && runs < RUNS_MAX; runs++) {
      const candidate = { ...plan, faults: without(best.plan.faults, from, size) };
      const outcome = await simulate(candidate);
      if (outcome.breaches[0]?.invariant === invariant) {
        best = { plan: candidate, outcome };
        smaller = true;
      } else {
        from += size;
      }
    }
    if (runs >= RUNS_MAX || (size === 1 && !smaller)) break;
    size = size === 1 ? 1 : Math.floor(size / 2);
  }
  return best;
}

function without(faults: readonly Fault[], from: number, count: number): readonly Fault[] {
  return [...faults.slice(0, from), ...faults.slice(from + count)];
}

/** `SIM_SEED` of a plan: the seed, and where faults were left out the ones that stayed, as in 17/0,3. */
export function nameOf(plan: Plan, whole: Plan): string {
  if (plan.faults.length === whole.faults.length) return `${plan.seed}`;
  return `${plan.seed}/${plan.faults.map(({ id }) => id).join(",")}`;
}

/** The plan of such a name. */
export function planNamed(name: string, draw: (seed: number) => Plan): Plan {
  const [seed = "", ids] = name.split("/");
  const plan = draw(Number(seed));
  if (ids === undefined) return plan;
  const kept = new Set(ids.split(",").map(Number));
  return { ...plan, faults: plan.faults.filter(({ id }) => kept.has(id)) };
}
