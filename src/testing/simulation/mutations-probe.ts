/**
 * Runs seeds until an invariant does not hold, and prints the first one as JSON, or null. Started in a copy of the
 * sources: `node --import tsx src/testing/simulation/mutations-probe.ts FROM SEEDS NEED…`.
 */
import { messageOf } from "../../core/errors.ts";
import { drawPlan } from "./draw.ts";
import type { Sighting } from "./mutant.ts";
import { meets } from "./mutation.ts";
import { simulate } from "./simulate.ts";

const [, , from = "1", seeds = "1", ...needs] = process.argv;
let seed = Number(from);

function answer(sighting: Sighting | null): never {
  process.stdout.write(JSON.stringify(sighting));
  process.exit(0);
}

// Thrown where nobody waits for it: on a gateway it would end the process.
const broke = (thrown: unknown) => answer({ seed, invariant: "no bug", what: messageOf(thrown) });
process.on("uncaughtException", broke);
process.on("unhandledRejection", broke);

for (const last = seed + Number(seeds) - 1; seed <= last; seed++) {
  const plan = drawPlan(seed);
  if (!meets(plan, needs)) continue;
  const [breach] = (await simulate(plan)).breaches;
  if (breach !== undefined) answer({ seed, invariant: breach.invariant, what: breach.what });
}
answer(null);
