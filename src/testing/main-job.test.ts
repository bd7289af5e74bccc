import assert from "node:assert/strict";
import { test } from "node:test";
import { proveMainJob } from "./main-job.ts";

/** Longer than an unacknowledged publish may take, so that the gateway itself must find out about a frozen link. */
const PHASE_MS = 7_000;

test("P1 P3 P4: at 2,000 changes/s nothing is lost by a stopped broker, a frozen link and a kill", async (t) => {
  const report = await proveMainJob({ cycles: 1, phaseMs: PHASE_MS, tell: (line) => t.diagnostic(line) });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(report.faults, []);
  assert.ok(report.live > 0, "live values arrived");
  assert.ok(report.history > 0, "history arrived");
  assert.ok(report.toldLost > 0, "a kill in an outage costs something, and it is told");
});
