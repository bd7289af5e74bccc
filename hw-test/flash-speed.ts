import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../src/core/clock.ts";
import { makeDirectory } from "../src/core/directory.ts";
import { messageOf } from "../src/core/errors.ts";
import { failed, passed, type Step, skipped } from "./step.ts";

const FILE = "hw-test.tmp";
const SYNCS = 100;
/** What a commit of the outbox writes at least. */
const SMALL_BYTES = 4_096;
const CHUNK_BYTES = 1_048_576;
const CHUNKS = 32;
/** The outbox's own reserve stays free. */
const FREE_MIN_BYTES = 128 * CHUNK_BYTES;
/** Beyond, a commit a second cannot be kept up. */
const SYNC_LIMIT_MS = 1_000;
/** Thirty times what an outage at 5,000 samples a second writes. */
const MIB_PER_S_MIN = 1;
const MS_PER_S = 1_000;

export const flashSpeed: Step = {
  name: "flash",
  title: "the card syncs and writes as fast as an outage needs",
  wiring: "",
  async run({ folder, machine, clock }) {
    const path = join(folder, FILE);
    try {
      makeDirectory(folder);
      const free = machine.space(folder)?.freeBytes ?? 0;
      if (free < FREE_MIN_BYTES) return skipped(`less than ${FREE_MIN_BYTES / CHUNK_BYTES} MB are free in ${folder}`);
      const syncs = syncTimes(path, clock).toSorted((a, b) => a - b);
      const [median = 0, worst = 0] = [syncs[Math.floor(syncs.length / 2)], syncs.at(-1)];
      const speed = writeSpeed(path, clock);
      const found = `${SYNCS} syncs: median ${median.toFixed(1)} ms, worst ${worst.toFixed(1)} ms; ${CHUNKS} MB written at ${speed.toFixed(1)} MB/s`;
      if (worst > SYNC_LIMIT_MS)
        return failed(`${found}; a sync must take ${SYNC_LIMIT_MS} ms at most: use another card`);
      return speed < MIB_PER_S_MIN ? failed(`${found}; ${MIB_PER_S_MIN} MB/s is the least`) : passed(found);
    } catch (error) {
      return failed(messageOf(error));
    } finally {
      rmSync(path, { force: true });
    }
  },
};

function syncTimes(path: string, clock: Clock): readonly number[] {
  const file = openSync(path, "w");
  try {
    const block = new Uint8Array(SMALL_BYTES).fill(1);
    return Array.from({ length: SYNCS }, () => {
      writeSync(file, block);
      const beganMs = clock.monotonicMs();
      fsyncSync(file);
      return clock.monotonicMs() - beganMs;
    });
  } finally {
    closeSync(file);
  }
}

/** In MB (2^20) a second, up to the card. */
function writeSpeed(path: string, clock: Clock): number {
  const file = openSync(path, "w");
  try {
    const chunk = new Uint8Array(CHUNK_BYTES).fill(1);
    const beganMs = clock.monotonicMs();
    for (let i = 0; i < CHUNKS; i++) writeSync(file, chunk);
    fsyncSync(file);
    return (CHUNKS * MS_PER_S) / (clock.monotonicMs() - beganMs);
  } finally {
    closeSync(file);
  }
}
