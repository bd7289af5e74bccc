import assert from "node:assert/strict";
import { test } from "node:test";
import type { SerialSettings } from "../src/config/config.ts";
import { hostClock } from "../src/core/clock.ts";
import type { SerialLine } from "../src/sources/modbus/serial-line.ts";
import { serialportLine } from "../src/sources/modbus/serialport-line.ts";
import { Condition } from "../src/testing/condition.ts";

const WIRING =
  "no rig: join two RS-485 ports, A to A and B to B (and ground), and name them: SALLYPORT_HW_LINE=/dev/ttyUSB0,/dev/ttyUSB1";

const SETTINGS: readonly SerialSettings[] = [
  { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 },
  { baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 },
  { baudRate: 38_400, dataBits: 8, parity: "odd", stopBits: 1 },
  { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 2 },
];

const LONGEST_FRAME = Uint8Array.from({ length: 256 }, (_, i) => i);
/** A frame takes 0.3 s at 9600 baud; adapters and their drivers may hold it for as long again. */
const FRAME_LIMIT_MS = 2_000;

/** Sends a frame and waits until the other end has it. */
async function pass(from: SerialLine, to: SerialLine): Promise<void> {
  const condition = new Condition(hostClock);
  let heard = Buffer.alloc(0);
  to.onData = (bytes) => {
    heard = Buffer.concat([heard, bytes]);
    condition.changed();
  };
  const isComplete = () => heard.length >= LONGEST_FRAME.length;
  await from.write(LONGEST_FRAME);
  await condition.until("the frame is in", isComplete, FRAME_LIMIT_MS, () => `(heard ${heard.toString("hex")})`);
  assert.deepEqual(new Uint8Array(heard), LONGEST_FRAME);
}

test("every byte passes between two real ports, both ways, at the usual settings", async (t) => {
  const [first, second] = process.env.SALLYPORT_HW_LINE?.split(",") ?? [];
  if (first === undefined || second === undefined) return t.skip(WIRING);
  for (const serial of SETTINGS) {
    await t.test(`${serial.baudRate} baud, parity ${serial.parity}, ${serial.stopBits} stop bits`, async () => {
      const a = serialportLine({ path: first, serial, rs485: "auto" });
      const b = serialportLine({ path: second, serial, rs485: "auto" });
      try {
        await a.open();
        await b.open();
        await pass(a, b);
        await pass(b, a);
      } finally {
        await a.close();
        await b.close();
      }
    });
  }
});
