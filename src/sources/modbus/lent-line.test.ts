/** A line that is lent to a tool and comes back, in virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceConfig } from "../../testing/modbus-config.ts";
import { deviceOfAddresses, modbusRig, registers } from "../../testing/modbus-rig.ts";

const FAST = { scanRateMs: 200 };

test("P3: a lent line is free, and its tags are out of service until they are read again", async () => {
  const device = deviceOfAddresses(1);
  const { clock, sink, line, source, end } = modbusRig(
    [device],
    [deviceConfig("pump", 1, registers("pump", 0, 2, FAST))],
  );
  await clock.advance(1_000);
  const lent = source.lend();
  await clock.advance(50);
  await lent;
  assert.equal(sink.latestPresence("pump"), "outOfService");
  assert.match(source.report().fault, /lent to a tool/);
  assert.equal(source.report().lent, true);
  await line.open();
  await line.close();
  const asked = device.requests;
  await clock.advance(30_000);
  assert.equal(device.requests, asked, "nobody asks anything meanwhile");
  assert.equal(sink.latestPresence("pump"), "outOfService");
  assert.equal((await source.execute({ kind: "serverId", unitId: 1 })).kind, "closed");

  const before = sink.of("pump/r0").length;
  source.takeBack();
  await clock.advance(400);
  assert.equal(source.report().fault, "");
  assert.equal(source.report().lent, undefined);
  assert.ok(sink.of("pump/r0").length > before);
  assert.equal(sink.latest("pump/r0")?.status, "Good");
  assert.equal(sink.latestPresence("pump"), "online");
  await end();
});

test("P3: what is gone when the line comes back is told as lost, and so is what was lost before", async () => {
  const [gone, dead] = [deviceOfAddresses(1), deviceOfAddresses(2)];
  dead.faults = { silent: true };
  const configs = [deviceConfig("gone", 1, registers("gone", 0, 2)), deviceConfig("dead", 2, registers("dead", 0, 2))];
  const { clock, sink, source, end } = modbusRig([gone, dead], configs);
  await clock.advance(10_000);
  assert.equal(sink.latestPresence("dead"), "lost");
  const lent = source.lend();
  await clock.advance(500);
  await lent;
  for (const name of ["gone", "dead"]) assert.equal(sink.latestPresence(name), "outOfService");
  gone.faults = { silent: true };
  source.takeBack();
  await clock.advance(2_000);
  for (const name of ["gone", "dead"]) assert.equal(sink.latestPresence(name), "lost", name);
  await end();
});

test("P3: a line whose port is gone when it comes back is told as lost", async () => {
  const device = deviceOfAddresses(1);
  const { clock, sink, line, source, end } = modbusRig([device], [deviceConfig("pump", 1, registers("pump", 0, 2))]);
  await clock.advance(1_000);
  const lent = source.lend();
  await clock.advance(500);
  await lent;
  line.unplug();
  source.takeBack();
  await clock.advance(100);
  assert.equal(sink.latestPresence("pump"), "lost");
  await end();
});

test("P7: a stop does not wait for a line that is lent, nor a borrower for a source that stops", async () => {
  const { clock, source, end } = modbusRig([], [deviceConfig("pump", 1, registers("pump", 0, 2))]);
  await clock.advance(1_000);
  const lent = source.lend();
  await clock.advance(500);
  await lent;
  await end();
  await source.lend();
});
