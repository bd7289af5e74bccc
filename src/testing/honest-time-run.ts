/**
 * One life of a board after the other, from one seed: boots that know the time, learn it, guess it or never do, a host
 * whose clock steps by years, restarts, and power cuts at any statement of the store. Then all that was told is held
 * against the truth.
 */
import { seededRandom } from "../core/random.ts";
import { BoardSite, type ToldValue } from "./board-site.ts";

const MINUTE_MS = 60_000;
const YEAR_MS = 31_557_600_000;
/** From the request to the reply, and what a small step back is bridged by. */
const STAMP_OFF_MAX_MS = 1_000;
/** What a power cut may take: 1.25 commit intervals, the commit that was running, and the check that began it. */
const CUT_TAKES_MS = 1_250 + 1_000;
const BOOTS_MAX = 5;
const EVENTS_MAX = 6;
const CUT_POINTS_MAX = 40;
const LAST_WAIT_MS = 10 * MINUTE_MS;

/** @returns what was wrong; none where all held */
export async function runHonestTime(seed: number): Promise<readonly string[]> {
  const random = seededRandom(seed);
  const upTo = (max: number) => Math.floor(random.next() * max);
  const site = new BoardSite({ seed, waitAtMostMs: [0, 20_000, 60_000, 600_000][upTo(4)] ?? 0 });
  const cuts: number[] = [];
  try {
    for (let boots = 1 + upTo(BOOTS_MAX); boots > 0; boots--) {
      await oneBoot(site, cuts, upTo);
      await site.pass(upTo(2) === 0 ? upTo(MINUTE_MS) : upTo(2 * YEAR_MS));
    }
    await site.boot({ wallMs: 0 }, (board) => board.synchronise());
    await site.until("all is told", () => hasTold(site), LAST_WAIT_MS);
    await site.stopGateway();
    return [...stampProblems(site.told()), ...lossProblems(site, cuts)];
  } finally {
    site.end();
  }
}

async function oneBoot(site: BoardSite, cuts: number[], upTo: (max: number) => number): Promise<void> {
  const wallMs = [0, site.truth.wallMs(), upTo(2 * site.truth.wallMs())][upTo(3)] ?? 0;
  const notBeforeMs = upTo(4) === 0 ? site.truth.wallMs() + YEAR_MS : site.truth.wallMs() - YEAR_MS;
  await site.boot({ wallMs, notBeforeMs }, (board) => {
    if (upTo(4) === 0) board.synchronise();
  });
  for (let events = upTo(EVENTS_MAX); events > 0; events--) {
    await site.pass(upTo(30_000));
    switch (upTo(5)) {
      case 0:
        site.board.synchronise();
        break;
      case 1:
        site.board.synchronised = false;
        break;
      case 2:
        // A clock that somebody vouches for is right.
        if (site.clockState() === "unsynced" || site.clockState() === "host")
          site.board.offMs += upTo(8 * YEAR_MS) - 4 * YEAR_MS;
        break;
      case 3:
        await site.stopGateway();
        await site.startGateway();
        break;
      default:
        site.broker.drop("the broker restarts");
    }
  }
  await site.pass(upTo(10_000));
  if (upTo(2) === 0) await site.stopGateway();
  else await site.cutPowerAfter(upTo(CUT_POINTS_MAX));
  cuts.push(site.truth.wallMs());
}

function hasTold(site: BoardSite): boolean {
  const [uplink] = site.life.gateway?.uplinks() ?? [];
  return uplink?.state === "connected" && uplink.depth === 0 && site.clockState() === "ntp";
}

/** Good means right; nothing has two stamps or two contents; the order of identities is that of the truth. */
export function stampProblems(told: readonly ToldValue[]): string[] {
  const problems: string[] = [];
  const byTruth = new Map<number, ToldValue>();
  const byIdentity = new Map<string, number>();
  for (const value of told.filter(({ unsynced }) => !unsynced)) {
    const { trueMs, t, epoch, status } = value;
    const what = `${new Date(trueMs).toISOString()} as ${epoch}/${t} ${status}`;
    if (status === "Good" && Math.abs(t - trueMs) > STAMP_OFF_MAX_MS) problems.push(`${what} is ${t - trueMs} ms off`);
    const before = byTruth.get(trueMs);
    if (before !== undefined && (before.t !== t || before.epoch !== epoch || before.status !== status)) {
      problems.push(`${what} was ${before.epoch}/${before.t} ${before.status} before`);
    }
    byTruth.set(trueMs, value);
    const other = byIdentity.get(`${epoch}/${t}`);
    if (other !== undefined && other !== trueMs) problems.push(`${what} has the identity of ${other}`);
    byIdentity.set(`${epoch}/${t}`, trueMs);
  }
  const inOrder = [...byTruth.values()].sort((a, b) => a.trueMs - b.trueMs);
  inOrder.forEach((value, i) => {
    const before = inOrder[i - 1];
    if (before === undefined) return;
    const isLater = value.epoch > before.epoch || (value.epoch === before.epoch && value.t > before.t);
    if (!isLater) problems.push(`${value.epoch}/${value.t} is not later than ${before.epoch}/${before.t}`);
  });
  return problems;
}

/** What never came was taken by a power cut, and is told as lost. */
export function lossProblems(site: BoardSite, cuts: readonly number[]): string[] {
  const losses = site.losses();
  return site.missing().flatMap((trueMs) => {
    const what = `${new Date(trueMs).toISOString()} never came`;
    if (!cuts.some((cutMs) => cutMs >= trueMs && cutMs - trueMs <= CUT_TAKES_MS))
      return [`${what}, and no cut took it`];
    return losses.length === 0 ? [`${what}, and no loss was told`] : [];
  });
}
