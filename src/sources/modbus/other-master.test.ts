/** P5 and P6 on a line where another master reads the same device, as two gateways or a panel beside one do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { busRig } from "../../testing/bus-rig.ts";
import { deviceConfig } from "../../testing/modbus-config.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { deviceOfAddresses, modbusRig, registers } from "../../testing/modbus-rig.ts";
import { rtuFrame } from "../../testing/modbus-wire.ts";
import type { BusRequest } from "./bus-request.ts";

const UNIT = 1;
const THEIR_REQUEST = rtuFrame(UNIT, Uint8Array.of(3, 1, 0xf4, 0, 2));
const THEIR_REPLY = rtuFrame(UNIT, Uint8Array.of(3, 4, 0xde, 0xad, 0xbe, 0xef));
const OURS: BusRequest = { kind: "read", unitId: UNIT, table: "holdingRegister", address: 100, quantity: 2 };

const HELD = Uint8Array.of(0, 7, 0, 8);

function deviceOf(answers: boolean): ModbusDevice {
  const device = new ModbusDevice(UNIT);
  device.set("holdingRegister", 100, 7, 8);
  device.faults = { silent: !answers };
  return device;
}

test("P5: a reply to another master, whose request was heard before ours, is not the answer to ours", async () => {
  const device = deviceOf(false);
  const { line, clock, ask, suspects } = await busRig([device]);
  line.arrive(THEIR_REQUEST);
  await clock.advance(10);
  clock.after(25, () => line.arrive(THEIR_REPLY));
  assert.equal((await ask(OURS)).kind, "copy");
  device.faults = {};
  assert.deepEqual(pick(await ask(OURS)), { kind: "data", data: HELD });
  assert.deepEqual(suspects, []);
});

test("P5: where another master asks for the same while ours is waited for, neither reply is taken for ours", async () => {
  const device = deviceOf(true);
  device.faults = { delayMs: 60 };
  const { line, clock, ask } = await busRig([device]);
  clock.after(20, () => line.arrive(THEIR_REQUEST));
  clock.after(40, () => line.arrive(THEIR_REPLY));
  assert.equal((await ask(OURS)).kind, "copy");
  device.faults = {};
  assert.deepEqual(pick(await ask(OURS)), { kind: "data", data: HELD });
});

test("P5: a request that another master repeats can be answered twice, and neither answer is ours", async () => {
  const device = deviceOf(false);
  const { line, clock, ask } = await busRig([device]);
  line.arrive(THEIR_REQUEST);
  await clock.advance(20);
  line.arrive(THEIR_REQUEST);
  await clock.advance(20);
  line.arrive(THEIR_REPLY);
  await clock.advance(10);
  clock.after(25, () => line.arrive(THEIR_REPLY));
  assert.equal((await ask(OURS)).kind, "copy");
  device.faults = {};
  assert.deepEqual(pick(await ask(OURS)), { kind: "data", data: HELD });
});

test("P5: a refusal that may be another master's is not certain", async () => {
  const device = deviceOf(true);
  device.faults = { delayMs: 60 };
  const { line, clock, ask } = await busRig([device]);
  clock.after(20, () => line.arrive(THEIR_REQUEST));
  clock.after(40, () => line.arrive(rtuFrame(UNIT, Uint8Array.of(0x83, 2))));
  const outcome = await ask(OURS);
  assert.ok(outcome.kind === "exception" && !outcome.certain, outcome.kind);
});

test("P6: another master that polls the same lengths takes no device's pace, save one that takes no other length", async () => {
  for (const [maxQuantity, everyMs, least] of [
    [125, 97, 58],
    [2, 730, 50],
    [2, 97, 20],
  ] as const) {
    const device = deviceOfAddresses(UNIT);
    let good = 0;
    const witness = ({ status }: { readonly status: string }) => {
      if (status === "Good") good += 1;
    };
    const tags = registers("d", 100, 2, { scanRateMs: 1_000 });
    const rig = modbusRig([device], [deviceConfig("d", UNIT, tags, { maxQuantity })], { witness });
    const poll = () => {
      rig.line.arrive(THEIR_REQUEST);
      rig.clock.after(20, () => rig.line.arrive(THEIR_REPLY));
      rig.clock.after(everyMs, poll);
    };
    poll();
    await rig.clock.advance(60_000);
    await rig.end();
    assert.ok(
      good >= 2 * least,
      `${good} good values of two tags in 60 s, up to ${maxQuantity} registers, ${everyMs} ms`,
    );
  }
});

function pick(outcome: object): object {
  return Object.fromEntries(Object.entries(outcome).filter(([key]) => key !== "atMs"));
}
