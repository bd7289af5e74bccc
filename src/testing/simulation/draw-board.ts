/** A board without a clock of its own: what it takes for the time at each boot, and when somebody tells it. */
import type { Chance } from "./chance.ts";
import type { BoardPlan, BootPlan } from "./plan.ts";

const SHARE = 1 / 3;
const YEAR_MS = 31_557_600_000;
const BOOTS_DRAWN = 4;
/** Nobody tells it, this often. */
const NEVER_SHARE = 0.2;
const GOOD_AFTER_MIN_MS = 500;
const GOOD_AFTER_MAX_MS = 240_000;

/** @param nowMs the true time at the beginning */
export function drawBoard(chance: Chance, nowMs: number): BoardPlan | undefined {
  if (!chance.happens(SHARE)) return undefined;
  return {
    waitAtMostMs: chance.pick([0, 20_000, 60_000, 60_000, 600_000]),
    // A card that was flashed by a host in the future knows nothing better.
    notBeforeMs: nowMs + (chance.happens(0.15) ? YEAR_MS : -YEAR_MS),
    boots: Array.from({ length: BOOTS_DRAWN }, () => drawBoot(chance, nowMs)),
  };
}

function drawBoot(chance: Chance, nowMs: number): BootPlan {
  const isNever = chance.happens(NEVER_SHARE);
  return {
    offMs: chance.pick([
      // In 1970; when the image was built; where the clock was left; in the future.
      -nowMs,
      -chance.spread(86_400_000, 2 * YEAR_MS),
      -chance.spread(1_000, 600_000),
      chance.spread(1_000, 5 * YEAR_MS),
    ]),
    goodAfterMs: isNever ? "never" : Math.round(chance.spread(GOOD_AFTER_MIN_MS, GOOD_AFTER_MAX_MS)),
  };
}
