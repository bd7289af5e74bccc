/** One seed becomes a plan. Every concern has its own chance, so that changing how one is drawn leaves the others. */
import type { OutboxLimits } from "../../store/outbox-limits.ts";
import { Chance } from "./chance.ts";
import { drawBoard } from "./draw-board.ts";
import { drawCompanions } from "./draw-companions.ts";
import { drawFaults } from "./draw-faults.ts";
import { drawHostFaults } from "./draw-host-faults.ts";
import { drawUplink } from "./draw-uplink.ts";
import type { BrokerPlan, DevicePlan, InputPlan, LinePlan, Plan, SitePlan, TagPlan } from "./plan.ts";
import { hasSmallOutbox } from "./site.ts";

/** When every run begins. */
export const BEGAN_MS = Date.UTC(2026, 0, 1);
const LINES_MAX = 3;
const DEVICES_MAX = 4;
const TAGS_MAX = 6;
const INPUTS_MAX = 2;
const UPLINKS_MAX = 3;
const BROKERS_MAX = 2;
const BAUD_RATES = [9_600, 19_200, 38_400, 115_200] as const;
const CALM_FROM_MIN_MS = 120_000;
const CALM_FROM_MAX_MS = 480_000;
const CALM_FROM_FULL_MS = 420_000;
const PLENTY_BYTES = 64 * 1_048_576;
const DAY_MS = 86_400_000;
/** So small that a run comes to them within minutes. */
const SMALL_LIMITS: Partial<OutboxLimits> = {
  maxBlockSamples: 64,
  recentSamples: 200,
  tailSamples: 1_500,
  giveUpSamples: 100,
  commitSamples: 200,
  readBlocks: 2,
  retentionBlocks: 4,
};

export function drawPlan(seed: number): Plan {
  const chance = new Chance(seed, "size");
  const brokers = drawBrokers(new Chance(seed, "brokers"));
  const site = drawSite(seed, brokers.length);
  const drawnMs = chance.spread(CALM_FROM_MIN_MS, CALM_FROM_MAX_MS);
  // A card fills up in a long outage only.
  const calmFromMs = hasSmallOutbox(site) ? Math.max(drawnMs, CALM_FROM_FULL_MS) : drawnMs;
  const first = drawFaults(new Chance(seed, "faults"), site, brokers.length, calmFromMs);
  const more = drawCompanions(new Chance(seed, "companions"), site, brokers.length, first, calmFromMs);
  const hosts = drawHostFaults(new Chance(seed, "hosts"), site, brokers.length, calmFromMs);
  const faults = [...first, ...more, ...hosts].sort((a, b) => a.atMs - b.atMs);
  return { seed, site, brokers, faults, calmFromMs };
}

function drawSite(seed: number, brokers: number): SitePlan {
  const chance = new Chance(seed, "site");
  const lines = times(chance.between(1, LINES_MAX), (i) => drawLine(new Chance(seed, `line ${i}`), i));
  const inputs = times(chance.between(0, INPUTS_MAX), (i) => drawInput(new Chance(seed, `input ${i}`), i));
  const uplinks = times(chance.between(1, UPLINKS_MAX), (i) =>
    drawUplink(new Chance(seed, `uplink ${i}`), new Chance(seed, `format ${i}`), `up-${i + 1}`, brokers),
  );
  const board = drawBoard(new Chance(seed, "board"), BEGAN_MS);
  return { lines, inputs, uplinks, outbox: drawOutbox(new Chance(seed, "outbox")), ...(board && { board }) };
}

function drawOutbox(chance: Chance): SitePlan["outbox"] {
  const commitIntervalMs = chance.happens(0.05) ? 0 : chance.pick([250, 1_000, 1_000, 1_000, 5_000]);
  const outageFactor = chance.happens(0.2) ? chance.pick([4, 40]) : 1;
  const isSmall = chance.happens(0.15);
  return {
    commitIntervalMs,
    outageCommitIntervalMs: outageFactor * commitIntervalMs,
    maxSizeBytes: isSmall ? chance.between(30_000, 100_000) : PLENTY_BYTES,
    maxAgeMs: chance.happens(0.1) ? 120_000 : DAY_MS,
    // What memory holds is never dropped from the file: where that is to become full, memory must be small.
    limits: chance.happens(0.5) || isSmall ? SMALL_LIMITS : {},
  };
}

function drawLine(chance: Chance, index: number): LinePlan {
  const name = `line-${index + 1}`;
  const responseTimeoutMs = chance.pick([100, 200, 300, 500]);
  const devices = times(chance.between(1, DEVICES_MAX), (i) =>
    drawDevice(chance, `d${index + 1}-${i + 1}`, i + 1, responseTimeoutMs),
  );
  return { name, baudRate: chance.pick(BAUD_RATES), responseTimeoutMs, devices };
}

function drawDevice(chance: Chance, name: string, unitId: number, responseTimeoutMs: number): DevicePlan {
  const scanRateMs = chance.pick([500, 1_000, 1_000, 2_000, 5_000]);
  let address = chance.between(0, 1_000);
  const tags = times(chance.between(1, TAGS_MAX), (i) => {
    const tag = drawTag(chance, `t${i + 1}`, address, chance.happens(0.2) ? 2 * scanRateMs : scanRateMs);
    address += chance.happens(0.8) ? 4 : chance.between(4, 60);
    return tag;
  });
  return {
    name,
    unitId,
    retries: chance.between(0, 2),
    lostAfter: chance.between(1, 4),
    answersAfterMs: chance.between(1, Math.min(40, responseTimeoutMs / 3)),
    tags,
  };
}

function drawTag(chance: Chance, name: string, address: number, scanRateMs: number): TagPlan {
  const table = chance.pick(["holdingRegister", "holdingRegister", "inputRegister", "coil", "discreteInput"] as const);
  const isBit = table === "coil" || table === "discreteInput";
  const type = isBit ? "bool" : chance.pick(["uint16", "uint16", "uint32", "float32", "uint64"] as const);
  const isNumber = !isBit && type !== "uint64";
  return {
    name,
    table,
    address,
    type,
    scanRateMs,
    deadband: isNumber && chance.happens(0.3) ? chance.between(1, 10) : 0,
    priority: chance.pick(["low", "normal", "normal", "high"] as const),
    staleMs: Math.max(5_000, 3 * scanRateMs),
    maxIntervalMs: chance.pick([10_000, 60_000, 600_000]),
    ...(isNumber && chance.happens(0.2) && { scale: 0.5 }),
  };
}

function drawInput(chance: Chance, index: number): InputPlan {
  return {
    name: `in-${index + 1}`,
    pin: index,
    activeLow: chance.happens(0.3),
    debounceMs: chance.pick([0, 20, 100]),
    scanRateMs: chance.pick([1_000, 5_000]),
    counts: chance.happens(0.4),
    changesEveryMs: chance.spread(300, 30_000),
  };
}

function drawBrokers(chance: Chance): readonly BrokerPlan[] {
  return times(chance.between(1, BROKERS_MAX), () => ({
    latencyMs: chance.pick([0, 1, 10, 50, 300]),
    bytesPerS: chance.pick([Number.POSITIVE_INFINITY, 1e6, 1e6, 125_000]),
    ackDelayMs: chance.pick([0, 0, 5, 50]),
    kernelBufferBytes: chance.pick([0, 20_000, 200_000]),
  }));
}

function times<T>(count: number, make: (index: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}
