import assert from "node:assert/strict";
import { test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { serialportLine } from "../sources/modbus/serialport-line.ts";
import { lineContract } from "./line-contract.ts";
import { simulatedRig, terminalRig } from "./line-rigs.ts";
import { lineConfig } from "./modbus-config.ts";
import { openPtyPair } from "./pty.ts";

lineContract("serial port on a terminal by socat", () => terminalRig("socat"));
lineContract("serial port on a terminal by script", () => terminalRig("script"));

test("a serial port in use is refused to a second one, in words, until it is closed", async () => {
  const pty = await openPtyPair();
  const [first, second] = [pty, pty].map((p) => serialportLine(lineConfig(p.path, [])));
  assert.ok(first !== undefined && second !== undefined);
  try {
    await first.open();
    await assert.rejects(second.open(), /in use/);
    await first.close();
    await second.open();
  } finally {
    await first.close();
    await second.close();
    await pty.close();
  }
});

lineContract("simulated line", async () =>
  simulatedRig(hostClock, { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 }),
);

test("a serial port that cannot be set up is left closed, and fails in the same way the next time", async () => {
  const pty = await openPtyPair();
  // A terminal has no RTS line.
  const line = serialportLine(lineConfig(pty.path, [], { rs485: "rts" }));
  const plain = serialportLine(lineConfig(pty.path, []));
  try {
    await assert.rejects(line.open(), /ioctl/);
    await assert.rejects(line.open(), /ioctl/);
    await plain.open();
  } finally {
    await line.close();
    await plain.close();
    await pty.close();
  }
});
