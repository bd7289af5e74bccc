/**
 * Kills a process amid its work, over and over, and looks at what is left: nothing stored is lost, nothing older than
 * the bound is missing, and what is missing is told.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hostClock, sleep } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import type { Random } from "../../core/random.ts";
import type { Loss, NumberedSample, UplinkQueue } from "../../pipeline.ts";
import { openStore } from "../../store/open-store.ts";
import {
  AWAY_UPLINK,
  COMMIT_INTERVAL_MS,
  CRASH_CONFIG,
  CRASH_TAGS,
  CRASH_UPLINKS,
  LIVE_UPLINK,
  sampleOf,
} from "./crash-load.ts";

const LIFE = fileURLToPath(new URL("crash-life.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const LIFE_MAX_MS = 2_500;
const START_LIMIT_MS = 60_000;
const READ_SAMPLES = 5_000;
/** The contract: what is older than this when the last commit began is stored, or in that commit. */
const BOUND_MS = 1.25 * COMMIT_INTERVAL_MS;
/** Of one kill: where one sample is missing its neighbours are, too. */
const MAX_TOLD_FAULTS = 3;
/** Steps of a life come this often, if it is let run. */
const STEP_MS = 20;

/** What a life told. */
interface Told {
  readonly taken: { readonly number: number; readonly wallMs: number; readonly epoch: number }[];
  readonly acknowledged: { readonly from: number; readonly to: number }[];
  stored: number;
  /** When the commit that is under way began. */
  begunMs: number | undefined;
  /** The longest that the process was not let run, lately. */
  stallMs: number;
  killedMs: number;
}

export interface CrashReport {
  taken: number;
  stored: number;
  /** Not stored yet when the process was killed, and told. */
  toldLost: number;
  /** Age of the oldest of these, beyond the running commit and what the process was not let run. */
  oldestLostMs: number;
  readonly faults: string[];
}

export async function proveCrashes(kills: number, random: Random, tell: (line: string) => void): Promise<CrashReport> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-crash-"));
  const report: CrashReport = { taken: 0, stored: 0, toldLost: 0, oldestLostMs: 0, faults: [] };
  try {
    for (let kill = 1; kill <= kills; kill++) {
      const told = await live(dir, random);
      const before = report.faults.length;
      await look(dir, told, report);
      for (const fault of report.faults.slice(before, before + MAX_TOLD_FAULTS)) tell(`kill ${kill}: ${fault}`);
      if (kill % 5 === 0) tell(`${kill} kills, ${report.taken} samples taken in, ${report.toldLost} told as lost`);
    }
    return report;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function live(dir: string, random: Random): Promise<Told> {
  const seed = String(1 + Math.floor(random.next() * 1e9));
  const child = spawn(process.execPath, ["--import", "tsx", LIFE, dir, seed], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const late = hostClock.after(START_LIMIT_MS, () => child.kill("SIGKILL"));
  let text = "";
  const begun = new Promise<void>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      resolve();
    });
    child.once("exit", () => resolve());
  });
  const ended = once(child.stdout, "close");
  await begun;
  await sleep(hostClock, random.next() * LIFE_MAX_MS);
  late.cancel();
  child.kill("SIGKILL");
  const killedMs = hostClock.wallMs();
  await ended;
  return toldIn(text, killedMs);
}

function toldIn(text: string, killedMs: number): Told {
  const told: Told = { taken: [], acknowledged: [], stored: 0, begunMs: undefined, stallMs: 0, killedMs };
  let steppedMs = 0;
  for (const line of text.split("\n").slice(0, -1)) {
    const [what, ...words] = line.split(" ");
    const [a = 0, b = 0, wallMs = 0, epoch = 0] = words.map(Number);
    if (what === "taken") {
      for (let number = a; number < a + b; number++) told.taken.push({ number, wallMs, epoch });
      if (steppedMs > killedMs - 4 * COMMIT_INTERVAL_MS) {
        told.stallMs = Math.max(told.stallMs, wallMs - steppedMs - STEP_MS);
      }
      steppedMs = wallMs;
    } else if (what === "begun") told.begunMs = steppedMs;
    else if (what === "stored") {
      told.stored = Math.max(told.stored, a);
      told.begunMs = undefined;
    } else if (what === "acknowledged") told.acknowledged.push({ from: a, to: b });
  }
  told.stallMs = Math.max(told.stallMs, killedMs - steppedMs - STEP_MS);
  return told;
}

/** Opens what is left, holds it against what was told, and acknowledges all of it. */
async function look(dir: string, told: Told, report: CrashReport): Promise<void> {
  const { outbox } = await openStore({
    config: CRASH_CONFIG,
    stateDir: dir,
    uplinks: CRASH_UPLINKS,
    tags: CRASH_TAGS,
    clock: hostClock,
    log: silentLog,
    worker: "in-process",
  });
  report.taken += told.taken.length;
  report.stored += told.taken.filter(({ number }) => number <= told.stored).length;
  for (const name of [LIVE_UPLINK, AWAY_UPLINK]) {
    const queue = outbox.uplink(name, "now");
    const left = new Map((await readAll(queue)).map((sample) => [sample.number, sample]));
    const losses = queue.losses();
    for (const sample of told.taken) {
      const found = left.get(sample.number);
      const isDone =
        name === LIVE_UPLINK && told.acknowledged.some(({ from, to }) => isWithin(sample.number, from, to));
      if (found !== undefined) checkSame(found, sample, name, report);
      else if (!isDone) checkMissing(sample, name, told, losses, report);
    }
    queue.acknowledge({ from: 0, to: queue.newest() });
    for (const { id } of losses) queue.acknowledgeLoss(id);
  }
  await outbox.close();
}

function checkSame(found: NumberedSample, taken: Told["taken"][number], name: string, { faults }: CrashReport): void {
  const { tag, value, sourceTimestampMs, epoch } = sampleOf(taken.number, taken.wallMs, taken.epoch);
  const isSame =
    found.tag.id === tag.id &&
    found.value === value &&
    found.sourceTimestampMs === sourceTimestampMs &&
    found.epoch === epoch;
  if (!isSame) faults.push(`${name}: sample ${taken.number} is not what was taken in`);
}

function checkMissing(
  { number, wallMs }: Told["taken"][number],
  name: string,
  told: Told,
  losses: readonly Loss[],
  report: CrashReport,
): void {
  const { faults } = report;
  if (number <= told.stored) faults.push(`${name}: sample ${number} was stored and is gone`);
  const ageMs = (told.begunMs ?? told.killedMs) - wallMs - told.stallMs;
  if (ageMs > BOUND_MS) faults.push(`${name}: sample ${number} is gone and was ${ageMs} ms old`);
  const id = sampleOf(number, wallMs, 0).tag.id;
  const isTold = losses.some(
    ({ fromMs, toMs, tags }) => isWithin(wallMs, fromMs, toMs) && tags.some(({ tag }) => tag.id === id),
  );
  if (!isTold) faults.push(`${name}: sample ${number} is gone and nobody was told`);
  report.toldLost += name === AWAY_UPLINK ? 1 : 0;
  report.oldestLostMs = Math.max(report.oldestLostMs, ageMs);
}

async function readAll(queue: UplinkQueue): Promise<NumberedSample[]> {
  const samples: NumberedSample[] = [];
  for (let from = 0; from <= queue.newest(); ) {
    const batch = await queue.read(from, queue.newest(), READ_SAMPLES);
    samples.push(...batch.samples);
    from = batch.covers.to + 1;
  }
  return samples;
}

function isWithin(value: number, from: number, to: number): boolean {
  return value >= from && value <= to;
}
