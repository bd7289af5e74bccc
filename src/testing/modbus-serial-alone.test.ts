/** The same faults, byte for byte, met by modbus-serial on its own port and by ours: why there is ours. */
import assert from "node:assert/strict";
import { test } from "node:test";
import modbusSerial from "modbus-serial";
import { hostClock } from "../core/clock.ts";
import { FarEnd, type FaultTiming, FIRST_ADDRESS, NEXT_ADDRESS, runFault, UNIT } from "./bus-fault-rig.ts";
import { type BusFault, doubledFaults, FAULTED_READS, type FaultedRead, lateFaults } from "./bus-faults.ts";
import type { LineRig } from "./line-contract.ts";
import { terminalRig } from "./line-rigs.ts";

const TIMING: FaultTiming = { responseTimeoutMs: 50, maxLateMs: 200, lateMs: 90 };

const REGISTERS = FAULTED_READS.filter(({ table }) => table === "holdingRegister");
const CASES = REGISTERS.flatMap((read) => [...lateFaults(read), ...doubledFaults()].map((fault) => ({ read, fault })));

/** Reads after the fault until a value comes; whether that value was held then. */
async function isTrueByLibrary(rig: LineRig, path: string, read: FaultedRead, fault: BusFault): Promise<boolean> {
  const client = new modbusSerial.default();
  const far = new FarEnd(rig, hostClock, read, fault, TIMING);
  await client.connectRTUBuffered(path, { baudRate: 19_200, parity: "even" });
  client.setID(UNIT);
  client.setTimeout(TIMING.responseTimeoutMs);
  const valueAt = (address: number) =>
    client.readHoldingRegisters(address, read.quantity).then(
      ({ buffer }) => Buffer.compare(buffer, far.held) === 0,
      () => undefined,
    );
  try {
    if ((await valueAt(FIRST_ADDRESS)) === false) return false;
    await far.done();
    for (;;) {
      const isTrue = await valueAt(NEXT_ADDRESS);
      if (isTrue !== undefined) return isTrue;
    }
  } finally {
    await new Promise<void>((resolve) => client.close(() => resolve()));
  }
}

test("P5: on the same bytes modbus-serial alone takes wrong values, and our port takes none", async (t) => {
  const wrong: string[] = [];
  const rig = await terminalRig();
  try {
    for (const { read, fault } of CASES) {
      if (!(await isTrueByLibrary(rig, rig.path, read, fault))) wrong.push(fault.name);
    }
    // Throws at the first value that was not held.
    for (const { read, fault } of CASES) await runFault(rig, hostClock, read, fault, TIMING);
  } finally {
    await rig.end();
  }
  t.diagnostic(`of ${CASES.length} values after a fault wrong: ${wrong.length} by modbus-serial alone, 0 by ours`);
  assert.ok(wrong.length >= CASES.length / 2, wrong.join(", "));
});
