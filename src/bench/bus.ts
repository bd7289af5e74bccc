/**
 * How near the gateway comes to the limit of the wire: `npm run bench:bus [-- --short] [--json]`.
 *
 * Lines behind pseudo-terminals take the time of a wire (paced-line.c). Three contestants read them as fast as they can, in
 * turns: a C loop on libmodbus that keeps t3.5, the gateway's own source, and modbus-serial with a pause of 2 ms. The ratio
 * is the ideal wire time (all characters, the devices' turnaround of 1 ms, two t3.5) to the time measured. On a busy machine
 * the C loop shows what can be had at all; `chrt -r 5 npm run bench:bus` keeps other work out, where it is allowed.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import {
  type BusCase,
  CASES,
  DEAD_UNIT_ID,
  DEATH_CASE_KEY,
  type Form,
  figuresOf,
  figuresOfDeath,
  LONG,
  type Rounds,
  SHORT,
} from "./bus-cases.ts";
import { type Contestant, type RunResult, runContestant } from "./bus-run.ts";
import { readCommandLine } from "./command-line.ts";
import { alignedTable, type Figure, hasMissed, tableOf } from "./figure.ts";
import { median } from "./noise.ts";
import { compilePrograms, type Programs } from "./paced-line.ts";
import { openScratch } from "./scratch.ts";

const USAGE = "npm run bench:bus [-- --short] [--json]";

/** Until each runs evenly: ours watches every unit for its first second. */
const WARM_UP_MS: Readonly<Record<Contestant, number>> = { libmodbus: 100, sallyport: 1_500, modbusSerial: 500 };

const WHO: Readonly<Record<Contestant, string>> = {
  libmodbus: "C, libmodbus",
  sallyport: "Sallyport",
  modbusSerial: "modbus-serial",
};
const ORDER = ["libmodbus", "sallyport", "modbusSerial"] as const;

interface Played {
  readonly title: string;
  readonly contestant: Contestant;
  readonly runs: readonly RunResult[];
}

interface Outcome {
  readonly played: readonly Played[];
  readonly figures: readonly Figure[];
}

const { values: options } = readCommandLine(USAGE, () =>
  parseArgs({ options: { short: { type: "boolean" }, json: { type: "boolean" } } }),
);
openScratch("bus");
const { played, figures } = await playAll(await compilePrograms(), options.short ? SHORT : LONG);
const report = { loadAverage: loadavg()[0], runs: played, figures };
process.stdout.write(options.json ? `${JSON.stringify(report, undefined, 2)}\n` : textOf(played, figures));
process.exitCode = hasMissed(figures) ? 1 : 0;

async function playAll(programs: Programs, form: Form): Promise<Outcome> {
  const played: Played[] = [];
  const figures: Figure[] = [];
  for (const busCase of CASES) {
    const rounds = await playRounds(programs, busCase, form);
    for (const contestant of ORDER) played.push({ title: busCase.title, contestant, runs: rounds[contestant] });
    figures.push(...figuresOf(busCase, rounds, form));
    if (busCase.key !== DEATH_CASE_KEY) continue;
    const dead = await runContestant(programs, "sallyport", {
      ...busCase.plan,
      warmUpMs: form.deathWarmUpMs,
      windowMs: form.deathWindowMs,
      deadUnitId: DEAD_UNIT_ID,
    });
    played.push({ title: "the same, one device dead", contestant: "sallyport", runs: [dead] });
    figures.push(...figuresOfDeath(busCase, rounds, dead, form));
  }
  return { played, figures };
}

/** In turns, so that what disturbs the machine for a while disturbs all. */
async function playRounds(programs: Programs, { plan }: BusCase, form: Form): Promise<Rounds> {
  const rounds: Record<Contestant, RunResult[]> = { libmodbus: [], sallyport: [], modbusSerial: [] };
  for (let round = 0; round < form.rounds; round++) {
    for (const contestant of ORDER) {
      const timing = { warmUpMs: WARM_UP_MS[contestant], windowMs: form.windowMs };
      rounds[contestant].push(await runContestant(programs, contestant, { ...plan, ...timing }));
    }
  }
  return rounds;
}

function textOf(played: readonly Played[], figures: readonly Figure[]): string {
  const load = loadavg()[0]?.toFixed(1);
  const head = ["line", "who", "ratio", "from … to", "t3.5 broken", "shortest gap ms", "CPU s per 1,000"];
  const rows = played.map(({ title, contestant, runs }) => {
    const of = (pick: (run: RunResult) => number) => runs.map(pick);
    const ratios = of((run) => run.ratio);
    return [
      title,
      WHO[contestant],
      median(ratios).toFixed(3),
      `${Math.min(...ratios).toFixed(3)} … ${Math.max(...ratios).toFixed(3)}`,
      `${of((run) => run.violations).reduce((a, b) => a + b)}`,
      Math.min(...of((run) => run.shortestGapMs)).toFixed(2),
      median(of((run) => run.cpuSPer1000)).toFixed(2),
    ];
  });
  const lateMs = median(played.flatMap(({ runs }) => runs.map((run) => run.lateMs)));
  const noise = `medians of ${played[0]?.runs.length} runs; load average ${load}; bytes came ${lateMs.toFixed(2)} ms late`;
  return `${noise}\n\n${alignedTable([head, ...rows])}\n${tableOf(figures)}`;
}
