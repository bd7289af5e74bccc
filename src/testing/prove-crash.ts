/** `npm run prove:crash -- --kills 500 --seed 7`: kills at random moments, then cuts at every statement. */
import { parseArgs } from "node:util";
import { hostRandom, seededRandom } from "../core/random.ts";
import { proveCrashes } from "./crash/crash.ts";
import { proveCuts } from "./crash/cuts.ts";

const { values } = parseArgs({ options: { kills: { type: "string", default: "25" }, seed: { type: "string" } } });
const seed = Number(values.seed ?? Math.floor(hostRandom.next() * 1e6));
const tell = (line: string) => process.stdout.write(`${line}\n`);

tell(`seed ${seed}`);
const crashes = await proveCrashes(Number(values.kills), seededRandom(seed), tell);
tell(`taken in    ${crashes.taken}`);
tell(`stored      ${crashes.stored}, all there`);
tell(`told lost   ${crashes.toldLost}, the oldest ${Math.round(crashes.oldestLostMs)} ms old`);
const cuts = await proveCuts();
tell(`cuts        ${cuts.points}, at each call and statement of a short load`);
const faults = [...crashes.faults, ...cuts.faults];
tell(`faults      ${faults.length}`);
for (const fault of cuts.faults) tell(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
