/** Power cuts of a virtual board at random moments, and the control: a card that lies must be caught. */
import { hostClock, sleep } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import { Life, type LifeOptions } from "./life.ts";

export type Moment = "first boot" | "running" | "commit" | "replay";

const LATER_MOMENTS: readonly Moment[] = ["commit", "replay", "running"];
/** Cuts of one card, before the next one is written. */
const CUTS_PER_LIFE = 6;
/** Into a first boot that takes this long, at most. */
const FIRST_BOOT_MS = 60_000;
const RUNNING_MS = 10_000;
/** So long nothing goes out, at least: some commits must be on the card. */
const OUTAGE_MS = 8_000;
const REPLAY_MS = 2_000;
/** What a lying card has lost never comes. */
const CONTROL_WAIT_MS = 60_000;

export interface CutsReport {
  readonly cuts: number;
  readonly served: number;
  readonly told: number;
  readonly faults: readonly string[];
}

export async function proveCuts(count: number, options: Omit<LifeOptions, "isHonest">): Promise<CutsReport> {
  const report = { cuts: 0, served: 0, told: 0, faults: [] as string[] };
  while (report.cuts < count) {
    const life = await Life.begin({ ...options, isHonest: true });
    try {
      report.cuts += await cutOften(life, Math.min(CUTS_PER_LIFE, count - report.cuts), options);
      const { served, told } = life.summary();
      report.served += served;
      report.told += told;
      report.faults.push(...life.faults());
    } finally {
      await life.end();
    }
  }
  return report;
}

/** One life: its first boot is cut off first. Returns how many cuts it saw. */
async function cutOften(life: Life, count: number, { random, tell }: Omit<LifeOptions, "isHonest">): Promise<number> {
  for (let cut = 0; cut < count; cut++) {
    const moment = cut === 0 ? "first boot" : pick(LATER_MOMENTS, random);
    await life.powerOn();
    await reach(life, moment, random);
    await life.cut();
    tell(`cut in: ${moment}`);
  }
  await life.powerOn();
  await life.sampleArrives();
  await life.caughtUp();
  return count;
}

async function reach(life: Life, moment: Moment, random: Random): Promise<void> {
  if (moment === "first boot") return sleep(hostClock, random.next() * FIRST_BOOT_MS);
  await life.sampleArrives();
  await life.caughtUp();
  if (moment === "running") return sleep(hostClock, random.next() * RUNNING_MS);
  await life.machine.setLink(false);
  await sleep(hostClock, OUTAGE_MS + random.next() * RUNNING_MS);
  if (moment === "commit") return;
  await life.machine.setLink(true);
  await life.historyArrives();
  await sleep(hostClock, random.next() * REPLAY_MS);
}

function pick<T>(list: readonly T[], random: Random): T {
  const found = list[Math.floor(random.next() * list.length)];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
}

/** The same outage and cut on a card that only says that it keeps what it is told to: true where the loss was seen. */
export async function seesLoss(options: Omit<LifeOptions, "isHonest">): Promise<boolean> {
  const life = await Life.begin({ ...options, isHonest: false });
  try {
    await life.powerOn();
    await life.sampleArrives();
    await life.caughtUp();
    await reachOutage(life);
    await life.cut();
    await life.powerOn();
    await life.sampleArrives();
    const isWhole = await life.caughtUp(CONTROL_WAIT_MS).then(
      () => true,
      () => false,
    );
    return !isWhole || life.faults().length > 0;
  } finally {
    await life.end();
  }
}

async function reachOutage(life: Life): Promise<void> {
  await life.machine.setLink(false);
  await sleep(hostClock, 3 * OUTAGE_MS);
}
