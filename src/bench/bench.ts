/**
 * All benchmarks, one after the other, beside what they gave before:
 * `npm run bench [-- --only bus,replay] [--short] [--runs 3] [--write-baseline] [--json]`.
 *
 * Each figure stands beside its limit (the physical one, or a bare program in the same run) and beside baseline.json.
 * What is worse by more than the noise, which both measurements know of themselves, is measured again; if it stays, this
 * fails. Ratios and bytes are compared everywhere, times and memory on the machine and the Node of the baseline.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { arch, cpus, loadavg } from "node:os";
import process from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import {
  type Baseline,
  type BenchBaseline,
  baselineOf,
  type Comparison,
  compare,
  comparisonText,
  isWorse,
} from "./baseline.ts";
import { countOf, readCommandLine, someOf } from "./command-line.ts";
import { type Figure, parseReport } from "./figure.ts";
import { measuredOver } from "./noise.ts";

interface Bench {
  readonly name: string;
  readonly program: string;
  /** Of the short form; undefined: it has none that takes less than a minute. */
  readonly short?: readonly string[];
}

const BENCHES: readonly Bench[] = [
  { name: "bus", program: "bus.ts", short: ["--short"] },
  { name: "outbox", program: "outbox-density.ts", short: ["--short", "--file-only"] },
  { name: "replay", program: "replay.ts", short: ["--short"] },
  { name: "formats", program: "formats.ts", short: ["--rounds", "3"] },
  { name: "device-dead", program: "device-dead.ts", short: ["--deaths", "5"] },
  { name: "slow-card", program: "slow-card.ts" },
  { name: "not-current", program: "not-current.ts" },
  { name: "footprint", program: "footprint.ts" },
];
const RUNS = 3;
/** Of the short form: its noise is that of the baseline. */
const RUNS_SHORT = 1;
const BASELINE_RUNS = 5;
/** Before something is called worse. */
const RUNS_AGAIN = 2;
const BASELINE_FILE = fileURLToPath(new URL("baseline.json", import.meta.url));
const USAGE = `npm run bench [-- --only A,B] [--short] [--runs N] [--json]
                     [--write-baseline]`;
const HELP = `usage: ${USAGE}

Runs the benchmarks one after the other. Each figure stands beside its limit
and beside what src/bench/baseline.json holds of it. What got worse by more
than the noise of both is measured again; if it stays, this fails. So does a
figure that is no longer measured.

  --only A,B        only these of
    ${BENCHES.map(({ name }) => name).join(" ")}
  --short           seconds instead of minutes each; other figures, less sure.
                    Without ${BENCHES.flatMap(({ name, short }) => (short === undefined ? name : [])).join(", ")}
  --runs N          of each; default: ${RUNS}, of --short ${RUNS_SHORT}
  --write-baseline  keep what is measured, on a machine with no other work
  --json            for machines

exit code   0 nothing is worse, 1 something is; what misses its limit is told,
            and makes each benchmark fail that is run by itself
`;
const NOTHING: Baseline = { long: {}, short: {} };

const { options, isWriting, runs, chosen } = readCommandLine(USAGE, () => {
  const { values: options } = parseArgs({
    options: {
      only: { type: "string" },
      short: { type: "boolean", default: false },
      runs: { type: "string" },
      "write-baseline": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const isWriting = options["write-baseline"];
  const runs = options.runs === undefined ? usualRuns(isWriting, options.short) : countOf("--runs", options.runs);
  return { options, isWriting, runs, chosen: chooseBenches(options) };
});
if (options.help) {
  process.stdout.write(HELP);
  process.exit();
}
const form = options.short ? "short" : "long";
const here = { machine: machineName(), node: process.version };
const baseline = await readBaseline();
const compared: Record<string, readonly Comparison[]> = {};
const written: Record<string, BenchBaseline> = {};
for (const bench of chosen) {
  const loadAverage = loadavg()[0] ?? Number.NaN;
  const comparisons = await measure(bench);
  compared[bench.name] = comparisons;
  const measured = comparisons.map(({ figure }) => figure);
  written[bench.name] = baselineOf(measured, { date: today(), ...here, loadAverage });
  if (!options.json) process.stdout.write(`${bench.name}\n${comparisonText(comparisons)}\n`);
}
if (isWriting) {
  const next: Baseline = { ...baseline, [form]: { ...baseline[form], ...written } };
  await writeFile(BASELINE_FILE, `${JSON.stringify(next, undefined, 2)}\n`);
}
const isFailed = !isWriting && Object.values(compared).some(isWorse);
if (options.json) process.stdout.write(`${JSON.stringify({ ...here, form, compared }, undefined, 2)}\n`);
else process.stdout.write(`${summary()}\n`);
process.exitCode = isFailed ? 1 : 0;

/** Once more where something seems worse: a busy moment passes, a change stays. */
async function measure(bench: Bench): Promise<readonly Comparison[]> {
  const before = baseline[form][bench.name];
  const all: (readonly Figure[])[] = [];
  for (let run = 1; run <= runs; run++) all.push(await runOnce(bench, `run ${run} of ${runs}`));
  const comparisons = compare(measuredOver(all), before, here);
  if (isWriting || !isWorse(comparisons)) return comparisons;
  for (let again = 1; again <= RUNS_AGAIN; again++) all.push(await runOnce(bench, "worse, so again"));
  return compare(measuredOver(all), before, here);
}

async function runOnce({ name, program, short = [] }: Bench, why: string): Promise<readonly Figure[]> {
  const beganMs = hostClock.monotonicMs();
  const file = fileURLToPath(new URL(program, import.meta.url));
  const args = ["--import", "tsx", file, ...(options.short ? short : []), "--json"];
  // setpriv: it ends with this process, however this one ends, and cleans up behind itself.
  const ends = ["--pdeathsig", "TERM", process.execPath];
  const child = spawn("setpriv", [...ends, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const [printed] = await Promise.all([text(child.stdout), once(child, "exit")]);
  const tookS = ((hostClock.monotonicMs() - beganMs) / 1_000).toFixed(0);
  process.stderr.write(`${name}: ${why}, ${tookS} s, load average ${loadavg()[0]?.toFixed(1)}\n`);
  try {
    // By its own hand; a missed limit is in it.
    return parseReport(printed).figures;
  } catch {
    throw new Error(`${name} told no figures: ${printed.slice(0, 500)}`);
  }
}

function usualRuns(isWriting: boolean, isShort: boolean): number {
  if (isWriting) return BASELINE_RUNS;
  return isShort ? RUNS_SHORT : RUNS;
}

function chooseBenches({ only, short }: { readonly only?: string; readonly short: boolean }): readonly Bench[] {
  const names = someOf(
    "--only",
    only,
    BENCHES.map(({ name }) => name),
  );
  const asked = BENCHES.filter(({ name }) => names.includes(name));
  const chosen = short ? asked.filter((bench) => bench.short !== undefined) : asked;
  if (chosen.length === 0) throw new Error(`--short: ${only} has no short form; leave it out`);
  return chosen;
}

async function readBaseline(): Promise<Baseline> {
  const found = await readFile(BASELINE_FILE, "utf8").catch(() => undefined);
  // Written here and kept in the repository.
  return found === undefined ? NOTHING : { ...NOTHING, ...(JSON.parse(found) as Baseline) };
}

function summary(): string {
  const all = Object.values(compared).flat();
  const count = (outcome: Comparison["outcome"]) => all.filter((one) => one.outcome === outcome).length;
  const missed = all.filter(({ figure }) => figure.verdict === "FAIL").map(({ figure }) => figure.name);
  const named = (outcome: Comparison["outcome"]) => {
    const names = all.filter((one) => one.outcome === outcome).map(({ figure }) => figure.name);
    return names.join(", ") || "none";
  };
  const counts = `${count("same")} the same, ${count("better")} better, ${count("new")} new`;
  const others = `${count("other machine")} not compared: another machine or Node`;
  return [
    `${all.length} figures: ${counts}, ${others}`,
    `limits missed: ${missed.join(", ") || "none"}`,
    ...(isWriting
      ? [`written into ${BASELINE_FILE}`]
      : [`worse than before: ${named("WORSE")}`, `no longer measured: ${named("GONE")}`]),
  ].join("\n");
}

function machineName(): string {
  const [first] = cpus();
  return `${first?.model ?? "unknown"} × ${cpus().length}, ${arch()}`;
}

function today(): string {
  return new Date(hostClock.wallMs()).toISOString().slice(0, 10);
}
