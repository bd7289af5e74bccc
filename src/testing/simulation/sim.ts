/**
 * The proving ground: the whole gateway in virtual time, from one seed each.
 *
 *     npm run sim -- --seeds 1000 [--from 1]     many seeds, on all cores; those that fail are made small and shown
 *     SIM_SEED=17 npm run sim                    one seed, told as a story; 17/0,3 with its faults 0 and 3 only
 */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hostClock } from "../../core/clock.ts";
import { drawPlan } from "./draw.ts";
import { INVARIANTS } from "./invariant.ts";
import { nameOf, planNamed, shrink } from "./shrink.ts";
import type { SeedResult } from "./sim-worker.ts";
import { type Outcome, simulate } from "./simulate.ts";
import { describePlan } from "./words.ts";

const SEEDS_DEFAULT = "200";
const PROGRESS_EVERY_MS = 5_000;
/** Making a seed small takes many runs. */
const SHOWN_FAILURES_MAX = 3;
const SHOWN_LINES = 60;
/** The breach of a run that goes on and on. */
const NO_END = "no end";
/** No run takes as long, on a machine that is busy with other things too: whatever does would never end. */
const SEED_LIMIT_MS = 15 * 60_000;
/** SQLite's files and statements are never collected: a worker that ran so many seeds is replaced by a new one. */
const SEEDS_A_WORKER = 100;
const WORKER = fileURLToPath(new URL("./sim-worker.ts", import.meta.url));

const { values: options } = parseArgs({
  options: {
    seeds: { type: "string", default: SEEDS_DEFAULT },
    from: { type: "string", default: "1" },
    /** Ends at the first seed that fails, and does not make it small. */
    "first-only": { type: "boolean", default: false },
  },
});

const tell = (line: string) => void process.stdout.write(`${line}\n`);

const name = process.env.SIM_SEED;
process.exitCode = name === undefined ? await runMany() : await replay(name);

async function replay(seed: string): Promise<number> {
  const plan = planNamed(seed, drawPlan);
  for (const line of describePlan(plan)) tell(line);
  const outcome = await simulate(plan);
  for (const line of outcome.story) tell(line);
  tell(`${Math.round(outcome.virtualMs / 1_000)} s of virtual time, story ${outcome.hash}`);
  return verdict(seed, outcome);
}

function verdict(seed: string, { breaches, takenIn, arrived }: Outcome): number {
  for (const { invariant, what } of breaches) {
    tell(`✗ ${invariant}: ${what}`);
    tell(`  checked by ${INVARIANTS[invariant].join(", ")}`);
  }
  tell(
    breaches.length === 0
      ? `seed ${seed}: ${takenIn} samples taken in, ${arrived} arrived; all held`
      : `seed ${seed} fails`,
  );
  return breaches.length === 0 ? 0 : 1;
}

async function runMany(): Promise<number> {
  const from = Number(options.from);
  const seeds = Number(options.seeds);
  const beganMs = hostClock.monotonicMs();
  const results = await onAllCores(from, seeds, beganMs);
  const failed = results.filter(({ invariant }) => invariant !== undefined).sort((a, b) => a.seed - b.seed);
  // One without an end cannot be told.
  const shown = failed.filter(({ invariant }) => invariant !== NO_END);
  tell(progress(results, beganMs));
  for (const { seed, invariant } of failed) tell(`✗ SIM_SEED=${seed}: ${invariant}`);
  if (!options["first-only"]) for (const { seed } of shown.slice(0, SHOWN_FAILURES_MAX)) await show(seed);
  tell(failed.length === 0 ? `all ${results.length} seeds held` : `${failed.length} of ${results.length} seeds failed`);
  return failed.length === 0 ? 0 : 1;
}

async function show(seed: number): Promise<void> {
  const whole = drawPlan(seed);
  const { plan, outcome } = await shrink(whole, await simulate(whole));
  tell("");
  tell(`── SIM_SEED=${nameOf(plan, whole)} npm run sim`);
  for (const line of describePlan(plan)) tell(line);
  for (const line of outcome.story.slice(-SHOWN_LINES)) tell(line);
}

/** Hands out one seed after the other to as many workers as there are cores. */
async function onAllCores(from: number, count: number, beganMs: number): Promise<SeedResult[]> {
  const results: SeedResult[] = [];
  let next = from;
  let toldMs = beganMs;
  const take = () => (next < from + count && !(options["first-only"] && hasFailed(results)) ? next++ : undefined);
  const done = (result: SeedResult) => {
    results.push(result);
    if (result.invariant !== undefined) tell(`✗ SIM_SEED=${result.seed}: ${result.invariant}`);
    if (hostClock.monotonicMs() - toldMs < PROGRESS_EVERY_MS) return;
    toldMs = hostClock.monotonicMs();
    tell(progress(results, beganMs));
  };
  const work = async () => {
    for (let seed = take(); seed !== undefined; seed = take()) {
      const worker = fork(WORKER);
      try {
        for (let runs = 1; seed !== undefined; runs++) {
          const result: SeedResult = await resultOf(worker, seed);
          done(result);
          if (result.invariant === NO_END || runs === SEEDS_A_WORKER) break;
          seed = take();
        }
      } finally {
        worker.kill("SIGKILL");
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), count) }, work));
  return results;
}

/** What the worker makes of the seed; a run that goes on and on is a breach, too. */
async function resultOf(worker: ChildProcess, seed: number): Promise<SeedResult> {
  return await new Promise<SeedResult>((resolve, reject) => {
    const settle = (end: () => void) => {
      limit.cancel();
      worker.removeAllListeners("message").removeAllListeners("exit");
      end();
    };
    const endless = { seed, virtualMs: 0, hash: "", takenIn: 0, invariant: NO_END };
    const limit = hostClock.after(SEED_LIMIT_MS, () => settle(() => resolve(endless)));
    worker.once("message", (result: SeedResult) => settle(() => resolve(result)));
    worker.once("exit", (code) => settle(() => reject(new Error(`seed ${seed} ended its worker with ${code}`))));
    worker.send(seed);
  });
}

function hasFailed(results: readonly SeedResult[]): boolean {
  return results.some(({ invariant }) => invariant !== undefined);
}

function progress(results: readonly SeedResult[], beganMs: number): string {
  const tookS = Math.max(0.001, (hostClock.monotonicMs() - beganMs) / 1_000);
  const virtualS = results.reduce((sum, { virtualMs }) => sum + virtualMs, 0) / 1_000;
  const samples = results.reduce((sum, { takenIn }) => sum + takenIn, 0);
  const hours = (virtualS / 3_600).toFixed(1);
  const rate = `${(results.length / tookS).toFixed(2)} seeds/s, ${Math.round(virtualS / tookS)} × real time`;
  return `${results.length} seeds in ${Math.round(tookS)} s: ${hours} h of virtual time, ${samples} samples; ${rate}`;
}
