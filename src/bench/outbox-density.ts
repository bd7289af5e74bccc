/**
 * What an outage costs the card: bytes in the file, and bytes written as SQLite hands them to file and log, checkpoints
 * included, at several rates of realistic samples. Real files and virtual time, so a noisy machine changes nothing.
 *
 *     node --import tsx src/bench/outbox-density.ts
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { stdout } from "node:process";
import { silentLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import { openStore } from "../store/open-store.ts";
import { PlantTraces } from "../testing/traces.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";

const SEED = 1;
const COMMIT_INTERVAL_MS = 1_000;
const COMMITS = 600;
/** The first outage after a start: the file is laid out, the log grows to its size. */
const SETTLE_COMMITS = 60;
const RATES = [50, 200, 1_000, 5_000] as const;

const DENSITY_LIMIT = 2.5;
/** Density is promised from this rate on: below it the fixed cost of a commit is shared by few. */
const DENSITY_FROM = 1_000;
const COMMIT_LIMIT_BYTES = 9_000;
const SAMPLE_LIMIT_BYTES = 6;
const DAY_S = 86_400;

interface Cost {
  readonly samples: number;
  readonly fileBytes: number;
  readonly writtenBytes: number;
}

async function outage(samplesPerS: number): Promise<Cost> {
  const stateDir = mkdtempSync(join(tmpdir(), "sallyport-density-"));
  const clock = new VirtualClock();
  const traces = new PlantTraces(seededRandom(SEED));
  const { outbox } = await openStore({
    config: {
      path: "outbox.db",
      maxSizeBytes: 2e9,
      maxAgeMs: 90 * DAY_S * 1_000,
      reserveBytes: 0,
      commitIntervalMs: COMMIT_INTERVAL_MS,
      outageCommitIntervalMs: COMMIT_INTERVAL_MS,
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
    for (let second = 1; second <= SETTLE_COMMITS + COMMITS; second++) {
      const target = second * samplesPerS;
      const readsPerS = Math.ceil(samplesPerS / 17);
      for (let read = 0; taken < target && read < 10 * readsPerS; read++) {
        const samples = traces.read(turn++, clock.wallMs(), 1);
        outbox.append(samples);
        taken += samples.length;
        await clock.advance(Math.min(1_000 / readsPerS, second * 1_000 - clock.monotonicMs()));
      }
      await clock.advance(Math.max(0, second * 1_000 - clock.monotonicMs()));
      if (second === SETTLE_COMMITS) settled = { taken, writtenBytes: outbox.report().writtenBytes };
    }
    const { writtenBytes, committed } = outbox.report();
    await outbox.close();
    return {
      samples: taken - settled.taken,
      fileBytes: (statSync(join(stateDir, "outbox.db")).size * (taken - settled.taken)) / Math.max(1, committed),
      writtenBytes: writtenBytes - settled.writtenBytes,
    };
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

let passed = true;
for (const rate of RATES) {
  const { samples, fileBytes, writtenBytes } = await outage(rate);
  const density = fileBytes / samples;
  const limit = COMMITS * COMMIT_LIMIT_BYTES + samples * SAMPLE_LIMIT_BYTES;
  const perDay = (writtenBytes / COMMITS) * DAY_S;
  const densityLimit = rate >= DENSITY_FROM ? ` limit ${DENSITY_LIMIT}` : "";
  stdout.write(`outbox_density_${rate} ${density.toFixed(2)} B/sample${densityLimit}\n`);
  stdout.write(
    `outbox_written_${rate} ${(writtenBytes / COMMITS).toFixed(0)} B/commit limit ${(limit / COMMITS).toFixed(0)}; ${(perDay / 1e6).toFixed(0)} MB/day\n`,
  );
  passed &&= writtenBytes <= limit && (rate < DENSITY_FROM || density <= DENSITY_LIMIT);
}
process.exitCode = passed ? 0 : 1;
