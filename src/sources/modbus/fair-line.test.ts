/** What the devices of a line, and the lines of a gateway, notice of each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../core/log.ts";
import { seededRandom } from "../../core/random.ts";
import { deviceConfig, lineConfig } from "../../testing/modbus-config.ts";
import { deviceOfAddresses, modbusRig, registers } from "../../testing/modbus-rig.ts";
import { RecordingSink } from "../../testing/recording-sink.ts";
import { SimulatedLine } from "../../testing/simulated-line.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { createModbusSource } from "./modbus-source.ts";

test("P6: a lost device is probed with its cheapest read, and in full service one scan after a probe is answered", async () => {
  const device = deviceOfAddresses(1);
  const tags = [...registers("d", 0, 60), ...registers("d", 300, 2), ...registers("d", 600, 40)];
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, tags)]);
  await clock.advance(5_000);
  device.faults = { silent: true };
  await clock.advance(10_000);
  assert.equal(sink.latestPresence("d"), "lost");
  const probed: number[] = [];
  device.faults = ({ pdu }) => {
    probed.push(((pdu[1] ?? 0) << 8) | (pdu[2] ?? 0));
    return { silent: true };
  };
  await clock.advance(40_000);
  assert.deepEqual(new Set(probed), new Set([300]));
  device.faults = {};
  while (sink.latestPresence("d") === "lost") await clock.advance(10);
  const backMs = clock.monotonicMs();
  await clock.advance(1_000);
  for (const tag of tags) {
    const latest = sink.latest(tag.id);
    assert.equal(latest?.status, "Good");
    assert.ok((latest?.monotonicMs ?? 0) >= backMs - 20);
  }
  const told = sink.of("d/r600").length;
  await clock.advance(10_000);
  assert.ok(sink.of("d/r600").length - told >= 9);
  await end();
});

const FAST = [deviceConfig("d", 1, registers("d", 0, 10, { scanRateMs: 100 }))];

test("P6: lines never wait for each other: beside one that takes no write and one with nobody on it, a third is as alone", async () => {
  const clock = new VirtualClock();
  const start = (line: SimulatedLine) => {
    const sink = new RecordingSink(clock);
    const config = lineConfig("/dev/simulated", FAST);
    const random = seededRandom(1);
    const source = createModbusSource({ line: config, sink, clock, random, log: silentLog, openLine: () => line });
    source.start();
    return { sink, source };
  };
  const stuck = new SimulatedLine({ clock, devices: [deviceOfAddresses(1)] });
  stuck.write = () => new Promise(() => undefined);
  const others = [start(stuck), start(new SimulatedLine({ clock, devices: [] }))];
  const healthy = start(new SimulatedLine({ clock, devices: [deviceOfAddresses(1)] }));
  await clock.advance(31_500);

  const alone = modbusRig([deviceOfAddresses(1)], FAST);
  await alone.clock.advance(31_500);
  assert.ok(alone.sink.readings.length > 2_800);
  assert.deepEqual(healthy.sink.readings, alone.sink.readings);
  const ended = Promise.all([...others, healthy, alone].map(({ source }) => source.stop()));
  await clock.advance(10_000);
  await ended;
});

test("an overloaded line says so before its first read, and once while it lasts", async () => {
  const told: string[] = [];
  const log = {
    ...silentLog,
    warning: (message: string) => told.push(message),
    notice: (message: string) => told.push(message),
  };
  const device = deviceOfAddresses(1);
  const config = deviceConfig("d", 1, registers("d", 0, 100, { scanRateMs: 50 }));
  const { clock, source, end } = modbusRig([device], [config], { log });
  assert.match(told[0] ?? "", /^at 19200 baud needs 0\.133 s for what is asked every 0\.05 s/);
  await clock.advance(200_000);
  assert.equal(told.length, 2);
  assert.match(told[1] ?? "", /^cannot keep up: of the reads of the last minute 6\d % were not made in time/);
  assert.ok(source.report().missedPeriods > 2_000);
  await end();
});
