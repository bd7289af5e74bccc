/**
 * Proves that the simulation can see: `npm run sim:mutations [-- --only WORDS] [--seeds 300]`. Each planted mistake must
 * break an invariant that holds without it, at the same seed. Exit code 1 when one stays unseen.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hostClock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import { Mutant, type Sighting } from "./mutant.ts";
import type { Mutation } from "./mutation.ts";
import { MUTATIONS } from "./mutations.ts";

const AT_A_TIME = 2;
const OUTCOME_MAX_CHARACTERS = 200;
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

interface Verdict {
  readonly mutation: Mutation;
  readonly sighting: Sighting | undefined;
  /** Why nothing was seen, where that is not the simulation's fault. */
  readonly problem: string;
  readonly tookMs: number;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: { only: { type: "string", default: "" }, seeds: { type: "string", default: "300" } },
  });
  const chosen = MUTATIONS.filter(({ name }) => name.includes(values.only));
  const folder = mkdtempSync(join(tmpdir(), "sallyport-mutations-"));
  try {
    // One copy for all: the sources may be worked on meanwhile.
    const pristine = new Mutant(ROOT, folder, []);
    const verdicts = await inTurns(chosen, (mutation) => judge(mutation, pristine, folder, Number(values.seeds)));
    const unseen = verdicts.filter(({ sighting }) => sighting === undefined);
    tell(`\n${verdicts.length - unseen.length} of ${verdicts.length} planted mistakes seen`);
    return unseen.length === 0 && verdicts.length > 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function judge(mutation: Mutation, pristine: Mutant, folder: string, seeds: number): Promise<Verdict> {
  const beganMs = hostClock.monotonicMs();
  let sighting: Sighting | undefined;
  let problem = "";
  try {
    const mutant = new Mutant(pristine.dir, folder, mutation.edits);
    sighting = await firstOwn(mutant, pristine, mutation, seeds);
    mutant.end();
  } catch (thrown) {
    problem = messageOf(thrown);
  }
  const verdict = { mutation, sighting, problem, tookMs: hostClock.monotonicMs() - beganMs };
  tell(lineOf(verdict));
  return verdict;
}

/** The first seed that shows something which it does not show without the mistake. */
async function firstOwn(
  mutant: Mutant,
  pristine: Mutant,
  { needs }: Mutation,
  seeds: number,
): Promise<Sighting | undefined> {
  for (let from = 1; from <= seeds; ) {
    const seen = await mutant.watch(from, seeds - from + 1, needs);
    if (seen === undefined) return undefined;
    if ((await pristine.watch(seen.seed, 1)) === undefined) return seen;
    from = seen.seed + 1;
  }
  return undefined;
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const left = [...items];
  const results: R[] = [];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) results.push(await work(item));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return results;
}

function lineOf({ mutation, sighting, problem, tookMs }: Verdict): string {
  const outcome =
    sighting === undefined ? `UNSEEN ${problem}` : `seed ${sighting.seed}: ${sighting.invariant}: ${sighting.what}`;
  const seen = outcome.slice(0, OUTCOME_MAX_CHARACTERS).replaceAll("\n", " ");
  return `${mutation.breaks.padEnd(8)} ${mutation.name.padEnd(75)} ${(tookMs / 1_000).toFixed(0).padStart(4)} s  ${seen}`;
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = (await main()) ? 0 : 1;
