/** From a blank card to the first sample; a look around; an outage, a power cut in it, and all of it at the broker. */
import { hostClock, sleep } from "../../core/clock.ts";
import { lookInside } from "./inside.ts";
import { Life, type LifeOptions } from "./life.ts";

/** How long the link is down before the power fails, at least. */
const OUTAGE_MS = 10_000;
/** Of the disk, before the power fails: in the middle of a commit. */
const ORDERS = 20;

/** Returns what is wrong. */
export async function proveFirstSample(options: LifeOptions, tell: (line: string) => void): Promise<readonly string[]> {
  const { random } = options;
  const life = await Life.begin(options);
  try {
    tell("card written");
    await life.powerOn();
    tell(`from power on to the first sample at the broker: ${seconds(await life.sampleArrives())}`);
    await life.caughtUp();
    const seen = await lookInside(life, tell);
    if (seen.length > 0) return seen;
    await life.machine.setLink(false);
    await sleep(hostClock, OUTAGE_MS * (1 + random.next()));
    const { waiting, lost } = await life.cut({ orders: 1 + Math.floor(random.next() * ORDERS), withinMs: OUTAGE_MS });
    tell(`power cut in an outage: ${waiting} blocks waited in the card's cache, ${lost} of them lost`);
    await life.powerOn();
    tell(`from power on to the first sample: ${seconds(await life.sampleArrives())}`);
    const { tookMs, untilMs } = await life.caughtUp();
    tell(`all there after ${seconds(tookMs)} more`);
    const { served, live, history } = life.books.summary();
    const told = life.books.missing(0, untilMs).length;
    tell(`values served ${served}, arrived live ${live}, as history ${history}; told as lost ${told}`);
    return life.books.faults(untilMs);
  } finally {
    await life.end();
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
