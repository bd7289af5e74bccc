/** P4, the other half: what was told as lost and never came must have been lost by something that happened. */
import { PRIORITIES } from "../../core/tag.ts";
import type { Card, PowerCut } from "./card.ts";
import type { DeliveryBook, Told } from "./delivery-book.ts";
import type { SitePlan } from "./plan.ts";
import { hasSmallOutbox } from "./site.ts";
import type { Story } from "./story.ts";
import type { TakenIn } from "./taken-in.ts";

/** What happened in a run that may cost samples. */
export interface Causes {
  readonly outbox: SitePlan["outbox"];
  readonly cuts: readonly PowerCut[];
  /** When a file was damaged, the last time. */
  readonly damagedMs: number;
  /** The card had trouble at some time. */
  readonly cardTroubled: boolean;
  /** The uplink tells no history. */
  readonly isHistoryOff: boolean;
}

/** A power cut takes what is younger than so many commit intervals: it is looked for every quarter of one. */
const COMMIT_INTERVALS = 1.25;
/** Checks come no more often than this. */
const CHECK_MIN_MS = 60;
/** Where nothing waits for the card only this is written. */
const STATE_RECORD_MS = 60_000;
/** A read before a jump, on its way while that is written, holds the safe time back to its own stamp: a slow scan ago. */
const READ_BEFORE_MS = 60_000;
/** A gap that is told begins so much earlier: the clock may have been stepped back by that. */
const STEP_WITHIN_EPOCH_MS = 1_000;
/** Above this nothing is given up in a run as long as ours. */
const PLENTY_MS = 3_600_000;

export function checkLosses(uplink: string, book: DeliveryBook, causes: Causes, story: Story): void {
  for (const [taken, records] of book.losses()) {
    const doubts = records.map((told) => ({ told, doubt: doubtOf(taken, told, causes) }));
    const [first] = doubts;
    if (first === undefined || doubts.some(({ doubt }) => doubt === "")) continue;
    const { told, doubt } = first;
    const what = `${uplink}: ${taken.id} ${taken.epoch}/${taken.t} is told as lost (${told.reason})`;
    story.breach(told.reason === "unclean stop" ? BOUND : "P4 a loss has its cause", `${what}, but ${doubt}`);
    return;
  }
}

const BOUND = "P4 a power cut takes no more than the bound";

/** What happened when, in UTC. */
export interface Downs {
  readonly cutsMs: readonly number[];
  readonly startsMs: readonly number[];
  /** See waitsInMemoryMs. */
  readonly waitsMs: number;
}

/** A gap reaches from the last that was stored before a cut to the start after it: else it tells of what was delivered. */
export function checkGaps(uplink: string, book: DeliveryBook, downs: Downs, story: Story): void {
  for (const { id, from, to, reason } of book.told()) {
    if (reason !== "unclean stop") continue;
    const startMs = downs.startsMs.find((ms) => Math.abs(to - ms) <= STEP_WITHIN_EPOCH_MS);
    const sinceMs = startMs === undefined ? Number.NaN : earliestGap(startMs, downs);
    if (from >= sinceMs) continue;
    const why = startMs === undefined ? "no life began at its end" : `all of before ${sinceMs} was stored`;
    story.breach("P4 a gap is no wider than its cause", `${uplink}: ${id} is told lost from ${from} to ${to}: ${why}`);
    return;
  }
}

/** What is stored of a life that is shorter may tell nothing new. */
function earliestGap(startMs: number, { cutsMs, startsMs, waitsMs }: Downs): number {
  const marginMs = STATE_RECORD_MS + READ_BEFORE_MS + waitsMs + STEP_WITHIN_EPOCH_MS;
  const cutMs = cutsMs.findLast((ms) => ms <= startMs) ?? startMs;
  const beganMs = startsMs.findLast((ms) => ms < cutMs);
  const isShort = beganMs !== undefined && cutMs - beganMs < marginMs && cutsMs.some((ms) => ms <= beganMs);
  return isShort ? earliestGap(beganMs, { cutsMs, startsMs, waitsMs }) : cutMs - marginMs;
}

/** On a card that is well. */
export function waitsInMemoryMs({ commitIntervalMs, outageCommitIntervalMs }: SitePlan["outbox"]): number {
  return COMMIT_INTERVALS * Math.max(commitIntervalMs, outageCommitIntervalMs) + CHECK_MIN_MS;
}

function doubtOf(taken: TakenIn, told: Told, causes: Causes): string {
  const { outbox, cuts, damagedMs, cardTroubled, isHistoryOff } = causes;
  switch (told.reason) {
    case "unclean stop": {
      const cut = cuts.find(({ atMs }) => atMs >= taken.atMs);
      // A stop that cannot write is no clean one either.
      if (cut === undefined) return cardTroubled ? "" : "no power cut followed";
      const boundMs = waitsInMemoryMs(outbox);
      const ageMs = cut.atMs - taken.atMs;
      return cut.onGoodCard && ageMs > boundMs
        ? `it was taken in ${ageMs} ms before the cut, the bound is ${boundMs} ms`
        : "";
    }
    case "outbox full":
      return hasSmallOutbox({ outbox }) || cardTroubled ? "" : "there was room";
    case "too old":
      return outbox.maxAgeMs < PLENTY_MS ? "" : "nothing was old";
    case "damaged file":
      return damagedMs >= taken.atMs ? "" : "no file was damaged after it";
    case "history off":
      return isHistoryOff ? "" : "history is on";
    default:
      return "nothing of the kind happened";
  }
}

/** Where samples wait. */
interface Room {
  readonly card: Card;
  /** What a sample waits for in memory, at most, on a card that is well. */
  readonly waitsMs: number;
  /** The life of then had no file: what an earlier one had stored waited apart. */
  readonly wasBlindAt: (atMs: number) => boolean;
}

/** Blocks and pieces of memory go as a whole: only what is so far apart is in different ones. */
const APART_PLACES = 3_000;

/**
 * At a limit the lowest priority goes first: while a sample was given up, none of a lower one that is older was kept.
 * Not where the card had trouble: memory and file are then two places with a limit each, and memory gives up what it
 * holds, while the file keeps what is cheaper. To free room in memory for it nothing can be deleted there.
 */
export function checkPriorities(
  uplink: string,
  book: DeliveryBook,
  { card, waitsMs, wasBlindAt }: Room,
  story: Story,
): void {
  const given = book.losses().flatMap(([taken, records]) => {
    if (!card.wasWellFor(taken.atMs, waitsMs) || wasBlindAt(taken.atMs)) return [];
    const told = records.find(({ reason }) => reason === "outbox full");
    return told === undefined ? [] : [[taken, told] as const];
  });
  for (const rank of [1, 2]) {
    const [dear] = given.filter(([{ priority }]) => PRIORITIES.indexOf(priority) === rank).slice(-1);
    if (dear === undefined) continue;
    const [lost, told] = dear;
    for (const [kept, atMs] of book.arrivals()) {
      const isCheaper = PRIORITIES.indexOf(kept.priority) < rank;
      if (!isCheaper || kept.place > lost.place - APART_PLACES || atMs <= told.atMs) continue;
      const words = `${lost.id} ${lost.t} (${lost.priority}) was given up, ${kept.id} ${kept.t} (${kept.priority}) was kept`;
      story.breach("P4 the lowest priority goes first", `${uplink}: ${words}`);
      return;
    }
  }
}
