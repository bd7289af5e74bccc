import type { Chance } from "./chance.ts";
import type { SparkplugPlan, UplinkPlan } from "./plan.ts";

/** So many uplinks speak Sparkplug. */
const SPARKPLUG_SHARE = 0.35;

/**
 * @param brokers how many there are to choose from
 * @param formatChance apart, so that what else is drawn does not depend on the format
 */
export function drawUplink(chance: Chance, formatChance: Chance, name: string, brokers: number): UplinkPlan {
  const first = chance.between(0, brokers - 1);
  const both = brokers > 1 && chance.happens(0.3);
  const sparkplug = formatChance.happens(SPARKPLUG_SHARE) ? drawSparkplug(formatChance) : undefined;
  return {
    name,
    brokers: both ? [first, (first + 1) % brokers] : [first],
    keepAliveMs: chance.pick([5_000, 15_000, 15_000]),
    spreadMs: chance.pick([1_000, 5_000, 30_000]),
    maxMs: chance.pick([10_000, 30_000, 120_000]),
    historyRateBytesPerS: chance.happens(0.1) ? 20_000 : Number.POSITIVE_INFINITY,
    history: chance.happens(0.95),
    startAt: chance.happens(0.3) ? "oldest" : "now",
    ...(sparkplug && { sparkplug }),
  };
}

function drawSparkplug(chance: Chance): SparkplugPlan {
  return {
    aliases: chance.happens(0.3),
    datatypeInData: chance.happens(0.2),
    barrier: chance.happens(0.25) ? "publish" : "ping",
    hasPrimaryHost: chance.happens(0.4),
  };
}
