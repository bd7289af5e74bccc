/** P5 where every reply comes twice: what it costs is time, never truth. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Reading } from "../../pipeline.ts";
import { deviceConfig } from "../../testing/modbus-config.ts";
import { type Faults, ModbusDevice } from "../../testing/modbus-device.ts";
import { type ModbusRig, modbusRig, registers, versionedDevice, versionOf } from "../../testing/modbus-rig.ts";

/** The default of maxLate, less what a reply may wait for a free wire. */
const LATEST_MS = 950;

interface Plant {
  readonly rig: ModbusRig;
  /** Good values so far, and how many of them the register did not hold between request and reply. */
  readonly seen: { good: number; wrong: number };
}

interface Site {
  /** Reads of one length, far apart. */
  readonly count: number;
  readonly quantity: number;
  readonly scanRateMs: number;
  readonly mayPad?: boolean;
}

function equalReads({ count, quantity, scanRateMs, mayPad = true }: Site, faults: () => Faults): Plant {
  const firsts = Array.from({ length: count }, (_, i) => 60 * i);
  const addresses = firsts.flatMap((first) => Array.from({ length: quantity + 4 }, (_, i) => first + i));
  const device = versionedDevice(1, addresses, faults);
  if (!mayPad) device.maxQuantity = quantity;
  const seen = { good: 0, wrong: 0 };
  const witness = ({ tag, value, status }: Reading) => {
    if (status !== "Good") return;
    seen.good += 1;
    if (value !== versionOf(Number(tag.name.slice(1)), device.requests)) seen.wrong += 1;
  };
  const tags = firsts.flatMap((first) => registers("d", first, quantity, { scanRateMs }));
  return { rig: modbusRig([device], [deviceConfig("d", 1, tags, { maxGap: 0 })], { witness }), seen };
}

test("P5: whatever the delay after which replies of equal length come again, no wrong Good", async () => {
  const site = fc.record({
    count: fc.integer({ min: 1, max: 12 }),
    quantity: fc.integer({ min: 1, max: 3 }),
    scanRateMs: fc.constantFrom(50, 100, 250, 1_000),
    mayPad: fc.boolean(),
  });
  const delaysMs = fc.array(fc.integer({ min: 1, max: LATEST_MS }), { minLength: 1, maxLength: 40 });
  let good = 0;
  await fc.assert(
    fc.asyncProperty(site, delaysMs, async (drawn, delays) => {
      let at = 0;
      const { rig, seen } = equalReads(drawn, () => ({ duplicateAfterMs: delays[at++ % delays.length] ?? 1 }));
      await rig.clock.advance(20_000);
      await rig.end();
      assert.equal(seen.wrong, 0);
      good += seen.good;
    }),
    { numRuns: 60 },
  );
  assert.ok(good > 3_000, `${good} good readings`);
});

test("P5: doubled replies cost time: five reads of one length a maxLate remain, one where no padding is allowed", async () => {
  const inFullSwing = async (faults: Faults, mayPad = true) => {
    const { rig, seen } = equalReads({ count: 2, quantity: 1, scanRateMs: 50, mayPad }, () => faults);
    await rig.clock.advance(2_000);
    const before = seen.good;
    await rig.clock.advance(20_000);
    await rig.end();
    return { perSecond: (seen.good - before) / 20, wrong: seen.wrong };
  };
  const healthy = await inFullSwing({});
  assert.ok(healthy.perSecond >= 38, `${healthy.perSecond} a second`);
  const doubled = await inFullSwing({ duplicateAfterMs: 20 });
  assert.ok(doubled.perSecond >= 4.5 && doubled.perSecond <= 5, `${doubled.perSecond} a second`);
  assert.equal(doubled.wrong, 0);
  const refusing = await inFullSwing({ duplicateAfterMs: 20 }, false);
  assert.ok(refusing.perSecond >= 0.9 && refusing.perSecond <= 1, `${refusing.perSecond} a second`);
  assert.equal(refusing.wrong, 0);
});

test("P5: a unit found out is trusted again after ten minutes without a second reply", async () => {
  let faults: Faults = { duplicateAfterMs: 20 };
  const { rig, seen } = equalReads({ count: 2, quantity: 1, scanRateMs: 50 }, () => faults);
  const goodWithin = async (durationMs: number) => {
    const before = seen.good;
    await rig.clock.advance(durationMs);
    return seen.good - before;
  };
  await rig.clock.advance(5_000);
  faults = {};
  await rig.clock.advance(580_000);
  assert.ok((await goodWithin(10_000)) <= 50, "still with care");
  await rig.clock.advance(10_000);
  assert.ok((await goodWithin(10_000)) > 380, "at full pace");
  assert.equal(seen.wrong, 0);
  await rig.end();
});

test("P3: the watch costs a healthy unit one maxLate at the start, and only where lengths run out", async () => {
  const unread = async (count: number, mayPad: boolean, withinMs: number) => {
    const { rig } = equalReads({ count, quantity: 1, scanRateMs: 1_000, mayPad }, () => ({}));
    await rig.clock.advance(withinMs);
    await rig.end();
    return count - new Set(rig.sink.readings.filter((r) => r.status === "Good").map((r) => r.id)).size;
  };
  assert.equal(await unread(5, true, 200), 0);
  assert.equal(await unread(20, true, 1_500), 0);
  assert.equal(await unread(20, false, 1_500), 0);
});

/** A device that refuses longer reads, with two blocks of one length that stay as they are, read on and on. */
function steadySite(faults: () => Faults) {
  const device = new ModbusDevice(1);
  device.maxQuantity = 1;
  device.set("holdingRegister", 0, 100);
  device.set("holdingRegister", 60, 200);
  device.faults = faults;
  const told = new Map<string, unknown[]>();
  const witness = ({ tag, value, status }: Reading) => {
    if (status === "Good") told.set(tag.name, [...(told.get(tag.name) ?? []), value]);
  };
  const tags = [0, 60].flatMap((address) => registers("d", address, 1, { scanRateMs: 20 }));
  return { device, told, rig: modbusRig([device], [deviceConfig("d", 1, tags, { maxGap: 0 })], { witness }) };
}

test("P5: the first reply that ever comes twice brings no value of another register, nor one that had changed before", async () => {
  for (let delayMs = 5; delayMs < 120; delayMs += 5) {
    let copied = false;
    const { device, told, rig } = steadySite(() => {
      const now = !copied && rig.clock.monotonicMs() > 5_000;
      copied ||= now;
      return now ? { duplicateAfterMs: delayMs } : {};
    });
    await rig.clock.advance(8_000);
    await rig.end();
    assert.ok(copied && device.requests > 100);
    assert.deepEqual([...new Set(told.get("r0"))], [100], `after ${delayMs} ms`);
    assert.deepEqual([...new Set(told.get("r60"))], [200], `after ${delayMs} ms`);
  }
});

test("a device that refuses longer reads and changes now and then keeps its pace once it is trusted", async () => {
  const device = new ModbusDevice(1);
  device.maxQuantity = 1;
  const told: unknown[] = [];
  const { clock, source, end } = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 1, { scanRateMs: 50 }))], {
    witness: ({ status, value }) => status === "Good" && told.push(value),
  });
  await clock.advance(62_000);
  const [before, missed] = [told.length, source.report().missedPeriods];
  for (let value = 1; value <= 40; value++) {
    device.set("holdingRegister", 0, value);
    await clock.advance(500);
  }
  await end();
  assert.ok(told.length - before >= 398, `${told.length - before} values in 20 s`);
  assert.equal(source.report().missedPeriods, missed);
});

test("P5: what remains: values that have stayed, a copy of one in the moment in which they change, no pause, no other length", async () => {
  const wrongAfter: number[] = [];
  for (let delayMs = 5; delayMs < 120; delayMs += 5) {
    let copied = false;
    const { device, rig } = steadySite(() => {
      const now = !copied && rig.clock.monotonicMs() > 5_000;
      copied ||= now;
      return now ? { duplicateAfterMs: delayMs } : {};
    });
    let changedAtMs = Number.POSITIVE_INFINITY;
    rig.line.onWritten = () => {
      if (!copied || Number.isFinite(changedAtMs)) return;
      changedAtMs = rig.clock.monotonicMs();
      device.set("holdingRegister", 0, 101);
      device.set("holdingRegister", 60, 201);
    };
    await rig.clock.advance(8_000);
    await rig.end();
    const wrong = rig.sink.readings.filter(({ id, value, status, monotonicMs }) => {
      return status === "Good" && monotonicMs > changedAtMs && value !== (id === "d/r0" ? 101 : 201);
    });
    const last = wrong.at(-1);
    if (last !== undefined) wrongAfter.push(last.monotonicMs - changedAtMs);
  }
  // When none is left, the README's limits have a sentence too many.
  assert.ok(wrongAfter.length > 0 && wrongAfter.length <= 3, `${wrongAfter.length} of 23 delays`);
  assert.ok(Math.max(...wrongAfter) < 50, `wrong for ${Math.max(...wrongAfter)} ms`);
});
