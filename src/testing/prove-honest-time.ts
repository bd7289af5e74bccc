/**
 * Holds a board that does not know the time to the truth, over many seeds: `npm run prove:honest-time -- --seeds 200`.
 * Ends with 1 at the first seed that fails, and names it.
 */
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import { runHonestTime } from "./honest-time-run.ts";

const SHOWN_PROBLEMS = 10;

const { values: options } = parseArgs({
  options: { seeds: { type: "string", default: "100" }, from: { type: "string", default: "1" } },
});
const from = Number(options.from);
const seeds = Number(options.seeds);
const beganMs = hostClock.monotonicMs();
const tell = (line: string) => void process.stdout.write(`${line}\n`);

for (let seed = from; seed < from + seeds; seed++) {
  const problems = await runHonestTime(seed);
  if (problems.length === 0) continue;
  tell(`seed ${seed} fails, ${problems.length} times:`);
  for (const problem of problems.slice(0, SHOWN_PROBLEMS)) tell(`  ${problem}`);
  process.exitCode = 1;
  break;
}
if (process.exitCode !== 1) tell(`${seeds} seeds held in ${Math.round((hostClock.monotonicMs() - beganMs) / 1_000)} s`);
