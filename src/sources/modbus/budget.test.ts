/** The budget against the source of readings itself, on a simulated line in virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceConfig, LineConfig, SerialSettings } from "../../config/config.ts";
import { deviceConfig, lineConfig } from "../../testing/modbus-config.ts";
import { deviceOfAddresses, type ModbusRig, modbusRig, registers } from "../../testing/modbus-rig.ts";
import { predictLine, shortfallOf } from "./budget.ts";
import { DEVICE_LATENCY_MS, silentIntervalMs } from "./wire-time.ts";

const SLOW: SerialSettings = { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 };

/** As right as a prediction must be. */
const TOLERANCE = 0.02;

function assertClose(actual: number, expected: number, what: string, tolerance = TOLERANCE): void {
  assert.ok(Math.abs(actual - expected) <= tolerance * expected, `${what}: ${actual}, predicted ${expected}`);
}

/** One register every so often from each of them, `count` times. */
function meters(count: number, quantity: number, scanRatesMs: readonly number[]): readonly DeviceConfig[] {
  return Array.from({ length: count }, (_, i) => {
    const scanRateMs = scanRatesMs[i % scanRatesMs.length] ?? 1_000;
    return deviceConfig(`m${i}`, i + 1, registers(`m${i}`, 0, quantity, { scanRateMs }));
  });
}

interface Site {
  readonly line: LineConfig;
  readonly rig: ModbusRig;
  readonly devices: readonly ReturnType<typeof deviceOfAddresses>[];
}

function siteOf(configs: readonly DeviceConfig[], more: Partial<LineConfig>): Site {
  const devices = configs.map(({ unitId }) => deviceOfAddresses(unitId));
  const serial = more.serial ?? SLOW;
  for (const device of devices) device.faults = { delayMs: silentIntervalMs(serial) + DEVICE_LATENCY_MS };
  const rig = modbusRig(devices, configs, { line: { ...more, serial } });
  return { line: lineConfig("/dev/simulated", configs, { ...more, serial }), rig, devices };
}

/** Mean time between two readings of the tag that were told as Good. */
async function periodMs({ rig }: Site, id: string, durationMs: number): Promise<number> {
  const before = rig.sink.of(id).length;
  await rig.clock.advance(durationMs);
  const times = rig.sink
    .of(id)
    .slice(before)
    .filter((r) => r.status === "Good")
    .map((r) => r.monotonicMs);
  return ((times.at(-1) ?? 0) - (times[0] ?? 0)) / (times.length - 1);
}

test("what fits is read as asked, and the line is as busy as predicted", async () => {
  const site = siteOf(meters(6, 10, [500, 1_000, 2_000]), {});
  const budget = predictLine(site.line);
  await site.rig.clock.advance(5_000);
  assertClose(await periodMs(site, "m0/r0", 60_000), 500, "period");
  assertClose(site.rig.source.report().utilisation, budget.utilisation, "utilisation");
  assert.deepEqual(
    budget.groups.map((g) => g.realMs),
    [500, 1_000, 2_000, 500, 1_000, 2_000],
  );
  assert.equal(budget.stretch, 1);
  await site.rig.end();
});

test("P6: on an overloaded line each group gets the period that was predicted for it", async () => {
  const site = siteOf(meters(6, 20, [100, 200, 1_000]), {});
  const budget = predictLine(site.line);
  assert.ok(budget.utilisation > 200, `${budget.utilisation} %`);
  await site.rig.clock.advance(10_000);
  await site.rig.clock.advance(120_000);
  for (const [i, { realMs }] of budget.groups.entries()) {
    const times = site.rig.sink.of(`m${i}/r0`).map((r) => r.monotonicMs);
    const late = times.filter((ms) => ms > 10_000);
    assertClose(((late.at(-1) ?? 0) - (late[0] ?? 0)) / (late.length - 1), realMs, `m${i}`);
  }
  await site.rig.end();
});

test("P6: with a device lost the others get what was predicted, and it is probed as predicted", async () => {
  const site = siteOf(meters(6, 20, [200]), {});
  const [lost] = predictLine(site.line).lost;
  assert.ok(lost !== undefined && lost.stretch > 1);
  await site.rig.clock.advance(5_000);
  const [dead] = site.devices;
  assert.ok(dead !== undefined);
  dead.faults = { silent: true };
  await site.rig.clock.advance(20_000);
  const asked = dead.requests;
  assertClose(await periodMs(site, "m3/r0", 200_000), 200 * lost.stretch, "period");
  assertClose(200_000 / (dead.requests - asked), lost.probePeriodMs, "probes, of which 20 are counted", 0.05);
  await site.rig.end();
});

test("P6: how long a device takes to be lost, and what that costs the others, is predicted with its retries", async () => {
  const site = siteOf(meters(4, 10, [500]), {});
  const [lost] = predictLine(site.line).lost;
  assert.ok(lost !== undefined);
  await site.rig.clock.advance(5_000);
  const [dead] = site.devices;
  assert.ok(dead !== undefined);
  dead.faults = { silent: true };
  const diedMs = site.rig.clock.monotonicMs();
  await site.rig.clock.advance(20_000);
  const toldMs = site.rig.sink.presences.find((p) => p.device === "m0")?.monotonicMs ?? Number.POSITIVE_INFINITY;
  // It may have been read right before it died.
  assert.ok(toldMs - diedMs <= lost.dying.lastsMs + 500 * lost.dying.stretch, `${toldMs - diedMs}`);
  assert.ok(toldMs - diedMs >= lost.dying.lastsMs - 500 * lost.dying.stretch, `${toldMs - diedMs}`);
  await site.rig.end();
});

test("what the wire cannot carry is told in words, with what would fit", () => {
  const site = lineConfig("/dev/simulated", meters(10, 60, [1_000]), { serial: SLOW });
  const told = shortfallOf(site);
  assert.match(told?.needs ?? "", /^at 9600 baud needs 1\.\d+ s for what is asked every 1 s$/);
  assert.match(
    told?.remedy ?? "",
    /^at (19200|38400) it fits; or ask for less, or 1\.\d times as seldom \(scanRate\)$/,
  );
  assert.equal(shortfallOf(lineConfig("/dev/simulated", meters(10, 60, [10_000]), { serial: SLOW })), undefined);
  const patient = lineConfig("/dev/simulated", meters(10, 60, [1_000]), { serial: SLOW, turnaroundDelayMs: 150 });
  assert.match(shortfallOf(patient)?.remedy ?? "", /^no usual baud rate carries it: ask for less/);
});

test("a group that shares the requests of a faster one costs nothing of its own", () => {
  const tags = [...registers("d", 0, 2), ...registers("d", 2, 2, { scanRateMs: 2_500 })];
  const { groups } = predictLine(lineConfig("/dev/simulated", [deviceConfig("d", 1, tags)]));
  assert.deepEqual(
    groups.map(({ scanRateMs, tags: count, requests, realMs }) => [scanRateMs, count, requests, realMs]),
    [
      [1_000, 2, 1, 1_000],
      [2_500, 2, 0, 2_000],
    ],
  );
});
