import assert from "node:assert/strict";
import { test } from "node:test";
import { CASES, type Form, figuresOf, LONG, SHORT } from "./bus-cases.ts";
import type { RunResult } from "./bus-run.ts";

function run(ratio: number, more: Partial<RunResult> = {}): RunResult {
  const still = { violations: 0, shortestGapMs: 2, exceptions: 0, lateMs: 0, notGood: 0, delivered: 1 };
  return { ratio, repliesPerS: 60, cpuSPer1000: 1, ...still, ...more };
}

function verdicts(libmodbus: RunResult, sallyport: RunResult, form: Form = LONG): Record<string, string> {
  const [busCase] = CASES;
  assert.ok(busCase !== undefined);
  const rounds = { libmodbus: [libmodbus], sallyport: [sallyport], modbusSerial: [run(0.9, { cpuSPer1000: 2 })] };
  return Object.fromEntries(figuresOf(busCase, rounds, form).map(({ name, verdict }) => [name, verdict]));
}

test("a missed goal fails, save where the C loop on the same machine missed it as well", () => {
  assert.equal(verdicts(run(0.98), run(0.97)).bus_19200_ratio, "pass");
  assert.equal(verdicts(run(0.98), run(0.95)).bus_19200_ratio, "FAIL");
  assert.equal(verdicts(run(0.9), run(0.89)).bus_19200_ratio, "disturbed");
  assert.equal(verdicts(run(0.99), run(0.965)).bus_19200_to_libmodbus, "FAIL");
  assert.equal(verdicts(run(0.9), run(0.965)).bus_19200_to_libmodbus, "pass");
});

test("a broken silence, a wrong reading and wasted CPU fail on any machine", () => {
  const bad = verdicts(run(0.5), run(0.97, { violations: 1, notGood: 1, delivered: 0.5, cpuSPer1000: 2 }));
  assert.equal(bad.bus_19200_violations, "FAIL");
  assert.equal(bad.bus_19200_not_good, "FAIL");
  assert.equal(bad.bus_19200_delivered, "FAIL");
  assert.equal(bad.bus_19200_cpu_to_modbus_serial, "FAIL");
});

test("CPU of a few ticks of the kernel's clock is shown, and held to nothing", () => {
  const wasteful = run(0.97, { cpuSPer1000: 2 });
  assert.equal(verdicts(run(0.98), wasteful, SHORT).bus_19200_cpu_to_modbus_serial, "");
});
