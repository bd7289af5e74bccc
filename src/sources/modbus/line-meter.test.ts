import assert from "node:assert/strict";
import { test } from "node:test";
import { BusyMeter, DeviceMeter } from "./line-meter.ts";

test("utilisation is that of the last whole window, and of the first one so far", () => {
  const meter = new BusyMeter(0, 0);
  assert.equal(meter.percent(0), 0);
  meter.busy(500, 1_000);
  assert.equal(meter.percent(1_000), 50);
  meter.busy(9_500, 10_000);
  assert.equal(meter.percent(12_000), 5);
  assert.equal(meter.percent(30_000), 2.5);
  assert.equal(meter.percent(60_000), 0);
});

test("the silence after a frame belongs to its transaction, and is counted once", () => {
  const meter = new BusyMeter(5, 0);
  meter.busy(100, 195);
  assert.equal(meter.percent(1_000), 10);
  meter.busy(195, 295);
  assert.equal(meter.percent(1_000), 20);
});

test("the response time follows the device, without its jitter", () => {
  const meter = new DeviceMeter();
  meter.replied(20);
  assert.equal(meter.report("d", false).responseTimeMs, 20);
  meter.replied(100);
  assert.equal(meter.report("d", false).responseTimeMs, 30);
  for (let i = 0; i < 100; i++) meter.replied(100);
  assert.equal(meter.report("d", true).responseTimeMs, 100);
});
