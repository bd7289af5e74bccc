import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Clock, Timer } from "../core/clock.ts";
import { createLog } from "../core/log.ts";
import type { Tag } from "../core/tag.ts";
import type { CurrentValues, OutboxReport, Sample } from "../pipeline.ts";
import { createStatusFile, STATUS_FILE, type StatusContent } from "./status-file.ts";

const TAG: Tag = {
  id: "meter-1/total",
  device: "meter-1",
  name: "total",
  type: "uint64",
  priority: "normal",
  units: "kWh",
  deadband: 0,
  scanRateMs: 1_000,
  staleMs: 5_000,
  maxIntervalMs: 600_000,
  writable: false,
  enabled: true,
};

const OUTBOX: OutboxReport = {
  takenIn: 12,
  newest: 12,
  released: 4,
  committed: 8,
  memorySamples: 4,
  fileBytes: 4_096,
  writtenBytes: 9_000,
  dropped: 0,
  health: "ok",
  healthReason: "",
  incident: "",
};

function valuesOf(tag: Tag, sample: () => Sample): CurrentValues {
  return {
    epoch: () => 3,
    devices: () => [
      { name: "meter-1", tags: [tag] },
      { name: "spare", tags: [] },
    ],
    snapshot: (device) => (device === tag.device ? [sample()] : []),
    revision: () => 0,
    isLost: () => false,
    isUnsynced: () => false,
  };
}

/** A clock whose one timer is run by hand: files are written in real time, which no virtual clock waits for. */
class HandClock implements Clock {
  now = 1_000;
  #due: (() => void) | undefined;
  #arm: () => void = () => undefined;
  wallMs = () => this.now;
  monotonicMs = () => this.now;
  after(_delayMs: number, callback: () => void): Timer {
    this.#due = callback;
    this.#arm();
    return { cancel: () => (this.#due = undefined) };
  }
  isArmed = () => this.#due !== undefined;
  /** Resolves when a timer waits. */
  async armed(): Promise<void> {
    if (this.#due === undefined) await new Promise<void>((resolve) => (this.#arm = resolve));
  }
  /** Runs the timer, and waits for the next. */
  async tick(): Promise<void> {
    await this.armed();
    const due = this.#due;
    this.#due = undefined;
    this.now += 1_000;
    due?.();
    await this.armed();
  }
}

async function rig(t: TestContext, tag = TAG) {
  const parent = await mkdtemp(join(tmpdir(), "sallyport-status-"));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const dir = join(parent, "runtime");
  await mkdir(dir);
  const clock = new HandClock();
  const log: string[] = [];
  const current = {
    sample: { tag: TAG, value: 2n ** 60n, status: "Good", sourceTimestampMs: 900, epoch: 3 } as Sample,
  };
  const file = createStatusFile({
    dir,
    values: valuesOf(tag, () => current.sample),
    reports: { outbox: () => OUTBOX, uplinks: () => [], lines: () => [] },
    clock,
    log: createLog({ write: (line) => void log.push(line.trim()), level: "info", format: "text" }),
  });
  const read = async (): Promise<StatusContent> => JSON.parse(await readFile(join(dir, STATUS_FILE), "utf8"));
  return { dir, clock, log, current, file, read };
}

test("the picture holds every tag with value, status, words and time, and the reports of the parts", async (t) => {
  const { clock, file, read } = await rig(t);
  file.start();
  await clock.armed();
  assert.deepEqual(await read(), {
    version: 1,
    timestamp: 1_000,
    epoch: 3,
    devices: [
      {
        name: "meter-1",
        tags: [
          { name: "total", value: "1152921504606846976", units: "kWh", status: "Good", words: "ok", timestamp: 900 },
        ],
      },
      { name: "spare", tags: [] },
    ],
    lines: [],
    uplinks: [],
    outbox: OUTBOX,
  });
  await file.stop();
});

test("a number that has a name is told with it, one that has none without", async (t) => {
  const { clock, current, file, read } = await rig(t, { ...TAG, enum: { "0": "stopped", "1": "running" } });
  const shown = async (value: number) => {
    current.sample = { ...current.sample, value };
    await clock.tick();
    const { text, value: told } = (await read()).devices[0]?.tags[0] ?? {};
    return [told, text];
  };
  file.start();
  await clock.armed();
  assert.deepEqual(await shown(1), [1, "running"]);
  assert.deepEqual(await shown(7), [7, undefined]);
  await file.stop();
});

test("it is replaced once a second, and no draft is left beside it", async (t) => {
  const { dir, clock, current, file, read } = await rig(t);
  file.start();
  await clock.armed();
  current.sample = { ...current.sample, value: null, status: "BadNoCommunication" };
  await clock.tick();
  const picture = await read();
  assert.equal(picture.timestamp, 2_000);
  assert.equal(picture.devices[0]?.tags[0]?.words, "no answer");
  assert.deepEqual(await readdir(dir), [STATUS_FILE]);
  await file.stop();
});

test("P7: a folder that cannot be written is told once, and once more when it can be", async (t) => {
  const { dir, clock, log, file, read } = await rig(t);
  await rmdir(dir);
  file.start();
  await clock.armed();
  await clock.tick();
  await clock.tick();
  assert.equal(log.length, 1);
  assert.match(log[0] ?? "", /^warning: cannot write .*status\.json: ENOENT/);
  await mkdir(dir);
  await clock.tick();
  assert.match(log[1] ?? "", /^notice: .*status\.json can be written again/);
  assert.equal((await read()).timestamp, 4_000);
  await file.stop();
});

test("after stop there is no picture that could be taken for the present, and no timer", async (t) => {
  const { dir, clock, log, file } = await rig(t);
  file.start();
  await file.stop();
  // A write that stop had not waited for would come to its end within a few turns of the file system.
  for (let turn = 0; turn < 20; turn++) assert.deepEqual(await readdir(dir), []);
  assert.deepEqual(log, []);
  assert.equal(clock.isArmed(), false);
});
