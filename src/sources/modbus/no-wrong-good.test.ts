/** P5 on a whole line in virtual time: what is told Good was held there, whatever the line does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Reading } from "../../pipeline.ts";
import { deviceConfig } from "../../testing/modbus-config.ts";
import type { Faults, ModbusDevice } from "../../testing/modbus-device.ts";
import { deviceOfAddresses, modbusRig, registers, versionedDevice, versionOf } from "../../testing/modbus-rig.ts";

const noise = fc.uint8Array({ minLength: 1, maxLength: 12 });
/** At most responseTimeout + maxLate after the request, less what the reply needs on the wire. */
const late = fc.integer({ min: 1, max: 1_250 });
const exception = fc.integer({ min: 1, max: 11 });
const fault: fc.Arbitrary<Faults> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Faults>({}) },
  fc.constant<Faults>({ silent: true }),
  late.map((delayMs): Faults => ({ delayMs })),
  fc.tuple(late, exception).map(([delayMs, exceptionCode]): Faults => ({ delayMs, exceptionCode })),
  fc.integer({ min: 1, max: 12 }).map((truncateBytes): Faults => ({ truncateBytes })),
  fc.nat(200).map((flipBit): Faults => ({ flipBit })),
  exception.map((exceptionCode): Faults => ({ exceptionCode })),
  fc.constant<Faults>({ replyUnitId: 77 }),
  fc.constant<Faults>({ echo: true }),
  noise.map((before): Faults => ({ noise: before })),
  fc.constant<Faults>({ alter: (pdu) => Uint8Array.of(pdu[0] ?? 0, (pdu[1] ?? 0) - 2, ...pdu.subarray(2, -2)) }),
);

test("P5: a reply 700 ms late, of equal length, is never taken for another one", async () => {
  const device = deviceOfAddresses(1);
  const tags = [...registers("d", 0, 2, { scanRateMs: 200 }), ...registers("d", 500, 2, { scanRateMs: 200 })];
  const { clock, sink, source, end } = modbusRig([device], [deviceConfig("d", 1, tags)]);
  await clock.advance(1_000);
  let asked = 0;
  device.faults = () => ({ delayMs: asked++ % 3 === 0 ? 700 : 0 });
  await clock.advance(60_000);
  const wrong = sink.readings.filter((r) => r.status === "Good" && `d/r${String(r.value)}` !== r.id);
  assert.deepEqual(wrong, []);
  assert.ok((source.report().devices[0]?.lateFrames ?? 0) > 10, "late replies did come");
  assert.ok(sink.readings.filter((r) => r.status === "Good").length > 50, "and reading went on between them");
  await end();
});

test("P5: under any stream of faults, Good is only what that register held between request and reply", async () => {
  let good = 0;
  let requests = 0;
  const streams = fc.array(fault, { minLength: 40, maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(streams, fc.constantFrom(1, 3, 8, undefined), async (faults, chunkBytes) => {
      let at = 0;
      const next = () => faults[at++ % faults.length] ?? {};
      const places = [[0, 1, 2], [60, 61, 62], [120]];
      const devices = [1, 2].map((unitId) => versionedDevice(unitId, places.flat(), next));
      const configs = devices.map(({ unitId }) => {
        const tags = places.flatMap(([first = 0, ...rest]) =>
          registers(`d${unitId}`, first, rest.length + 1, { scanRateMs: 150 }),
        );
        return deviceConfig(`d${unitId}`, unitId, tags, { maxGap: 0 });
      });
      const witness = ({ tag, value, status }: Reading) => {
        if (status !== "Good") return;
        good += 1;
        const device = devices.find(({ unitId }) => tag.device === `d${unitId}`);
        assert.equal(value, versionOf(Number(tag.name.slice(1)), device?.requests ?? 0), tag.id);
      };
      const { clock, end } = modbusRig(devices, configs, {
        witness,
        ...(chunkBytes === undefined ? {} : { chunkBytes }),
      });
      await clock.advance(30_000);
      requests += devices.reduce((sum, d) => sum + d.requests, 0);
      await end();
    }),
    { numRuns: 25 },
  );
  assert.ok(requests > 3_000, `${requests} requests`);
  assert.ok(good > 3_000, `${good} good readings`);
});

test("P5: a late exception does not make the reply that it displaced fit the next request", async () => {
  // The second request is answered by the exception meant for the first; its own reply comes into the third.
  const script: readonly Faults[] = [{ delayMs: 350, exceptionCode: 4 }, { delayMs: 200 }, { delayMs: 200 }];
  const device: ModbusDevice = versionedDevice(1, [0, 1, 2, 3, 4, 5], () => script[device.requests - 1] ?? {});
  const witness = ({ tag, value, status }: Reading) => {
    if (status === "Good") assert.equal(value, versionOf(Number(tag.name.slice(1)), device.requests), tag.id);
  };
  const tags = registers("d", 0, 2, { scanRateMs: 100 });
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, tags)], { witness });
  await clock.advance(3_000);
  assert.equal(sink.of("d/r0")[0]?.status, "BadDeviceFailure");
  assert.equal(sink.latest("d/r0")?.status, "Good");
  await end();
});

test("P5: the reply that a late exception displaced is waited for as long as that of any other request", async () => {
  const script: readonly Faults[] = [{ delayMs: 350, exceptionCode: 4 }, { delayMs: 1_160 }];
  const addresses = [0, 1, 2, 3, 4, 60, 61, 62, 63, 64, 65, 66];
  const device: ModbusDevice = versionedDevice(1, addresses, () => script[device.requests - 1] ?? { delayMs: 40 });
  const witness = ({ tag, value, status }: Reading) => {
    if (status === "Good") assert.equal(value, versionOf(Number(tag.name.slice(1)), device.requests), tag.id);
  };
  const tags = [...registers("d", 0, 2, { scanRateMs: 100 }), ...registers("d", 60, 3, { scanRateMs: 100 })];
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, tags, { maxGap: 0 })], { witness });
  await clock.advance(3_000);
  assert.equal(sink.latest("d/r60")?.status, "Good");
  await end();
});

test("P5: a reply that comes twice is never taken for the next one where a known register tells them apart", async () => {
  const device = versionedDevice(1, [0, 1, 2], () => ({ duplicateAfterMs: 497 }));
  const tags = [...registers("d", 0, 2, { scanRateMs: 500 }), ...registers("d", 2, 1, { scanRateMs: 60_000 })];
  let good = 0;
  const witness = ({ tag, value, status }: Reading) => {
    if (status !== "Good") return;
    good += 1;
    assert.equal(value, versionOf(Number(tag.name.slice(1)), device.requests), tag.id);
  };
  const { clock, end } = modbusRig([device], [deviceConfig("d", 1, tags)], { witness });
  await clock.advance(60_000);
  assert.ok(good > 100);
  await end();
});

test("P5: a reply in the very moment in which the adapter vanishes does not undo the loss", async () => {
  const { clock, sink, line, end } = modbusRig([deviceOfAddresses(1)], [deviceConfig("a", 1, registers("a", 0, 2))]);
  const deliver = line.onData;
  line.onData = (bytes) => {
    deliver(bytes);
    line.unplug();
  };
  await clock.advance(1_000);
  assert.equal(sink.latestPresence("a"), "lost");
  assert.deepEqual(sink.readings, []);
  await end();
});
