/** `npm run fuzz`: gives parsers hostile input until one breaks a promise, and tells how much it was. */
import { appendFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { hostClock } from "../../core/clock.ts";
import type { FuzzTarget } from "./fuzz-target.ts";
import { type Fuzzed, FuzzFinding, fuzz } from "./fuzzing.ts";
import { allTargets } from "./targets.ts";

const { values } = parseArgs({
  options: {
    parser: { type: "string", multiple: true, default: [] },
    runs: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    /** A line for each parser is added to this file. */
    log: { type: "string" },
  },
});
const SHOW_EVERY_MS = 10_000;

const targets = allTargets();
const unknown = values.parser.filter((name) => !targets.some((target) => target.name === name));
if (unknown.length > 0)
  throw new Error(`no parser ${unknown.join(", ")}; there are ${targets.map(({ name }) => name).join(", ")}`);
let found = 0;
for (const target of targets) if (values.parser.length === 0 || values.parser.includes(target.name)) run(target);
for (const target of targets) target.close?.();
process.exitCode = found === 0 ? 0 : 1;

function run(target: FuzzTarget): void {
  const beganMs = hostClock.monotonicMs();
  let shownMs = beganMs;
  const rate = ({ runs }: Fuzzed) => Math.round(runs / ((hostClock.monotonicMs() - beganMs) / 1_000));
  const onProgress = (fuzzed: Fuzzed) => {
    if (hostClock.monotonicMs() - shownMs < SHOW_EVERY_MS) return;
    shownMs = hostClock.monotonicMs();
    tell(`${target.name}: ${fuzzed.runs} inputs, ${fuzzed.kinds} kinds of outcome, ${rate(fuzzed)}/s`);
  };
  try {
    const fuzzed = fuzz(target, { runs: Number(values.runs), seed: Number(values.seed), onProgress });
    const line = `${target.name}: held for ${fuzzed.runs} inputs, ${fuzzed.kinds} kinds of outcome, ${rate(fuzzed)}/s, seed ${values.seed}`;
    tell(line);
    if (values.log !== undefined) appendFileSync(values.log, `${new Date(hostClock.wallMs()).toISOString()} ${line}\n`);
  } catch (thrown) {
    if (!(thrown instanceof FuzzFinding)) throw thrown;
    found += 1;
    tell(`FOUND ${thrown.message}`);
  }
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
