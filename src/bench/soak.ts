/**
 * Hours with real parts: `npm run soak -- --hours 2 [--seed 1] [--out FOLDER]`, or `-- --report FOLDER`.
 *
 * The bundle as a process of its own; four lines of 40 devices on terminal pairs, 2,000 tags that change at every read,
 * once a second; two pins that move; two Mosquittos with TLS, one fed by JSON, one by Sparkplug, each with a subscriber
 * that checks every value; troubles drawn from the seed. The folder gets a line of figures every few seconds, and every
 * minute the verdict so far and a plot. `--report FOLDER` judges and draws what a run has left there.
 * SIGTERM ends it early, and that is a fault of the run; a second one, or ^C twice, at once.
 */
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import { EXIT } from "../core/errors.ts";
import { countOf, lengthOf, readCommandLine } from "./command-line.ts";
import { reportOn } from "./soak/report.ts";
import { runSoak } from "./soak/run.ts";

const USAGE = "npm run soak -- [--hours 2] [--seed 1] [--out FOLDER], or npm run soak -- --report FOLDER";
const MS_PER_HOUR = 3_600_000;
/** More than anybody tries. */
const SEEDS = 1_000_000;

const { durationMs, seed, folder, report } = readCommandLine(USAGE, () => {
  const { values } = parseArgs({
    options: {
      hours: { type: "string", default: "2" },
      seed: { type: "string" },
      out: { type: "string" },
      report: { type: "string" },
    },
  });
  const seed = values.seed === undefined ? hostClock.wallMs() % SEEDS : countOf("--seed", values.seed);
  return {
    durationMs: lengthOf("--hours", values.hours) * MS_PER_HOUR,
    seed,
    folder: values.out,
    report: values.report,
  };
});
if (report !== undefined) {
  const { text, failed } = await reportOn(report);
  process.stdout.write(text);
  process.exitCode = failed ? EXIT.failed : EXIT.ok;
} else {
  const out = resolve(folder ?? join(tmpdir(), `sallyport-soak-${seed}`));
  await mkdir(out, { recursive: true });
  const failed = await runSoak({ durationMs, seed, out });
  // Where not all parts could be opened the others would go on.
  process.exit(failed ? EXIT.failed : EXIT.ok);
}
