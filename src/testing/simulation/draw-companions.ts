/**
 * Troubles that follow other troubles. Drawn each by itself they would hardly ever meet, and some mistakes show only
 * where they do: a loss that is told while the link flaps, a backlog that meets a slow link, a card that fills up.
 */
import type { Chance } from "./chance.ts";
import type { Fault, SitePlan, Trouble } from "./plan.ts";
import { hasSmallOutbox } from "./site.ts";

/** Apart from the ids of the faults that they follow. */
const FIRST_ID = 1_000;
/** For one that follows another, this often. */
const SHARE = 0.4;
const FIRST_AT_MS = 5_000;
/** The broker goes before the power does, so that something is owed. */
const DARK_BEFORE_MS = 10_000;

/** @param faults in their order @returns what comes on top, in no order */
export function drawCompanions(
  chance: Chance,
  site: SitePlan,
  brokers: number,
  faults: readonly Fault[],
  calmFromMs: number,
): readonly Fault[] {
  const found: Fault[] = [];
  const add = (atMs: number, forMs: number, trouble: Trouble) => {
    const at = Math.max(FIRST_AT_MS, Math.round(atMs));
    const leftMs = calmFromMs - at;
    if (leftMs > 0) found.push({ id: FIRST_ID + found.length, atMs: at, forMs: Math.min(leftMs, forMs), trouble });
  };
  const everyBroker = (trouble: (broker: number) => Trouble, atMs: number, forMs: number) => {
    for (let broker = 0; broker < brokers; broker++) add(atMs, forMs, trouble(broker));
  };
  for (const { atMs, forMs, trouble } of faults) {
    if (!chance.happens(SHARE)) continue;
    const overMs = atMs + forMs;
    if (trouble.kind === "power cut" && chance.happens(0.5)) {
      // The start after it finds nobody to tell, and ends before it does.
      const darkMs = chance.spread(30_000, 90_000);
      everyBroker(
        (broker) => ({ kind: "broker gone", broker }),
        atMs - DARK_BEFORE_MS,
        DARK_BEFORE_MS + forMs + darkMs,
      );
      add(overMs + chance.between(5_000, 20_000), 1_000, { kind: "restart" });
    } else if (trouble.kind === "power cut") {
      const everyMs = chance.spread(300, 4_000);
      everyBroker((broker) => ({ kind: "flapping", broker, everyMs }), atMs, forMs + chance.spread(20_000, 120_000));
    } else if (trouble.kind === "broker gone" || trouble.kind === "broker frozen") {
      const { broker } = trouble;
      const bytesPerS = chance.spread(2_500, 25_000);
      add(overMs, chance.spread(60_000, 300_000), { kind: "slow link", broker, bytesPerS });
    }
  }
  if (hasSmallOutbox(site)) {
    const atMs = chance.between(FIRST_AT_MS, calmFromMs / 4);
    everyBroker((broker) => ({ kind: "broker gone", broker }), atMs, calmFromMs - atMs);
  }
  return found;
}
