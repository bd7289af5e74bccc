/** `npm run prove:image -- --image FILE`: an image in a virtual ARM board, from a flashed card to the broker, with cuts. */
import { parseArgs } from "node:util";
import { hostClock, sleep } from "../core/clock.ts";
import { hostRandom, seededRandom } from "../core/random.ts";
import { Life } from "./virtual-board/life.ts";

const { values } = parseArgs({
  options: { image: { type: "string" }, short: { type: "boolean", default: false }, seed: { type: "string" } },
});
const seed = Number(values.seed ?? Math.floor(hostRandom.next() * 1e6));
const random = seededRandom(seed);
const startedMs = hostClock.monotonicMs();
const tell = (line: string) => {
  const s = ((hostClock.monotonicMs() - startedMs) / 1000).toFixed(0).padStart(5);
  process.stdout.write(`${s} s  ${line}\n`);
};
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** How long the link is down before the power fails. */
const OUTAGE_MS = 10_000;
const RANDOM_MS = 5_000;

tell(`seed ${seed}`);
const life = await Life.begin({ image: values.image ?? "sallyport-virtual.img", random, tell, isHonest: true });
try {
  await life.powerOn();
  tell(`power to first sample at the broker: ${seconds(await life.sampleArrives())}`);
  await life.caughtUp();
  await life.machine.setLink(false);
  tell("link down");
  await sleep(hostClock, OUTAGE_MS + random.next() * RANDOM_MS);
  await life.cut();
  await life.powerOn();
  tell(`back after ${seconds(await life.sampleArrives())}`);
  tell(`all there after ${seconds(await life.caughtUp())} more`);
  const faults = life.faults();
  const { served, live, history, told } = life.summary();
  tell(`served ${served}, live ${live}, history ${history}, told as lost ${told}, faults ${faults.length}`);
  for (const fault of faults) tell(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await life.end();
}
