/**
 * What an outage costs the card: bytes in the file, and bytes written as SQLite hands them to file and log, checkpoints
 * included, at several rates of realistic samples. Real files and virtual time, so a noisy machine changes nothing.
 * Beside it, as root, what of that reaches a block device with ext4, its journal included: in real time, because the
 * file system writes by its own timers, too.
 *
 *     npm run bench:outbox [-- --short] [--file-only] [--json]
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process, { argv, stdout } from "node:process";
import { parseArgs } from "node:util";
import { type Clock, hostClock, sleep } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import { silentLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import { openStore } from "../store/open-store.ts";
import { type LoopCard, openLoopCard } from "../testing/loop-card.ts";
import { PlantTraces } from "../testing/traces.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { readCommandLine } from "./command-line.ts";
import { atMost, context, type Figure, hasMissed, reportText, told } from "./figure.ts";
import { openScratch } from "./scratch.ts";

const USAGE = "npm run bench:outbox [-- --short] [--file-only] [--json]";
const SEED = 1;
const COMMIT_INTERVAL_MS = 1_000;
/** What `outageCommitInterval` makes of a long outage. */
const STRETCHED_INTERVAL_MS = 10_000;

interface Form {
  readonly seconds: number;
  /** The first outage after a start: the file is laid out, the log grows to its size. */
  readonly settleSeconds: number;
  readonly rates: readonly number[];
  /** Real ones. */
  readonly deviceSeconds: number;
}

const LONG: Form = { seconds: 600, settleSeconds: 60, rates: [50, 200, 1_000, 5_000], deviceSeconds: 60 };
const SHORT: Form = { seconds: 120, settleSeconds: 60, rates: [1_000], deviceSeconds: 10 };
const DEVICE_SETTLE_SECONDS = 10;
const CARD_BYTES = 256 * 1_048_576;

const DENSITY_LIMIT = 2.5;
/** Density is promised from this rate on: below it the fixed cost of a commit is shared by few. */
const DENSITY_FROM = 1_000;
const COMMIT_LIMIT_BYTES = 9_000;
const SAMPLE_LIMIT_BYTES = 6;
const DAY_S = 86_400;
/** Of the plant's replies, as a rule: how often it is read for a rate. */
const REPLY_SAMPLES = 17;
/** So much of the rate that a figure is named for was made. */
const RATE_MIN = 0.99;

interface Cost {
  readonly samples: number;
  readonly fileBytes: number;
  readonly writtenBytes: number;
}

const { values: options } = readCommandLine(USAGE, () =>
  parseArgs({
    args: argv.slice(2),
    options: { short: { type: "boolean" }, "file-only": { type: "boolean" }, json: { type: "boolean" } },
  }),
);
openScratch("outbox-density");
const { seconds, settleSeconds, rates, deviceSeconds } = options.short ? SHORT : LONG;

/** Where and in what time an outage happens. */
interface Setting {
  readonly folder: string;
  readonly clock: Clock;
  readonly seconds: number;
  readonly settleSeconds: number;
  pass(ms: number): Promise<void>;
  writtenBytes(reported: number): Promise<number>;
}

function inVirtualTime(): Setting {
  const clock = new VirtualClock();
  return {
    folder: tmpdir(),
    clock,
    seconds,
    settleSeconds,
    pass: (ms) => clock.advance(ms),
    writtenBytes: async (reported) => reported,
  };
}

function onDevice({ path, written }: LoopCard): Setting {
  const began = hostClock.monotonicMs();
  return {
    folder: path,
    clock: { ...hostClock, monotonicMs: () => hostClock.monotonicMs() - began },
    seconds: deviceSeconds,
    settleSeconds: DEVICE_SETTLE_SECONDS,
    pass: (ms) => sleep(hostClock, ms),
    writtenBytes: async () => (await written()).bytes,
  };
}

async function outage(samplesPerS: number, outageCommitIntervalMs: number, setting: Setting): Promise<Cost> {
  const { folder, clock, seconds, settleSeconds, pass, writtenBytes } = setting;
  const stateDir = mkdtempSync(join(folder, "sallyport-density-"));
  const traces = new PlantTraces(seededRandom(SEED));
  const { outbox } = await openStore({
    config: {
      path: "outbox.db",
      maxSizeBytes: 2e9,
      maxAgeMs: 90 * DAY_S * 1_000,
      reserveBytes: 0,
      commitIntervalMs: COMMIT_INTERVAL_MS,
      outageCommitIntervalMs,
    },
    stateDir,
    uplinks: [{ name: "cloud", startAt: "now" }],
    tags: traces.tags(),
    clock,
    log: silentLog,
    worker: "in-process",
  });
  try {
    let taken = 0;
    let turn = 0;
    let settled = { taken: 0, writtenBytes: 0 };
    for (let second = 1; second <= settleSeconds + seconds; second++) {
      const target = second * samplesPerS;
      const readsPerS = Math.ceil(samplesPerS / REPLY_SAMPLES);
      for (let read = 0; taken < target && read < 10 * readsPerS; read++) {
        const samples = traces.read(turn++, clock.wallMs(), 1);
        outbox.append(samples);
        taken += samples.length;
        await pass(Math.max(0, Math.min(1_000 / readsPerS, second * 1_000 - clock.monotonicMs())));
      }
      await pass(Math.max(0, second * 1_000 - clock.monotonicMs()));
      if (second === settleSeconds) settled = { taken, writtenBytes: await writtenBytes(outbox.report().writtenBytes) };
    }
    const { writtenBytes: reported, committed } = outbox.report();
    const written = await writtenBytes(reported);
    await outbox.close();
    const samples = taken - settled.taken;
    if (samples < RATE_MIN * seconds * samplesPerS) throw new Error(`${samples} samples in ${seconds} s are too few`);
    return {
      samples,
      fileBytes: (statSync(join(stateDir, "outbox.db")).size * samples) / committed,
      writtenBytes: written - settled.writtenBytes,
    };
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

async function measure(rate: number, outageCommitIntervalMs: number): Promise<readonly Figure[]> {
  const { samples, fileBytes, writtenBytes } = await outage(rate, outageCommitIntervalMs, inVirtualTime());
  const commits = (seconds * 1_000) / outageCommitIntervalMs;
  const density = fileBytes / samples;
  const perCommitMax = COMMIT_LIMIT_BYTES + (samples / commits) * SAMPLE_LIMIT_BYTES;
  const name = `${rate}_per_s_each_${outageCommitIntervalMs / 1_000}s`;
  return [
    rate >= DENSITY_FROM
      ? atMost(`outbox_density_${name}`, density, "B/sample", DENSITY_LIMIT)
      : told(`outbox_density_${name}`, density, "B/sample"),
    atMost(`outbox_written_${name}`, writtenBytes / commits, "B/commit", perCommitMax),
    told(`outbox_day_${name}`, ((writtenBytes / seconds) * DAY_S) / 1e6, "MB/day"),
    ...(await figuresOfDevice(rate, outageCommitIntervalMs, name)),
  ];
}

async function figuresOfDevice(rate: number, outageCommitIntervalMs: number, name: string): Promise<readonly Figure[]> {
  if (!hasDevice) return [];
  const card = await openLoopCard(CARD_BYTES);
  try {
    const { writtenBytes } = await outage(rate, outageCommitIntervalMs, onDevice(card));
    const perS = writtenBytes / deviceSeconds;
    // Seconds hold too few commits to be held against anything.
    const kind = options.short ? context : told;
    return [
      kind(`outbox_device_${name}`, (perS * outageCommitIntervalMs) / 1_000, "B/commit"),
      kind(`outbox_device_day_${name}`, (perS * DAY_S) / 1e6, "MB/day"),
    ];
  } finally {
    await card.remove();
  }
}

async function mayHaveDevice(): Promise<boolean> {
  try {
    await (await openLoopCard(CARD_BYTES)).remove();
    return true;
  } catch (error) {
    process.stderr.write(`SKIPPED: a block device needs root, losetup and mkfs.ext4: ${messageOf(error)}\n`);
    return false;
  }
}

const hasDevice = options["file-only"] !== true && (await mayHaveDevice());
const figures: Figure[] = [];
for (const rate of rates) {
  for (const intervalMs of [COMMIT_INTERVAL_MS, STRETCHED_INTERVAL_MS]) {
    figures.push(...(await measure(rate, intervalMs)));
  }
}
stdout.write(reportText({ loadAverage: loadavg()[0] ?? Number.NaN, figures }, options.json));
process.exitCode = hasMissed(figures) ? 1 : 0;
