/** What the bus benchmark plays, and what it asks of the result. */
import type { Contestant, RunPlan, RunResult } from "./bus-run.ts";
import { atLeast, atMost, below, context, type Figure } from "./figure.ts";
import { median } from "./noise.ts";

export interface BusCase {
  /** As part of a figure's name. */
  readonly key: string;
  readonly title: string;
  readonly plan: Pick<RunPlan, "traffic" | "lines">;
  /** Of the ideal wire time. */
  readonly ratioMin: number;
}

const AT_19200 = { baudRate: 19_200, devices: 10, registers: 20, held: 20 };
const AT_115200 = { baudRate: 115_200, devices: 10, registers: 50, held: 50 };

export const CASES: readonly BusCase[] = [
  { key: "19200", title: "19200 8E1, 10 devices × 20", plan: { traffic: AT_19200, lines: 1 }, ratioMin: 0.96 },
  { key: "115200", title: "115200, 10 devices × 50", plan: { traffic: AT_115200, lines: 1 }, ratioMin: 0.96 },
  { key: "4x115200", title: "four such lines at once", plan: { traffic: AT_115200, lines: 4 }, ratioMin: 0.94 },
];

/** The case on which one device dies. */
export const DEATH_CASE_KEY = "115200";
export const DEAD_UNIT_ID = 5;

const TO_LIBMODBUS_MIN = 0.98;
const TO_HEALTHY_MIN = 0.95;
/** A reply may be on its way at the end; at the beginning no more is thrown away. */
const DELIVERED_MIN = 0.98;

/** How long it all takes. A short form has more chance in it, so it asks for less. */
export interface Form {
  readonly rounds: number;
  readonly windowMs: number;
  readonly deathWarmUpMs: number;
  readonly deathWindowMs: number;
  readonly allowance: number;
  /** The kernel counts CPU in hundredths of a second, and a short window has four of them: a figure to see, not to hold. */
  readonly isCpuCoarse: boolean;
}

export const LONG: Form = {
  rounds: 5,
  windowMs: 8_000,
  deathWarmUpMs: 6_000,
  deathWindowMs: 30_000,
  allowance: 0,
  isCpuCoarse: false,
};
export const SHORT: Form = {
  rounds: 1,
  windowMs: 2_000,
  deathWarmUpMs: 5_000,
  deathWindowMs: 10_000,
  allowance: 0.05,
  isCpuCoarse: true,
};

export type Rounds = Readonly<Record<Contestant, readonly RunResult[]>>;

/** The figures of one case; runs of one round are compared with each other, because they met the same noise. */
export function figuresOf({ key, ratioMin }: BusCase, rounds: Rounds, form: Form): readonly Figure[] {
  const { allowance, isCpuCoarse } = form;
  const ours = rounds.sallyport;
  const ratio = median(ours.map((run) => run.ratio));
  const floor = median(rounds.libmodbus.map((run) => run.ratio));
  const against = (contestant: Contestant, of: (run: RunResult) => number) =>
    median(
      ours.map((run, i) => {
        const other = rounds[contestant][i];
        return other === undefined ? Number.NaN : of(run) / of(other);
      }),
    );
  const disturbed = (figure: Figure) => unlessDisturbed(figure, floor, ratioMin - allowance);
  const toLibmodbus = against("libmodbus", (run) => run.ratio);
  const cpuName = `bus_${key}_cpu_to_modbus_serial`;
  const cpu = against("modbusSerial", (run) => run.cpuSPer1000);
  return [
    disturbed(atLeast(`bus_${key}_ratio`, ratio, "ratio", ratioMin - allowance)),
    disturbed(atLeast(`bus_${key}_to_libmodbus`, toLibmodbus, "ratio", TO_LIBMODBUS_MIN - allowance)),
    atMost(`bus_${key}_violations`, sum(ours.map((run) => run.violations)), "count", 0),
    atLeast(`bus_${key}_delivered`, median(ours.map((run) => run.delivered)), "ratio", DELIVERED_MIN - allowance),
    atMost(`bus_${key}_not_good`, sum(ours.map((run) => run.notGood)), "count", 0),
    isCpuCoarse ? context(cpuName, cpu, "ratio") : below(cpuName, cpu, "ratio", 1),
  ];
}

/** One of ten devices is dead: what is left of the line for the others, beside what all ten had. */
export function figuresOfDeath(
  { ratioMin }: BusCase,
  healthy: Rounds,
  dead: RunResult,
  { allowance }: Form,
): readonly Figure[] {
  const healthyPerS = median(healthy.sallyport.map((run) => run.repliesPerS));
  const floor = median(healthy.libmodbus.map((run) => run.ratio));
  const toHealthy = atLeast(
    "bus_one_dead_to_healthy",
    dead.repliesPerS / healthyPerS,
    "ratio",
    TO_HEALTHY_MIN - allowance,
  );
  return [
    unlessDisturbed(toHealthy, floor, ratioMin - allowance),
    atMost("bus_one_dead_violations", dead.violations, "count", 0),
  ];
}

/** Where the C loop does not keep the pace either, the machine is what is measured. */
function unlessDisturbed(figure: Figure, floor: number, floorMin: number): Figure {
  return figure.verdict === "FAIL" && floor < floorMin ? { ...figure, verdict: "disturbed" } : figure;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
