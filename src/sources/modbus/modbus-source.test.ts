/** The whole source of one line in virtual time, against simulated devices. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceConfig } from "../../testing/modbus-config.ts";
import { type Faults, ModbusDevice } from "../../testing/modbus-device.ts";
import { deviceOfAddresses, modbusRig, registers } from "../../testing/modbus-rig.ts";
import type { RecordingSink } from "../../testing/recording-sink.ts";

function statusesOf(sink: RecordingSink, id: string): readonly string[] {
  return sink.of(id).map((r) => r.status);
}

test("P3: values are read in their rhythm, each stamped with the time of its own reply", async () => {
  const device = deviceOfAddresses(1);
  const tags = [...registers("pump", 0, 3), ...registers("pump", 500, 2, { scanRateMs: 5_000 })];
  const { clock, sink, source, end } = modbusRig([device], [deviceConfig("pump", 1, tags)]);
  await clock.advance(10_400);
  assert.equal(sink.latest("pump/r2")?.value, 2);
  assert.equal(sink.latest("pump/r501")?.value, 501);
  assert.ok(sink.of("pump/r0").length >= 10 && sink.of("pump/r0").length <= 12);
  assert.ok(sink.of("pump/r500").length >= 2 && sink.of("pump/r500").length <= 4);
  const [first, second] = [sink.of("pump/r0")[0], sink.of("pump/r500")[0]];
  assert.ok((second?.monotonicMs ?? 0) > (first?.monotonicMs ?? 0));
  const report = source.report();
  assert.equal(report.fault, "");
  assert.equal(report.missedPeriods, 0);
  assert.equal(report.devices[0]?.requests, report.devices[0]?.replies);
  assert.ok(report.utilisation > 0 && report.utilisation < 20);
  await end();
});

test("a slow tag shares the requests of a fast neighbour, and is told in its own rhythm, or at once after a failure", async () => {
  const device = deviceOfAddresses(1);
  const tags = [...registers("d", 0, 1), ...registers("d", 1, 1, { scanRateMs: 4_500 })];
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, tags)]);
  await clock.advance(20_500);
  assert.ok(device.requests >= 20 && device.requests <= 22, `${device.requests} requests`);
  const toldMs = sink.of("d/r1").map((r) => r.monotonicMs);
  assert.equal(toldMs.length, 6);
  for (const [i, ms] of toldMs.entries()) assert.ok(i < 1 || ms - (toldMs[i - 1] ?? 0) <= 4_500);
  device.faults = { silent: true };
  await clock.advance(2_000);
  assert.equal(sink.latest("d/r1")?.status, "BadNoCommunication");
  device.faults = {};
  await clock.advance(1_100);
  assert.equal(sink.latest("d/r1")?.status, "Good");
  await end();
});

test("P3 P6: a device dies and returns; the other one's rhythm is untouched", async () => {
  const [dying, living] = [deviceOfAddresses(1), deviceOfAddresses(2)];
  const fast = { scanRateMs: 1_000 };
  const configs = [
    deviceConfig("dying", 1, registers("dying", 0, 2, fast)),
    deviceConfig("living", 2, registers("living", 0, 2, fast)),
  ];
  const { clock, sink, source, end } = modbusRig([dying, living], configs);
  await clock.advance(5_000);
  dying.faults = { silent: true };
  await clock.advance(1_700);
  assert.equal(sink.latest("dying/r0")?.status, "BadNoCommunication", "scan period + (1 + retries) × timeout");
  assert.deepEqual(sink.presences, []);
  await clock.advance(2_000);
  assert.equal(sink.latestPresence("dying"), "lost");
  assert.equal(source.report().devices.find((d) => d.name === "dying")?.lost, true);

  const asked = dying.requests;
  await clock.advance(60_000);
  assert.ok(dying.requests - asked >= 5 && dying.requests - asked <= 6, "probed about every 10 s");
  dying.faults = {};
  await clock.advance(10_500);
  assert.equal(sink.latestPresence("dying"), "online");
  const back = sink.of("dying/r0").length;
  await clock.advance(10_000);
  assert.ok(sink.of("dying/r0").length - back >= 9, "in full service again");

  assert.deepEqual(
    statusesOf(sink, "living/r0").filter((s) => s !== "Good"),
    [],
  );
  const times = sink.of("living/r0").map((r) => r.monotonicMs);
  const steps = times.slice(3).map((ms, i) => ms - (times[i + 2] ?? 0));
  assert.ok(
    steps.every((step) => step > 600 && step < 1_400),
    "never later than one time-out",
  );
  assert.equal(source.report().missedPeriods, 0);
  await end();
});

test("P6: forty dead devices cost at most a twentieth of the line, and the living one keeps its pace", async () => {
  const dead = Array.from({ length: 40 }, (_, i) => `dead${i}`);
  const living = deviceOfAddresses(100);
  const configs = [
    ...dead.map((name, i) => deviceConfig(name, i + 1, registers(name, 0, 2))),
    deviceConfig("living", 100, registers("living", 0, 2, { scanRateMs: 200 })),
  ];
  const { clock, sink, source, end } = modbusRig([living], configs);
  await clock.advance(200_000);
  for (const name of dead) assert.equal(sink.latestPresence(name), "lost", name);
  const costOf = () => source.report().devices.reduce((sum, d) => sum + (d.name === "living" ? 0 : d.requests), 0);
  const before = costOf();
  const read = sink.of("living/r0").length;
  const durationMs = 1_000_000;
  await clock.advance(durationMs);
  const probes = costOf() - before;
  assert.ok(probes * 310 <= 0.05 * durationMs, `${probes} probes`);
  assert.ok(probes >= dead.length * 3, "none is forgotten");
  assert.ok(sink.of("living/r0").length - read >= (durationMs / 200) * 0.95);
  await end();
});

test("P3: when the adapter vanishes every device's tags are Bad at once; when it returns they are read at once", async () => {
  const devices = [deviceOfAddresses(1), deviceOfAddresses(2)];
  const configs = [deviceConfig("a", 1, registers("a", 0, 2)), deviceConfig("b", 2, registers("b", 0, 2))];
  const { clock, sink, line, source, end } = modbusRig(devices, configs);
  await clock.advance(3_000);
  line.unplug();
  assert.deepEqual(
    sink.presences.map((p) => `${p.device} ${p.presence}`),
    ["a lost", "b lost"],
  );
  assert.match(source.report().fault, /vanished/);
  await clock.advance(60_000);
  assert.equal(sink.presences.length, 2);
  line.plugIn();
  await clock.advance(10_200);
  assert.equal(source.report().fault, "");
  assert.deepEqual(
    sink.presences.slice(2).map((p) => p.presence),
    ["online", "online"],
  );
  assert.equal(sink.latest("b/r1")?.status, "Good");
  assert.ok(source.report().missedPeriods <= 1, "an outage is no overload");
  await end();
});

test("P3: an adapter that takes nothing any more is lost, reopened with back-off, and stops without it", async () => {
  const [a, b] = [deviceOfAddresses(1), deviceOfAddresses(2)];
  const configs = [deviceConfig("a", 1, registers("a", 0, 2)), deviceConfig("b", 2, registers("b", 0, 2))];
  const { clock, sink, line, source, end } = modbusRig([a, b], configs);
  await clock.advance(3_000);
  const write = line.write.bind(line);
  let written = 0;
  line.write = () => {
    written += 1;
    return new Promise(() => undefined);
  };
  const faults = new Set<string>();
  for (let i = 0; i < 630; i++) {
    await clock.advance(100);
    faults.add(source.report().fault);
  }
  assert.deepEqual([sink.latestPresence("a"), sink.latestPresence("b")], ["lost", "lost"]);
  assert.match([...faults].join(), /does not send/);
  assert.ok(written > 3 && written < 20, `${written} attempts`);
  line.write = write;
  await clock.advance(12_000);
  assert.deepEqual([sink.latestPresence("a"), sink.latestPresence("b")], ["online", "online"]);
  assert.equal(sink.latest("b/r1")?.status, "Good");
  line.write = () => new Promise(() => undefined);
  await clock.advance(1_100);
  await end();
  assert.equal(clock.pendingTimers(), 0);
});

test("a port that is not there at the start is told, and tried until it is", async () => {
  const { clock, sink, line, source, end } = modbusRig(
    [deviceOfAddresses(1)],
    [deviceConfig("a", 1, registers("a", 0, 2))],
  );
  line.unplug();
  await clock.advance(5_000);
  assert.equal(sink.latestPresence("a"), "lost");
  assert.notEqual(source.report().fault, "");
  line.plugIn();
  await clock.advance(10_200);
  assert.equal(sink.latestPresence("a"), "online");
  assert.equal(sink.latest("a/r0")?.status, "Good");
  await end();
});

test("a device switched off is never asked, and none of its tags told of: they begin as switched off", async () => {
  const [off, on] = [deviceOfAddresses(1), deviceOfAddresses(2)];
  const configs = [
    deviceConfig("off", 1, registers("off", 0, 2, { enabled: false }), { enabled: false }),
    deviceConfig("on", 2, registers("on", 0, 2)),
  ];
  const { clock, sink, source, end } = modbusRig([off, on], configs);
  await clock.advance(5_000);
  assert.equal(off.requests, 0);
  assert.deepEqual(sink.presences, []);
  assert.deepEqual([sink.latest("off/r0"), sink.latest("on/r1")?.status], [undefined, "Good"]);
  assert.deepEqual(
    source.report().devices.map((d) => [d.name, d.lost]),
    [
      ["off", false],
      ["on", false],
    ],
  );
  await end();
});

test("busy is asked again; a device behind a dead gateway is lost, one that refuses everything is not", async () => {
  const device = deviceOfAddresses(1);
  let asked = 0;
  device.faults = () => (asked++ % 2 === 0 ? { exceptionCode: 6 } : {});
  const busy = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 2))]);
  await busy.clock.advance(10_000);
  assert.deepEqual(
    busy.sink.readings.filter((r) => r.status !== "Good"),
    [],
  );
  await busy.end();

  const outcomeOf = async (exceptionCode: number) => {
    const refusing = deviceOfAddresses(1);
    refusing.faults = { exceptionCode };
    const { clock, sink, end } = modbusRig([refusing], [deviceConfig("d", 1, registers("d", 0, 1))]);
    await clock.advance(10_000);
    await end();
    return [sink.latest("d/r0")?.status, sink.latestPresence("d")];
  };
  assert.deepEqual(await outcomeOf(11), ["BadNoCommunication", "lost"]);
  assert.deepEqual(await outcomeOf(2), ["BadConfigurationError", undefined]);
  assert.deepEqual(await outcomeOf(4), ["BadDeviceFailure", undefined]);
});

test("P3 P6: a device that says it is busy is told as not answering, but never lost: it is asked at its own rate", async () => {
  const device = deviceOfAddresses(1);
  const { clock, sink, source, end } = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 2))]);
  await clock.advance(2_500);
  device.faults = { exceptionCode: 6 };
  await clock.advance(30_000);
  assert.equal(sink.latest("d/r0")?.status, "BadNoCommunication");
  assert.ok(sink.of("d/r0").length > 30);
  device.faults = {};
  await clock.advance(1_100);
  assert.equal(sink.latest("d/r0")?.status, "Good");

  // Busy, then silent, again and again: each read fails, but the device is on the bus.
  let asked = 0;
  device.faults = () => (asked++ % 2 === 0 ? { exceptionCode: 5 } : { silent: true });
  await clock.advance(30_000);
  assert.equal(sink.latest("d/r0")?.status, "BadNoCommunication");
  assert.deepEqual(sink.presences, []);
  assert.equal(source.report().devices[0]?.lost, false);

  device.faults = { silent: true };
  await clock.advance(10_000);
  assert.equal(sink.latestPresence("d"), "lost");
  device.faults = { exceptionCode: 6 };
  await clock.advance(10_500);
  assert.equal(sink.latestPresence("d"), "online", "busy ends the loss");
  await end();
});

test("the counters add up: every request is a reply or a kind of silence", async () => {
  const faults: readonly Faults[] = [
    {},
    { silent: true },
    { flipBit: 40 },
    { truncateBytes: 2 },
    { exceptionCode: 4 },
    { replyUnitId: 9 },
    { noise: Uint8Array.of(0xff, 0xff, 0xff) },
  ];
  const device = deviceOfAddresses(1);
  let at = 0;
  device.faults = () => faults[at++ % faults.length] ?? {};
  const { clock, source, end } = modbusRig(
    [device],
    [deviceConfig("d", 1, registers("d", 0, 2), { lostAfter: 1_000 })],
  );
  await clock.advance(60_000);
  await end();
  const line = source.report();
  const [report] = line.devices;
  assert.ok(report !== undefined);
  assert.ok(line.foreignFrames > 3 && line.noiseBytes > 3 * 3, "told of the line as well");
  const silences = report.timeouts + report.crcErrors + report.framingErrors;
  assert.ok(report.requests - report.replies - silences <= 1, "but for the one that was cut off by the stop");
  for (const count of [
    report.timeouts,
    report.crcErrors,
    report.framingErrors,
    report.foreignFrames,
    report.exceptions,
  ]) {
    assert.ok(count > 3, JSON.stringify(report));
  }
  assert.ok(report.responseTimeMs > 0 && report.responseTimeP50Ms > 0);
  assert.ok(report.responseTimeP99Ms >= report.responseTimeP50Ms);
});

test("stop ends a running request, closes the port and leaves no timer", async () => {
  const device = new ModbusDevice(1);
  device.faults = { silent: true };
  const { clock, source, sink } = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 2))]);
  await clock.advance(20);
  await source.stop();
  await clock.advance(100);
  assert.equal(clock.pendingTimers(), 0);
  assert.deepEqual([sink.readings, sink.presences], [[], []]);
});
