/**
 * What goes wrong where an uplink speaks Sparkplug: with its hosts, and with a link over which nothing is acknowledged by
 * itself. Drawn apart, so that sites with JSON alone are what they were.
 */
import type { Chance } from "./chance.ts";
import type { Fault, SitePlan, Trouble } from "./plan.ts";

/** Apart from the ids of all other faults. */
const FIRST_ID = 2_000;
const FAULTS_MAX = 6;
const FIRST_AT_MS = 1_000;
const LASTS_MIN_MS = 500;
const LASTS_MAX_MS = 180_000;
/** Until a broker notices that a host is dead. */
const SILENT_MAX_MS = 60_000;
/** A burst of Rebirths. */
const STORM_MAX = 60;

type Draw = (chance: Chance, uplink: string, broker: number) => Trouble;

const KINDS: readonly Draw[] = [
  (chance, _, broker) => ({
    kind: "breaks at a byte",
    broker,
    everyBytes: chance.spread(200, 60_000),
    hangsMs: chance.happens(0.5) ? 0 : chance.spread(200, 20_000),
  }),
  (chance, _, broker) => ({ kind: "breaks at a byte", broker, everyBytes: chance.spread(5_000, 60_000), hangsMs: 0 }),
  (_, __, broker) => ({ kind: "not routed", broker }),
  (_, __, broker) => ({ kind: "host away", broker, silentMs: 0 }),
  (chance, _, broker) => ({ kind: "host away", broker, silentMs: chance.spread(100, SILENT_MAX_MS) }),
  (chance, uplink) => ({ kind: "rebirth", uplink, times: 1, everyMs: chance.between(1, 1_000) }),
  (chance, uplink) => ({
    kind: "rebirth",
    uplink,
    times: chance.between(2, STORM_MAX),
    everyMs: chance.spread(1, 2_000),
  }),
];

export function drawHostFaults(chance: Chance, site: SitePlan, brokers: number, calmFromMs: number): readonly Fault[] {
  const nodes = site.uplinks.filter(({ sparkplug }) => sparkplug !== undefined);
  if (nodes.length === 0) return [];
  return Array.from({ length: chance.between(0, FAULTS_MAX) }, (_, i) => {
    const atMs = chance.between(FIRST_AT_MS, calmFromMs);
    const lastsMs = Math.min(calmFromMs - atMs, chance.spread(LASTS_MIN_MS, LASTS_MAX_MS));
    const uplink = chance.pick(nodes)?.name ?? "";
    const trouble = chance.pick(KINDS)?.(chance, uplink, chance.between(0, brokers - 1));
    return trouble === undefined ? [] : [{ id: FIRST_ID + i, atMs, forMs: lasts(trouble) ? lastsMs : 0, trouble }];
  }).flat();
}

function lasts({ kind }: Trouble): boolean {
  return kind !== "rebirth";
}
