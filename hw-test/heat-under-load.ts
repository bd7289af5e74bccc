import { pbkdf2 } from "node:crypto";
import type { Machine } from "../src/commands/doctor/machine.ts";
import { failed, passed, type Step, skipped, stopped } from "./step.ts";

const TEMPERATURE = "/sys/class/thermal/thermal_zone0/temp";
const LOAD_MS = 20_000;
/** Of Node's pool: as many cores are kept busy. */
const THREADS = 4;
/** Some hundred milliseconds of work on a board. */
const ROUNDS = 200_000;
/** From there on boards slow down. */
const HOT_C = 80;
const PER_DEGREE = 1_000;

export const heatUnderLoad: Step = {
  name: "heat",
  title: "the board stays cool while all its cores work",
  wiring: "",
  async run({ machine, clock, signal }) {
    const before = temperatureC(machine);
    if (before === undefined) return skipped("this machine tells no temperature");
    const untilMs = clock.monotonicMs() + LOAD_MS;
    let hottest = before;
    const work = async () => {
      while (clock.monotonicMs() < untilMs && !signal.aborted) {
        await new Promise<void>((resolve) => pbkdf2("x", "y", ROUNDS, 32, "sha256", () => resolve()));
        hottest = Math.max(hottest, temperatureC(machine) ?? hottest);
      }
    };
    await Promise.all(Array.from({ length: THREADS }, work));
    if (signal.aborted) return stopped();
    const found = `${before.toFixed(0)} °C before, ${hottest.toFixed(0)} °C after ${LOAD_MS / 1_000} s of work on ${THREADS} threads`;
    return hottest < HOT_C ? passed(found) : failed(`${found}; ${HOT_C} °C is too hot: give it air`);
  },
};

function temperatureC(machine: Machine): number | undefined {
  const text = machine.text(TEMPERATURE);
  return /^-?\d+$/.test(text) ? Number(text) / PER_DEGREE : undefined;
}
