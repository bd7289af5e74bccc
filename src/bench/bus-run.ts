/** One run of the bus benchmark: a contestant on its paced lines for a while, and what wire and kernel counted of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { hostClock, sleep } from "../core/clock.ts";
import { cpuSecondsOf } from "../testing/process-figures.ts";
import { endChild, openPacedLine, type PacedLine, type Programs, type Traffic, type WireCount } from "./paced-line.ts";

export type Contestant = "libmodbus" | "sallyport" | "modbusSerial";

export interface RunPlan {
  readonly traffic: Traffic;
  readonly lines: number;
  /** From the first requests on every line until the contestant runs evenly. */
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** Does not answer from the beginning on. */
  readonly deadUnitId?: number;
}

export interface RunResult {
  /** Ideal wire time to measured time, all lines together. */
  readonly ratio: number;
  readonly repliesPerS: number;
  readonly violations: number;
  readonly shortestGapMs: number;
  readonly cpuSPer1000: number;
  readonly exceptions: number;
  /** The pacing's own delay. */
  readonly lateMs: number;
  /** Readings that were not Good, where the contestant tells. */
  readonly notGood: number;
  /** Good readings told to registers wanted and brought by the wire, where the contestant tells. */
  readonly delivered: number;
}

const START_LIMIT_MS = 20_000;
const START_LOOK_MS = 100;

export async function runContestant(programs: Programs, contestant: Contestant, plan: RunPlan): Promise<RunResult> {
  const lines: PacedLine[] = [];
  const children: ChildProcess[] = [];
  try {
    for (let i = 0; i < plan.lines; i++) lines.push(await openPacedLine(programs.pacedLine, plan.traffic));
    if (plan.deadUnitId !== undefined) for (const line of lines) line.silence(plan.deadUnitId);
    const commands = commandsOf(programs, contestant, plan.traffic, lines);
    for (const [program, ...args] of commands) {
      // setpriv: it ends with this process, however this one ends; else it would ask a dead line for ever.
      const command = ["--pdeathsig", "KILL", program, ...args];
      children.push(spawn("setpriv", command, { stdio: ["ignore", "pipe", "inherit"] }));
    }
    const told = children.map((child) => (child.stdout === null ? "" : text(child.stdout)));
    for (const line of lines) await running(line);
    await sleep(hostClock, plan.warmUpMs);
    const cpuBeforeS = await cpuSecondsOfAll(children);
    for (const line of lines) line.begin();
    await sleep(hostClock, plan.windowMs);
    const counts = await Promise.all(lines.map((line) => line.end()));
    const cpuS = (await cpuSecondsOfAll(children)) - cpuBeforeS;
    await Promise.all(children.map(endChild));
    const atLast = await Promise.all(lines.map((line) => line.end()));
    const brought = atLast.reduce((total, { repliesEver }) => total + repliesEver, 0) * plan.traffic.registers;
    return resultOf(counts, cpuS, readingsIn(await Promise.all(told)), brought);
  } finally {
    await Promise.all(children.map(endChild));
    await Promise.all(lines.map((line) => line.close()));
  }
}

async function running(line: PacedLine): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_LIMIT_MS; waitedMs += START_LOOK_MS) {
    line.begin();
    await sleep(hostClock, START_LOOK_MS);
    const { replies } = await line.end();
    if (replies > 0) return;
  }
  throw new Error(`no request on ${line.path}: the contestant does not run`);
}

type Command = readonly [program: string, ...args: readonly string[]];

/** A process a line; ours serves all lines from one, as on a gateway. */
function commandsOf(
  programs: Programs,
  contestant: Contestant,
  { baudRate, devices, registers }: Traffic,
  lines: readonly PacedLine[],
): readonly Command[] {
  const paths = lines.map(({ path }) => path);
  const numbers = [baudRate, devices, registers].map(String);
  const script = (name: string) =>
    [process.execPath, "--import", "tsx", fileURLToPath(new URL(name, import.meta.url))] as const;
  switch (contestant) {
    case "libmodbus":
      return paths.map((path) => [programs.libmodbusLoop, path, ...numbers]);
    case "modbusSerial":
      return paths.map((path) => [...script("modbus-serial-loop.ts"), path, ...numbers]);
    case "sallyport":
      return [[...script("sallyport-loop.ts"), ...numbers, ...paths]];
  }
}

interface Readings {
  readonly good: number;
  readonly other: number;
}

function resultOf(counts: readonly WireCount[], cpuS: number, readings: Readings, brought: number): RunResult {
  const sum = (of: (count: WireCount) => number) => counts.reduce((total, count) => total + of(count), 0);
  const replies = sum((c) => c.replies);
  const elapsedMs = sum((c) => c.elapsedMs);
  return {
    ratio: sum((c) => c.idealMs) / elapsedMs,
    repliesPerS: sum((c) => (c.replies * 1_000) / c.elapsedMs),
    violations: sum((c) => c.violations),
    shortestGapMs: Math.min(...counts.map((c) => c.shortestGapMs)),
    cpuSPer1000: (cpuS * 1_000) / replies,
    exceptions: sum((c) => c.exceptions),
    lateMs: sum((c) => c.lateMs) / counts.length,
    notGood: readings.other,
    delivered: readings.good / brought,
  };
}

function readingsIn(told: readonly string[]): Readings {
  const counts = told.filter((line) => line !== "").map((line) => JSON.parse(line) as Readings);
  const sum = (of: (readings: Readings) => number) => counts.reduce((total, readings) => total + of(readings), 0);
  return { good: sum((readings) => readings.good), other: sum((readings) => readings.other) };
}

async function cpuSecondsOfAll(children: readonly ChildProcess[]): Promise<number> {
  const seconds = await Promise.all(children.map(({ pid = 0 }) => cpuSecondsOf(pid)));
  return seconds.reduce((sum, each) => sum + each, 0);
}
