import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import type { NumberedSample } from "../pipeline.ts";
import { PlantTraces } from "../testing/traces.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { openStore } from "./open-store.ts";
import { storedBytes } from "./stored-size.ts";

const SAMPLES = 20_000;
const READ_EVERY_MS = 20;

test("what samples are said to take is what they take in the file of an outage", async () => {
  const traces = new PlantTraces(seededRandom(3));
  const clock = new VirtualClock();
  const samples: NumberedSample[] = [];
  for (let turn = 0; samples.length < SAMPLES; turn++) {
    for (const sample of traces.read(turn, clock.wallMs() + turn * READ_EVERY_MS, 1))
      samples.push({ ...sample, number: samples.length + 1 });
  }
  const stateDir = mkdtempSync(join(tmpdir(), "sallyport-size-"));
  try {
    const config = {
      path: "outbox.db",
      maxSizeBytes: 2e9,
      maxAgeMs: 8_640_000_000,
      reserveBytes: 0,
      commitIntervalMs: 1_000,
      outageCommitIntervalMs: 1_000,
    };
    const uplinks = [{ name: "cloud", startAt: "now" as const }];
    const options = { config, stateDir, uplinks, tags: traces.tags(), clock, log: silentLog };
    const { outbox } = await openStore({ ...options, worker: "in-process" });
    outbox.append(samples);
    await outbox.close();
    const real = statSync(join(stateDir, "outbox.db")).size;
    const said = storedBytes(samples);
    assert.ok(said <= real, `${said} of ${real}`);
    // The rest is the names of tags, and facts.
    assert.ok(said > real * 0.5, `${said} of ${real}`);
    assert.ok(
      Math.abs(storedBytes(samples.slice(0, SAMPLES / 2)) / said - 0.5) < 0.05,
      "twice as many take twice as much",
    );
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
});

test("nothing takes nothing", () => {
  assert.equal(storedBytes([]), 0);
});
