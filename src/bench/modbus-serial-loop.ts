/** `modbus-serial-loop.ts TTY BAUD DEVICES REGISTERS`: modbus-serial as its documentation shows it, with a pause of 2 ms. */
import modbusSerial from "modbus-serial";
import { hostClock, sleep } from "../core/clock.ts";

const PAUSE_MS = 2;
const RESPONSE_TIMEOUT_MS = 300;

const [path = "", baudRate, devices, registers] = process.argv.slice(2);
const client = new modbusSerial.default();
await client.connectRTUBuffered(path, { baudRate: Number(baudRate), parity: "even", dataBits: 8, stopBits: 1 });
client.setTimeout(RESPONSE_TIMEOUT_MS);
for (let unitId = 1; ; unitId = (unitId % Number(devices)) + 1) {
  client.setID(unitId);
  await client.readHoldingRegisters(0, Number(registers)).catch(() => undefined);
  await sleep(hostClock, PAUSE_MS);
}
