import type { Chance } from "./chance.ts";
import type { UplinkPlan } from "./plan.ts";

/** @param brokers how many there are to choose from */
export function drawUplink(chance: Chance, name: string, brokers: number): UplinkPlan {
  const first = chance.between(0, brokers - 1);
  const both = brokers > 1 && chance.happens(0.3);
  return {
    name,
    brokers: both ? [first, (first + 1) % brokers] : [first],
    keepAliveMs: chance.pick([5_000, 15_000, 15_000]),
    spreadMs: chance.pick([1_000, 5_000, 30_000]),
    maxMs: chance.pick([10_000, 30_000, 120_000]),
    historyRateBytesPerS: chance.happens(0.1) ? 20_000 : Number.POSITIVE_INFINITY,
    history: chance.happens(0.95),
    startAt: chance.happens(0.3) ? "oldest" : "now",
  };
}
