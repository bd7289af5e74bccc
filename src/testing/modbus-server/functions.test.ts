/** Every function of the bus against a server that is not ours. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hostClock } from "../../core/clock.ts";
import { Bus } from "../../sources/modbus/bus.ts";
import type { BusRequest } from "../../sources/modbus/bus-request.ts";
import { serialportLine } from "../../sources/modbus/serialport-line.ts";
import { lineConfig } from "../modbus-config.ts";
import { openPtyPair } from "../pty.ts";
import { startModbusServer } from "./modbus-server.ts";

const UNIT = 17;
const SERIAL = { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 } as const;

/** A place from 400 on, where register n holds n. */
const PLACE = 500;
const COILS = [true, true, false, true, false, false, true, false, true, true, true];

const held = (quantity: number, address = PLACE): BusRequest => {
  return { kind: "read", unitId: UNIT, table: "holdingRegister", address, quantity };
};
const coils: BusRequest = { kind: "read", unitId: UNIT, table: "coil", address: 8, quantity: COILS.length };
const at = { unitId: UNIT, address: PLACE };

/** In this order, each with what comes back. */
const STEPS: readonly (readonly [BusRequest, string])[] = [
  [held(1), "data 01f4"],
  [{ kind: "writeRegister", ...at, value: 0xbeef }, "written"],
  [held(2), "data beef01f5"],
  [{ kind: "writeRegisters", ...at, values: [1, 2, 0xffff] }, "written"],
  [held(3), "data 00010002ffff"],
  [{ kind: "maskRegister", ...at, address: PLACE + 2, andMask: 0xf2, orMask: 0x25 }, "written"],
  [held(4), "data 0001000200f701f7"],
  [{ kind: "writeThenRead", ...at, values: [7, 8], readAddress: PLACE - 1, quantity: 4 }, "data 01f30007000800f7"],
  [{ kind: "writeCoils", unitId: UNIT, address: 8, values: COILS }, "written"],
  [coils, "data 4b07"],
  [{ kind: "writeCoil", unitId: UNIT, address: 4, value: true }, "written"],
  [{ kind: "writeCoil", unitId: UNIT, address: 3, value: false }, "written"],
  [{ kind: "read", unitId: UNIT, table: "coil", address: 0, quantity: 8 }, "data 51"],
  [{ kind: "writeRegister", unitId: UNIT, address: 1_000, value: 1 }, "exception 2"],
];

test("P5: what is written is what a server that is not ours holds, and is read back", async () => {
  const [gatewaySide, serverSide] = await Promise.all([openPtyPair(), openPtyPair()]);
  gatewaySide.master.pipe(serverSide.master).pipe(gatewaySide.master);
  const server = await startModbusServer(serverSide.path, UNIT);
  const config = lineConfig(gatewaySide.path, [], { serial: SERIAL, responseTimeoutMs: 2_000 });
  const line = serialportLine(config);
  const nothing = () => undefined;
  const bus = new Bus({ line, config, clock: hostClock, meters: new Map(), onLost: nothing, onSuspect: nothing });
  await bus.open();
  try {
    for (const [request, expected] of STEPS) {
      const outcome = await bus.execute(request);
      const data = outcome.kind === "data" ? ` ${Buffer.from(outcome.data).toString("hex")}` : "";
      const code = outcome.kind === "exception" ? ` ${outcome.exceptionCode}` : "";
      assert.equal(`${outcome.kind}${data}${code}`, expected, JSON.stringify(request));
    }
    const told = await bus.execute({ kind: "serverId", unitId: UNIT });
    assert.ok(told.kind === "data");
    assert.match(Buffer.from(told.data).toString("latin1"), /LMB/);
  } finally {
    await bus.close();
    await server.stop();
    await gatewaySide.close();
    await serverSide.close();
  }
});
