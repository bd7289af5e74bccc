/** Every function of the bus, against simulated devices and the standard's own examples. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { busRig } from "../../testing/bus-rig.ts";
import { type Faults, ModbusDevice } from "../../testing/modbus-device.ts";
import { rtuFrame } from "../../testing/modbus-wire.ts";
import type { BusOutcome, BusRequest } from "./bus-request.ts";
import { answerBytes, expectationOf } from "./expectation.ts";
import { identificationOf } from "./reply-frame.ts";

const UNIT = 17;

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/gi) ?? [], (pair) => Number.parseInt(pair, 16));
}

interface Example {
  readonly request: BusRequest;
  /** PDUs as printed. */
  readonly asked: string;
  readonly answer: string;
  readonly outcome: { readonly kind: "data"; readonly data: Uint8Array } | { readonly kind: "written" };
}

/** Modbus Application Protocol V1.1b3, the examples of 6.1 to 6.17. */
const EXAMPLES: readonly Example[] = [
  {
    request: { kind: "read", unitId: UNIT, table: "coil", address: 19, quantity: 19 },
    asked: "01 00 13 00 13",
    answer: "01 03 CD 6B 05",
    outcome: { kind: "data", data: hex("CD 6B 05") },
  },
  {
    request: { kind: "read", unitId: UNIT, table: "discreteInput", address: 196, quantity: 22 },
    asked: "02 00 C4 00 16",
    answer: "02 03 AC DB 35",
    outcome: { kind: "data", data: hex("AC DB 35") },
  },
  {
    request: { kind: "read", unitId: UNIT, table: "holdingRegister", address: 107, quantity: 3 },
    asked: "03 00 6B 00 03",
    answer: "03 06 02 2B 00 00 00 64",
    outcome: { kind: "data", data: hex("02 2B 00 00 00 64") },
  },
  {
    request: { kind: "read", unitId: UNIT, table: "inputRegister", address: 8, quantity: 1 },
    asked: "04 00 08 00 01",
    answer: "04 02 00 0A",
    outcome: { kind: "data", data: hex("00 0A") },
  },
  {
    request: { kind: "writeCoil", unitId: UNIT, address: 172, value: true },
    asked: "05 00 AC FF 00",
    answer: "05 00 AC FF 00",
    outcome: { kind: "written" },
  },
  {
    request: { kind: "writeRegister", unitId: UNIT, address: 1, value: 3 },
    asked: "06 00 01 00 03",
    answer: "06 00 01 00 03",
    outcome: { kind: "written" },
  },
  {
    request: {
      kind: "writeCoils",
      unitId: UNIT,
      address: 19,
      values: [true, false, true, true, false, false, true, true, true, false],
    },
    asked: "0F 00 13 00 0A 02 CD 01",
    answer: "0F 00 13 00 0A",
    outcome: { kind: "written" },
  },
  {
    request: { kind: "writeRegisters", unitId: UNIT, address: 1, values: [10, 0x0102] },
    asked: "10 00 01 00 02 04 00 0A 01 02",
    answer: "10 00 01 00 02",
    outcome: { kind: "written" },
  },
  {
    request: { kind: "maskRegister", unitId: UNIT, address: 4, andMask: 0xf2, orMask: 0x25 },
    asked: "16 00 04 00 F2 00 25",
    answer: "16 00 04 00 F2 00 25",
    outcome: { kind: "written" },
  },
  {
    request: { kind: "writeThenRead", unitId: UNIT, address: 14, values: [255, 255, 255], readAddress: 3, quantity: 6 },
    asked: "17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF",
    answer: "17 0C 00 FE 0A CD 00 01 00 03 00 0D 00 FF",
    outcome: { kind: "data", data: hex("00 FE 0A CD 00 01 00 03 00 0D 00 FF") },
  },
];

/** 6.21: a basic device in one part. */
const IDENTIFICATION = "2B 0E 01 01 00 00 03 00 16 436F6D70616E79206964656E74696669636174696F6E".concat(
  "01 0F 50726F6475637420636F6465205858 02 05 56322E3131",
);

function withoutTime({ atMs: _, ...rest }: BusOutcome): object {
  return rest;
}

/** A device that answers one request as it is told; to any other it has one register. */
function scripted(asked: Uint8Array, answer: Uint8Array): ModbusDevice {
  const device = new ModbusDevice(UNIT);
  device.faults = ({ pdu }) => (Buffer.compare(pdu, asked) === 0 ? { alter: () => answer } : {});
  return device;
}

describe("the examples of the standard, byte for byte", () => {
  for (const { request, asked, answer, outcome } of EXAMPLES) {
    for (const echo of [false, true]) {
      test(`${request.kind} ${asked.slice(0, 2)}${echo ? ", by an adapter that hears itself" : ""}`, async () => {
        const device = scripted(hex(asked), hex(answer));
        const { faultsFor } = device;
        device.faultsFor = (heard) => ({ ...faultsFor.call(device, heard), echo });
        const { ask, sent, bus } = await busRig([device]);
        assert.deepEqual(withoutTime(await ask(request)), outcome);
        assert.deepEqual(sent.at(-1), rtuFrame(UNIT, hex(asked)));
        await bus.close();
      });
    }
  }

  test("identification 2B", async () => {
    const device = scripted(hex("2B 0E 01 00"), hex(IDENTIFICATION));
    const { ask, bus } = await busRig([device], { chunkBytes: 1 });
    const outcome = await ask({ kind: "identification", unitId: UNIT, code: 1, objectId: 0 });
    assert.ok(outcome.kind === "identified");
    assert.deepEqual(
      [...outcome.identification.objects.values()],
      ["Company identification", "Product code XX", "V2.11"],
    );
    assert.equal(outcome.identification.next, undefined);
    await bus.close();
  });
});

test("serverId brings what the device says, of any length", async () => {
  for (const serverId of ["x", "a longer name of a device", "y".repeat(200)]) {
    const device = new ModbusDevice(UNIT);
    device.serverId = serverId;
    const { ask, bus } = await busRig([device], { chunkBytes: 7 });
    const outcome = await ask({ kind: "serverId", unitId: UNIT });
    assert.ok(outcome.kind === "data");
    assert.deepEqual(Buffer.from(outcome.data).toString("latin1"), `${serverId}\xff`);
    await bus.close();
  }
});

test("identification comes in parts, each asked for from where the last one ended", async () => {
  const device = new ModbusDevice(UNIT);
  device.identification = new Map([0, 1, 2, 0x80, 0x81].map((id) => [id, `${id}-`.repeat(20)]));
  const { ask, bus } = await busRig([device]);
  const found = new Map<number, string>();
  for (let objectId: number | undefined = 0; objectId !== undefined; ) {
    const outcome: BusOutcome = await ask({ kind: "identification", unitId: UNIT, code: 3, objectId });
    assert.ok(outcome.kind === "identified");
    for (const [id, text] of outcome.identification.objects) found.set(id, text);
    objectId = outcome.identification.next;
  }
  assert.deepEqual(found, device.identification);
  const alone = await ask({ kind: "identification", unitId: UNIT, code: 4, objectId: 0x81 });
  assert.ok(alone.kind === "identified" && alone.identification.objects.size === 1);
  await bus.close();
});

test("a device that counts the objects of all parts in each part is understood", () => {
  const part = rtuFrame(UNIT, Uint8Array.of(43, 14, 1, 1, 0xff, 2, 3, 0, 1, 65, 1, 1, 66));
  const expected = expectationOf(rtuFrame(UNIT, Uint8Array.of(43, 14, 1, 0)));
  assert.ok((answerBytes(part, expected, false) ?? 0) > part.length, "there may be more to come");
  assert.equal(answerBytes(part, expected, true), part.length);
  assert.deepEqual([...identificationOf(part).objects.values()], ["A", "B"]);
});

test("an exception to any function comes as what it is", async () => {
  for (const { request } of EXAMPLES) {
    const device = new ModbusDevice(UNIT);
    device.faults = { exceptionCode: 3 };
    const { ask, bus, meter } = await busRig([device]);
    assert.deepEqual(withoutTime(await ask(request)), { kind: "exception", exceptionCode: 3, certain: true });
    assert.ok(meter.exceptions > 0);
    await bus.close();
  }
});

const SETPOINT: BusRequest = { kind: "writeRegister", unitId: UNIT, address: 1, value: 3 };

test("P5: an echo alone is never the reply to a write", async () => {
  for (const request of EXAMPLES.map((e) => e.request).filter(({ kind }) => kind !== "read")) {
    const device = new ModbusDevice(UNIT);
    device.faults = { echo: true };
    const { ask, bus } = await busRig([device]);
    await ask({ kind: "read", unitId: UNIT, table: "holdingRegister", address: 0, quantity: 1 });
    device.faults = { echo: true, silent: true };
    assert.deepEqual(withoutTime(await ask(request)), { kind: "silence", cause: "timeout" });
    await bus.close();
  }
});

test("P5: what does not answer a read is not written to, because an echo would look like its reply", async () => {
  const device = new ModbusDevice(UNIT);
  const { ask, bus, sent } = await busRig([device]);
  device.faults = { silent: true, echo: true };
  assert.equal((await ask(SETPOINT)).kind, "silence");
  assert.deepEqual(
    sent.map((frame) => frame[1]),
    [3],
  );
  await bus.close();
});

test("P5: a spoiled echo does not pass for none", async () => {
  const device = new ModbusDevice(UNIT);
  // A byte of the echo is wrong: noise, and then a right reply.
  device.faults = { noise: Uint8Array.of(UNIT, 3, 0, 1, 0, 1, 0, 0) };
  const { ask, bus } = await busRig([device]);
  assert.deepEqual(withoutTime(await ask(SETPOINT)), { kind: "silence", cause: "framing" });
  assert.equal(device.get("holdingRegister", 1), 0);
  await bus.close();
});

test("P5: a late reply to a read is not that to a write, nor the other way round", async () => {
  const device = new ModbusDevice(UNIT);
  const script: Faults[] = [{}, { delayMs: 400 }, { silent: true }, { delayMs: 400 }, { silent: true }];
  device.faults = () => script.shift() ?? {};
  const { ask, bus } = await busRig([device]);
  const read: BusRequest = { kind: "read", unitId: UNIT, table: "holdingRegister", address: 9, quantity: 2 };
  assert.equal((await ask({ ...read, quantity: 1 })).kind, "data");
  for (const request of [read, SETPOINT, SETPOINT, read]) assert.equal((await ask(request)).kind, "silence");
  await bus.close();
});

test("P5: the late reply to a write is not that to another one of the same form", async () => {
  const device = new ModbusDevice(UNIT);
  const { ask, bus, clock } = await busRig([device]);
  const write = (value: number): BusRequest => ({ kind: "writeRegisters", unitId: UNIT, address: 1, values: [value] });
  device.faults = { delayMs: 400 };
  assert.equal((await ask(write(5))).kind, "silence");
  device.faults = { silent: true };
  const before = clock.monotonicMs();
  assert.equal((await ask(write(7))).kind, "silence");
  assert.ok(clock.monotonicMs() - before >= 1_000, "it waited until none could come any more");
  await bus.close();
});

test("P5: a write repeated at once need not wait; with another one between it must", async () => {
  const device = new ModbusDevice(UNIT);
  const { ask, bus, clock } = await busRig([device]);
  assert.equal((await ask(SETPOINT)).kind, "written");
  const clearAtMs = (request: BusRequest) => bus.clearAtMs(request, clock.monotonicMs());
  assert.equal(clearAtMs(SETPOINT), clearAtMs({ ...SETPOINT, address: 2 }));
  assert.equal((await ask({ ...SETPOINT, value: 4 })).kind, "written");
  assert.ok(clearAtMs(SETPOINT) > clearAtMs({ ...SETPOINT, value: 9 }));
  await bus.close();
});
