/** The long form of the main job's proof: `npm run prove:main-job -- --minutes 10`. */
import { parseArgs } from "node:util";
import { CHANGES_PER_S, proveMainJob } from "./main-job.ts";
import { timedLines } from "./timed-lines.ts";

const PHASE_MS = 15_000;
/** Four phases of a cycle, with the time they take to be all there again. */
const CYCLE_MS = 4 * PHASE_MS + 10_000;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const cycles = Math.max(1, Math.round((Number(values.minutes) * 60_000) / CYCLE_MS));
const tell = timedLines();

tell(`${CHANGES_PER_S} changes/s, ${cycles} cycles of ${PHASE_MS / 1000} s phases`);
const report = await proveMainJob({ cycles, phaseMs: PHASE_MS, tell });
tell(`served      ${report.served}`);
tell(`live        ${report.live}`);
tell(`history     ${report.history}`);
tell(`duplicates  ${report.duplicates}`);
tell(`told lost   ${report.toldLost} (within the bound of the kills)`);
tell(`faults      ${report.faults.length}`);
for (const fault of report.faults) tell(fault);
process.exitCode = report.faults.length === 0 ? 0 : 1;
