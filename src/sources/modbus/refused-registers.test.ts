/** What a device refuses, for ever or for a while, and what its other registers notice of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { deviceConfig } from "../../testing/modbus-config.ts";
import { deviceOfAddresses, modbusRig, registers } from "../../testing/modbus-rig.ts";
import type { RecordingSink } from "../../testing/recording-sink.ts";

function statusesOf(sink: RecordingSink, id: string): readonly string[] {
  return sink.of(id).map((r) => r.status);
}

test("P3: one refused register is found and told; its block lives on without it", async () => {
  const device = deviceOfAddresses(1);
  device.refusals = [{ table: "holdingRegister", from: 5, to: 5, exceptionCode: 2 }];
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 10))]);
  await clock.advance(1_000);
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(new Set(statusesOf(sink, `d/r${i}`)), new Set([i === 5 ? "BadConfigurationError" : "Good"]));
  }
  const told = sink.of("d/r5").length;
  await clock.advance(50_000);
  assert.equal(sink.of("d/r5").length, told, "asked seldom");
  device.refusals = [];
  await clock.advance(20_000);
  assert.equal(sink.latest("d/r5")?.value, 5);
  const good = sink.of("d/r5").length;
  await clock.advance(10_000);
  assert.ok(sink.of("d/r5").length - good >= 9, "and in its own rhythm once it is there");
  assert.deepEqual(sink.presences, []);
  await end();
});

test("a hole between registers that the device refuses to read through costs no tag anything", async () => {
  const device = deviceOfAddresses(1);
  device.refusals = [{ table: "holdingRegister", from: 3, to: 6, exceptionCode: 2 }];
  const tags = [...registers("d", 0, 3), ...registers("d", 7, 3)];
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, tags)]);
  await clock.advance(5_000);
  assert.deepEqual(
    sink.readings.filter((r) => r.status !== "Good"),
    [],
  );
  assert.equal(sink.latest("d/r9")?.value, 9);
  await end();
});

test("P3: of a block that has worked only the refused register turns Bad, at its own rate, and in the end it is whole", async () => {
  const device = deviceOfAddresses(1);
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 4))]);
  await clock.advance(2_500);
  device.refusals = [{ table: "holdingRegister", from: 2, to: 2, exceptionCode: 2 }];
  await clock.advance(10_000);
  assert.equal(sink.latest("d/r2")?.status, "BadConfigurationError");
  assert.ok(statusesOf(sink, "d/r2").filter((s) => s !== "Good").length >= 9);
  for (const id of ["d/r0", "d/r1", "d/r3"]) {
    assert.deepEqual(new Set(statusesOf(sink, id)), new Set(["Good"]));
    assert.ok(sink.of(id).length >= 12, "in its own rhythm");
  }
  device.refusals = [];
  await clock.advance(1_100);
  assert.equal(sink.latest("d/r2")?.status, "Good");
  await clock.advance(60_000);
  const asked = device.requests;
  await clock.advance(10_000);
  assert.equal(device.requests - asked, 10, "one request a period again");
  await end();
});

test("a block with a hole in it that the device refuses is tried as a whole once a minute, not more", async () => {
  const device = deviceOfAddresses(1);
  device.refusals = [{ table: "holdingRegister", from: 3, to: 6, exceptionCode: 2 }];
  const tags = [...registers("d", 0, 3), ...registers("d", 7, 3)];
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, tags)]);
  await clock.advance(5_000);
  let tried = 0;
  device.faults = ({ pdu }) => {
    if ((pdu[4] ?? 0) >= 10) tried += 1;
    return {};
  };
  await clock.advance(600_000);
  assert.ok(tried >= 9 && tried <= 10, `${tried} times`);
  assert.deepEqual(
    sink.readings.filter((r) => r.status !== "Good"),
    [],
  );
  device.refusals = [];
  await clock.advance(61_000);
  const asked = device.requests;
  await clock.advance(10_000);
  assert.equal(device.requests - asked, 10);
  await end();
});

test("P3: whatever a device refuses for a while, no other tag turns Bad, and in the end all is one request again", async () => {
  const span = fc.record({ from: fc.nat(11), length: fc.nat(3), beginMs: fc.nat(20_000), lastsMs: fc.nat(90_000) });
  await fc.assert(
    fc.asyncProperty(fc.array(span, { minLength: 1, maxLength: 3 }), async (spans) => {
      const device = deviceOfAddresses(1);
      const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 12))]);
      device.faults = () => {
        const nowMs = clock.monotonicMs();
        const running = spans.filter(({ beginMs, lastsMs }) => nowMs >= beginMs && nowMs < beginMs + lastsMs);
        device.refusals = running.map(({ from, length }) => {
          return { table: "holdingRegister", from, to: from + length, exceptionCode: 2 };
        });
        return {};
      };
      await clock.advance(240_000);
      for (const { id, status } of sink.readings) {
        const address = Number(id.slice("d/r".length));
        const refused = spans.some(({ from, length }) => address >= from && address <= from + length);
        if (!refused) assert.equal(status, "Good", id);
      }
      const asked = device.requests;
      await clock.advance(10_000);
      assert.equal(device.requests - asked, 10);
      for (const tag of registers("d", 0, 12)) assert.equal(sink.latest(tag.id)?.status, "Good");
      await end();
    }),
    { numRuns: 10 },
  );
});

test("padding that the device refuses is not asked for twice", async () => {
  const device = deviceOfAddresses(1);
  device.refusals = [{ table: "holdingRegister", from: 2, to: 2_000, exceptionCode: 2 }];
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 2))]);
  const quantities: number[] = [];
  device.faults = (request) => {
    quantities.push(request.pdu[4] ?? 0);
    return quantities.length === 5 || quantities.length === 8 ? { silent: true } : {};
  };
  await clock.advance(12_500);
  assert.deepEqual(quantities.slice(0, 4), [2, 3, 4, 2], "one register more, then a pair, each once");
  assert.ok(quantities.slice(3).every((quantity) => quantity === 2));
  assert.ok(quantities.length > 10);
  assert.deepEqual(
    sink.readings.filter((r) => r.status !== "Good"),
    [],
  );
  await end();
});

test("P3: a device that keeps silent about registers it does not have is asked for them once, and no tag notices", async () => {
  const device = deviceOfAddresses(1);
  const configs = [deviceConfig("d", 1, registers("d", 0, 2, { scanRateMs: 200 }), { retries: 0, lostAfter: 1 })];
  let longer = 0;
  device.faults = ({ pdu }) => {
    const quantity = pdu[4] ?? 0;
    if (quantity > 2) longer += 1;
    return quantity > 2 ? { silent: true } : {};
  };
  const { clock, sink, end } = modbusRig([device], configs);
  await clock.advance(60_000);
  assert.equal(longer, 1);
  assert.ok(sink.of("d/r0").length > 250);
  assert.deepEqual(
    sink.readings.filter((r) => r.status !== "Good"),
    [],
  );
  assert.deepEqual(sink.presences, []);
  await end();
});
