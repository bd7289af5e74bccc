/** What goes wrong in a run: a random subset of everything that can, each at its own time. */
import { Chance } from "./chance.ts";
import { drawUplink } from "./draw-uplink.ts";
import type { Change, DevicePlan, DeviceTrouble, Fault, LinePlan, SitePlan, Trouble, UplinkPlan } from "./plan.ts";
import { changed } from "./site.ts";

const FAULTS_MAX = 14;
/** The first picture must have a chance. */
const FIRST_AT_MS = 1_000;
const LASTS_MIN_MS = 500;
const LASTS_MAX_MS = 180_000;
/** A gateway without power, or being restarted, for this long. */
const DOWN_MIN_MS = 10;
const DOWN_MAX_MS = 60_000;
const YEAR_MS = 31_557_600_000;
/** Points of the store between two power cuts in the worst case. */
const CUT_POINTS_MAX = 60;
const UNIT_ID_MAX = 247;
/** Registers that every line reads through. */
const GAP_MAX = 8;
/** Below maxLate, within which a reply that is late is told from the answer to another request. */
const LATE_MAX_MS = 900;
/** The same for replies that come twice. */
const TWICE_AFTER_MAX_MS = 100;

interface Drawn {
  readonly trouble: Trouble;
  /** Absent: it is over in the moment it happens. */
  readonly lasts?: "a while" | "down";
}

/** The site as it is by then. */
interface SiteThen extends SitePlan {
  readonly removed: readonly UplinkPlan[];
}

type Draw = (chance: Chance, site: SiteThen, brokers: number) => Drawn | undefined;

export function drawFaults(chance: Chance, site: SitePlan, brokers: number, calmFromMs: number): readonly Fault[] {
  const count = chance.between(0, FAULTS_MAX);
  // Some kinds only, so that each is also met alone and in small company.
  const kinds = KINDS.filter(() => chance.happens(0.5));
  const atMs = Array.from({ length: count }, () => chance.between(FIRST_AT_MS, calmFromMs)).sort((a, b) => a - b);
  const faults: Fault[] = [];
  let now: SiteThen = { ...site, removed: [] };
  for (const [id, at] of atMs.entries()) {
    const drawn = chance.pick(kinds)?.(chance, now, brokers);
    if (drawn === undefined) continue;
    const { trouble, lasts } = drawn;
    if (trouble.kind === "reload") now = reloaded(now, trouble.change);
    faults.push({ id, atMs: at, forMs: lastsMs(chance, lasts, calmFromMs - at), trouble });
  }
  return faults;
}

function reloaded(site: SiteThen, change: Change): SiteThen {
  const after = changed(site, change);
  const gone = site.uplinks.filter((uplink) => !after.uplinks.some(({ name }) => name === uplink.name));
  const removed = [...site.removed, ...gone].filter(
    ({ name }) => !after.uplinks.some((uplink) => uplink.name === name),
  );
  return { ...after, removed };
}

function lastsMs(chance: Chance, lasts: Drawn["lasts"], leftMs: number): number {
  if (lasts === undefined) return 0;
  if (lasts === "down") return chance.spread(DOWN_MIN_MS, DOWN_MAX_MS);
  return Math.min(leftMs, chance.spread(LASTS_MIN_MS, LASTS_MAX_MS));
}

const KINDS: readonly Draw[] = [
  device,
  device,
  device,
  device,
  device,
  device,
  (chance, site) => aWhile({ kind: "adapter gone", line: chance.pick(site.lines)?.name ?? "" }),
  onPin((chance, pin) => ({ kind: "pin gone", pin, unheard: chance.happens(0.5) })),
  onPin((_, pin) => ({ kind: "pin deaf", pin })),
  onPin((_, pin) => ({ kind: "pin chatters", pin })),
  (chance, _, brokers) => aWhile({ kind: "broker gone", broker: chance.between(0, brokers - 1) }),
  (chance, _, brokers) => aWhile({ kind: "broker gone", broker: chance.between(0, brokers - 1) }),
  (chance, _, brokers) => aWhile({ kind: "broker frozen", broker: chance.between(0, brokers - 1) }),
  (chance, _, brokers) =>
    aWhile({ kind: "flapping", broker: chance.between(0, brokers - 1), everyMs: chance.spread(200, 5_000) }),
  (chance, _, brokers) => ({ trouble: { kind: "broker forgets", broker: chance.between(0, brokers - 1) } }),
  (chance, _, brokers) => ({ trouble: { kind: "connections cut", broker: chance.between(0, brokers - 1) } }),
  (chance, _, brokers) =>
    aWhile({
      kind: "slow to acknowledge",
      broker: chance.between(0, brokers - 1),
      delayMs: chance.spread(50, 120_000),
    }),
  (chance, _, brokers) =>
    aWhile({ kind: "slow link", broker: chance.between(0, brokers - 1), bytesPerS: chance.spread(2_500, 50_000) }),
  (chance, site) => ({ trouble: { kind: "taken over", uplink: chance.pick(site.uplinks)?.name ?? "" } }),
  (chance) => ({ trouble: { kind: "clock step", byMs: stepMs(chance) } }),
  () => aWhile({ kind: "disk full" }),
  () => aWhile({ kind: "disk failing" }),
  (chance) => aWhile({ kind: "disk slow", delayMs: chance.spread(10, 8_000) }),
  powerCut,
  powerCut,
  damage,
  () => ({ trouble: { kind: "restart" }, lasts: "down" }),
  reload,
  reload,
];

function aWhile(trouble: Trouble): Drawn {
  return { trouble, lasts: "a while" };
}

/** Where there are inputs. */
function onPin(troubleOf: (chance: Chance, pin: number) => Trouble): Draw {
  return (chance, { inputs }) => {
    const pin = inputs.length > 0 ? chance.pick(inputs)?.pin : undefined;
    return pin === undefined ? undefined : aWhile(troubleOf(chance, pin));
  };
}

/** Flipped bytes of the outbox are left to the tests of its salvage: which rows they cost only SQLite can tell. */
function damage(chance: Chance): Drawn {
  const file = chance.pick(["outbox.db", "outbox.db", "state.db"] as const);
  const how = chance.pick(["truncated", "emptied"] as const);
  const isFlipped = file === "state.db" && chance.happens(0.5);
  return { trouble: { kind: "file damaged", file, damage: isFlipped ? "flipped" : how }, lasts: "down" };
}

function powerCut(chance: Chance): Drawn {
  return { trouble: { kind: "power cut", points: chance.between(0, CUT_POINTS_MAX) }, lasts: "down" };
}

function reload(chance: Chance, site: SiteThen, brokers: number): Drawn | undefined {
  const change = drawChange(chance, site, brokers);
  if (change === undefined) return undefined;
  const live = chance.happens(0.5);
  return { trouble: { kind: "reload", change, live }, ...(!live && { lasts: "down" }) };
}

function stepMs(chance: Chance): number {
  const size = chance.pick([
    chance.between(1, 999),
    chance.spread(1_001, 3_600_000),
    chance.spread(3_600_000, 8 * YEAR_MS),
  ]);
  return chance.happens(0.5) ? size : -size;
}

function device(chance: Chance, site: SitePlan): Drawn | undefined {
  const line = chance.pick(site.lines);
  const target = chance.pick(line?.devices ?? []);
  if (line === undefined || target === undefined) return undefined;
  const trouble = drawTrouble(chance, target, line);
  const share = chance.pick([1, 1, 0.5, 0.1]);
  return aWhile({ kind: "device", device: target.name, share, trouble });
}

function drawTrouble(chance: Chance, device: DevicePlan, { responseTimeoutMs, devices }: LinePlan): DeviceTrouble {
  const how = chance.pick([
    "silent",
    "silent",
    "slow",
    "late",
    "late",
    "late",
    "twice",
    "wrong unit",
    "cut short",
    "a bit flipped",
    "noise before",
    "echo",
    "exception",
  ] as const);
  switch (how) {
    case "slow":
      return { how, delayMs: chance.between(10, Math.floor(responseTimeoutMs * 0.9)) };
    case "late":
      return { how, delayMs: responseTimeoutMs + chance.spread(1, LATE_MAX_MS) };
    case "wrong unit":
      return { how, unitId: anotherUnit(chance, device, devices) };
    case "twice":
      // Two reads in a row with replies of one length cannot be told apart by anybody.
      return isReadAtOnce(device) ? { how, afterMs: chance.between(1, TWICE_AFTER_MAX_MS) } : { how: "silent" };
    case "exception":
      return { how, exceptionCode: chance.pick([1, 2, 3, 4, 5, 6, 8, 10, 11, 0x55] as const) };
    default:
      return { how };
  }
}

/** A neighbour's, where there is one, or anybody's. */
function anotherUnit(chance: Chance, { unitId }: DevicePlan, devices: readonly DevicePlan[]): number {
  const neighbours = devices.filter((device) => device.unitId !== unitId);
  const drawn = chance.happens(0.5) ? chance.pick(neighbours)?.unitId : undefined;
  return drawn ?? unitId + chance.between(1, UNIT_ID_MAX - unitId);
}

function isReadAtOnce({ tags }: DevicePlan): boolean {
  const [first] = tags;
  return tags.every((tag, i) => {
    const gap = tag.address - (tags[i - 1]?.address ?? tag.address);
    return tag.table === first?.table && tag.scanRateMs === first.scanRateMs && gap <= GAP_MAX;
  });
}

function drawChange(chance: Chance, site: SiteThen, brokers: number): Change | undefined {
  const uplink = chance.pick(site.uplinks);
  const line = chance.pick(site.lines);
  const device = chance.pick(line?.devices ?? []);
  const tag = chance.pick(device?.tags ?? []);
  if (line === undefined || uplink === undefined || device === undefined || tag === undefined) return undefined;
  const back = chance.pick(site.removed);
  if (back !== undefined && chance.happens(0.4)) return { what: "bring back uplink", uplink: back };
  const number = chance.between(10, 9_999);
  const fresh = `up-${number}`;
  switch (chance.between(1, 8)) {
    case 1:
      return { what: "add uplink", uplink: drawUplink(chance, new Chance(number, "format"), fresh, brokers) };
    case 2:
      return site.uplinks.length > 1 ? { what: "remove uplink", name: uplink.name } : undefined;
    case 3:
      return { what: "rename uplink", name: uplink.name, to: fresh };
    case 4:
      return { what: "move uplink", name: uplink.name, brokers: [chance.between(0, brokers - 1)] };
    case 5:
      return line.devices.length > 1 ? { what: "remove device", name: device.name } : undefined;
    case 6:
      return { what: "rename device", name: device.name, to: `d-${chance.between(10, 9_999)}` };
    case 7:
      return device.tags.length > 1 ? { what: "remove tag", device: device.name, name: tag.name } : undefined;
    default:
      return {
        what: "change priority",
        device: device.name,
        name: tag.name,
        to: chance.pick(["low", "normal", "high"] as const),
      };
  }
}
