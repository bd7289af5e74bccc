import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DeviceConfig, RegisterRange, RegisterTable, RegisterTag, RegisterType } from "../../config/config.ts";
import { deviceConfig, lineConfig, registerTag } from "../../testing/modbus-config.ts";
import { defaultMaxGap, type PollRead, planReads, splitRead } from "./poll-plan.ts";
import { isBitTable, rangeOf } from "./register-map.ts";

const tables = fc.constantFrom<RegisterTable[]>("coil", "discreteInput", "inputRegister", "holdingRegister");

const places = fc.array(
  fc.record({
    table: tables,
    address: fc.integer({ min: 0, max: 300 }),
    type: fc.constantFrom<RegisterType[]>("uint16", "float32", "int64", "string"),
    scanRateMs: fc.constantFrom(500, 1_000),
  }),
  { minLength: 1, maxLength: 40 },
);

const devices: fc.Arbitrary<DeviceConfig> = fc
  .record({
    places,
    maxQuantity: fc.integer({ min: 1, max: 125 }),
    maxGap: fc.integer({ min: 0, max: 20 }),
    holes: fc.array(fc.record({ table: tables, from: fc.nat(300), length: fc.nat(5) }), { maxLength: 3 }),
  })
  .map(({ places: drawn, maxQuantity, maxGap, holes }) => {
    const tags = drawn.map(({ table, address, type, scanRateMs }, i) => {
      const choice = isBitTable(table) ? { table, address } : { table, address, type, lengthBytes: 8 };
      return registerTag("d", `t${i}`, choice, { scanRateMs });
    });
    const unreadable = holes.map(({ table, from, length }) => ({ table, from, to: from + length }));
    const device = deviceConfig("d", 1, [], { maxQuantity, maxGap, unreadable });
    return { ...device, tags: tags.filter((tag) => isPossible(device, rangeOf(tag))) };
  });

/** What the rules of gateway.yaml let through. */
function isPossible(device: DeviceConfig, range: RegisterRange): boolean {
  const fits = isBitTable(range.table) || range.to - range.from < device.maxQuantity;
  return fits && !device.unreadable.some((hole) => touch(hole, range));
}

function rangeOfRead(read: PollRead): RegisterRange {
  return { table: read.table, from: read.address, to: read.address + read.quantity - 1 };
}

function touch(a: RegisterRange, b: RegisterRange): boolean {
  return a.table === b.table && a.from <= b.to && b.from <= a.to;
}

function assertWithinLimits(device: DeviceConfig, read: PollRead): void {
  const range = rangeOfRead(read);
  const limit = isBitTable(read.table) ? Math.min(2_000, device.maxQuantity * 16) : device.maxQuantity;
  assert.ok(read.quantity <= limit);
  assert.ok(!device.unreadable.some((hole) => touch(hole, range)));
  for (const tag of read.tags) {
    const own = rangeOf(tag);
    assert.ok(own.table === read.table && own.from >= range.from && own.to <= range.to);
    assert.ok(tag.scanRateMs >= read.periodMs);
  }
  assert.ok(read.tags.some((tag) => tag.scanRateMs === read.periodMs));
}

test("every tag is read whole, in one read, within the device's limits and around what is unreadable", () => {
  fc.assert(
    fc.property(devices, (device) => {
      const reads = planReads(device, 8);
      for (const read of reads) assertWithinLimits(device, read);
      const planned = reads.flatMap((read) => read.tags).map((tag) => tag.id);
      assert.deepEqual(planned.toSorted(), device.tags.map((tag) => tag.id).toSorted());
    }),
  );
});

test("no gap wider than maxGap is read through", () => {
  fc.assert(
    fc.property(devices, (device) => {
      for (const read of planReads(device, 8)) {
        const ranges = read.tags.map(rangeOf);
        const widest = (device.maxGap ?? 8) * (isBitTable(read.table) ? 16 : 1);
        let reach = read.address - 1;
        for (const { from, to } of ranges.toSorted((a, b) => a.from - b.from)) {
          assert.ok(from - reach - 1 <= widest);
          reach = Math.max(reach, to);
        }
      }
    }),
  );
});

test("a read splits until each part reads one place, and loses no tag on the way", () => {
  fc.assert(
    fc.property(devices, (device) => {
      for (const read of planReads(device, 8)) {
        const parts: PollRead[] = [];
        const open = [read];
        for (let next = open.pop(); next !== undefined; next = open.pop()) {
          const halves = splitRead(next);
          if (halves === undefined) parts.push(next);
          else open.push(...halves);
        }
        for (const part of parts) assertWithinLimits(device, part);
        const ids = parts.flatMap((part) => part.tags.map((tag) => tag.id));
        assert.deepEqual(ids.toSorted(), read.tags.map((tag) => tag.id).toSorted());
      }
    }),
  );
});

function holding(name: string, address: number, more: Partial<RegisterTag> = {}): RegisterTag {
  return registerTag("d", name, { table: "holdingRegister", address }, more);
}

function quantitiesOf(reads: readonly PollRead[]): readonly (readonly number[])[] {
  return reads.map(({ address, quantity, periodMs }) => [address, quantity, periodMs]);
}

test("neighbours of different rates share a request where that takes less of the line", () => {
  const slow = { scanRateMs: 2_000 };
  const near = [holding("a", 0), holding("b", 2, slow)];
  assert.deepEqual(quantitiesOf(planReads(deviceConfig("d", 1, near), 8)), [[0, 3, 1_000]]);
  const large = { ...slow, register: { ...holding("s", 0).register, type: "string", lengthBytes: 100 } } as const;
  const wide = [holding("a", 0), holding("b", 2, large)];
  assert.deepEqual(quantitiesOf(planReads(deviceConfig("d", 1, wide), 8)), [
    [0, 1, 1_000],
    [0, 50, 2_000],
  ]);
});

test("a gap of maxGap is read through, one more is not", () => {
  const reads = (address: number) =>
    planReads(deviceConfig("d", 1, [holding("a", 0), holding("b", address)]), 8).length;
  assert.deepEqual([reads(9), reads(10)], [1, 2]);
});

test("near registers are one read, far ones two", () => {
  const device = deviceConfig("d", 1, [holding("a", 0), holding("b", 9), holding("c", 30)]);
  const reads = planReads(device, 8);
  assert.deepEqual(
    reads.map((read) => [read.address, read.quantity]),
    [
      [0, 10],
      [30, 1],
    ],
  );
});

test("a split cuts at the widest gap first: nobody asked for what lies in it", () => {
  const device = deviceConfig("d", 1, [holding("a", 0), holding("b", 6), holding("c", 7), holding("e", 8)]);
  const [read] = planReads(device, 8);
  assert.ok(read !== undefined);
  assert.deepEqual(
    splitRead(read)?.map((half) => half.tags.length),
    [1, 3],
  );
});

test("a value and the register of its scale are one request; where gateway.yaml's rules let anything else through, it is our fault", () => {
  const near = holding("near", 10, { scaleFrom: { table: "holdingRegister", address: 14 } });
  const far = holding("far", 10, { scaleFrom: { table: "holdingRegister", address: 400 } });
  const elsewhere = holding("elsewhere", 10, { scaleFrom: { table: "inputRegister", address: 11 } });
  const reads = planReads(deviceConfig("d", 1, [near]), 8);
  assert.deepEqual(
    reads.map((read) => [read.address, read.quantity]),
    [[10, 5]],
  );
  assert.throws(() => planReads(deviceConfig("d", 1, [near, far]), 8), /no single request can read d\/far/);
  assert.throws(() => planReads(deviceConfig("d", 1, [elsewhere]), 8), /d\/elsewhere and its scale/);
});

test("a disabled tag is not read", () => {
  assert.deepEqual(planReads(deviceConfig("d", 1, [holding("a", 0, { enabled: false })]), 8), []);
});

test("padding stays within the address space, the limits and what is readable", () => {
  const steps = (address: number, more: Partial<DeviceConfig> = {}) =>
    planReads(deviceConfig("d", 1, [holding("a", address)], more), 8)[0]?.paddingSteps;
  assert.equal(steps(0), 4);
  assert.equal(steps(65_534), 1);
  assert.equal(steps(0, { maxQuantity: 3 }), 2);
  assert.equal(steps(0, { unreadable: [{ table: "holdingRegister", from: 1, to: 1 }] }), 0);
});

test("a device that must be left alone between requests makes wider gaps worth reading through", () => {
  const gap = (turnaroundDelayMs: number) => defaultMaxGap(lineConfig("", [], { turnaroundDelayMs }));
  assert.equal(gap(1), gap(0));
  assert.ok(gap(50) > 3 * gap(0));
});

test("the faster the line, the wider a gap is worth reading through", () => {
  const gaps = [1_200, 9_600, 19_200, 115_200].map((baudRate) =>
    defaultMaxGap(lineConfig("", [], { serial: { baudRate, dataBits: 8, parity: "even", stopBits: 1 } })),
  );
  assert.deepEqual(
    gaps,
    gaps.toSorted((a, b) => a - b),
  );
  assert.ok(
    gaps.every((gap) => gap >= 4 && gap <= 64),
    gaps.join(),
  );
});
