/**
 * Hours with real parts: `npm run soak -- --hours 2 [--seed 1] [--out FOLDER]`.
 *
 * The bundle as a process of its own; four lines of 40 devices on terminal pairs, 2,000 tags that change at every read,
 * once a second; two pins that move; two Mosquittos with TLS, one fed by JSON, one by Sparkplug, each with a subscriber
 * that checks every value; troubles drawn from the seed. The folder gets a line of figures every few seconds, and every
 * minute the verdict so far and a plot. `--report FOLDER` judges and draws what a run has left there.
 */
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import { reportOn } from "./soak/report.ts";
import { runSoak } from "./soak/run.ts";

const MS_PER_HOUR = 3_600_000;

const { values: options } = parseArgs({
  options: {
    hours: { type: "string", default: "2" },
    seed: { type: "string" },
    out: { type: "string" },
    report: { type: "string" },
  },
});
if (options.report !== undefined) {
  const { text, failed } = await reportOn(options.report);
  process.stdout.write(text);
  process.exitCode = failed ? 1 : 0;
} else {
  const seed = Number(options.seed ?? hostClock.wallMs() % 1_000_000);
  const out = resolve(options.out ?? join(tmpdir(), `sallyport-soak-${seed}`));
  await mkdir(out, { recursive: true });
  const failed = await runSoak({ durationMs: Number(options.hours) * MS_PER_HOUR, seed, out });
  process.exitCode = failed ? 1 : 0;
}
