/**
 * A scan by the real command on a real terminal and a real port: `npm run prove:scan`, shorter with `-- --units 1-20`.
 * Five devices at four speeds, one of them libmodbus, one pymodbus; ends with 1 unless all are found in the time that was foretold,
 * give or take a fifth. A terminal keeps speeds and no parity: those are proved in virtual time, by scanner.test.ts.
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import { ModbusDevice } from "./modbus-device.ts";
import { startModbusServer, startPymodbus } from "./modbus-server/modbus-server.ts";
import { openPtyPair, type PtyPair } from "./pty.ts";
import { serveDevices } from "./simulated-bus.ts";
import { runInTerminal } from "./terminal-run.ts";

const SETTINGS = ["9600 8N1", "19200 8E1", "38400 8N1", "115200 8N1"];
const TOLERANCE = 0.2;
const LIBMODBUS_UNIT = 3;
const LIBMODBUS_BAUD = 19_200;
const PYMODBUS_UNIT = 12;
const PYMODBUS_BAUD = 9_600;
const FORETOLD = /settings?: (?:(\d+) min )?(\d+) s/;

const { values } = parseArgs({
  options: { units: { type: "string", default: "1-20" }, timeout: { type: "string", default: "600ms" } },
});
const tell = (line: string) => void process.stdout.write(`${line}\n`);

const port = await openPtyPair();
const server = await openPtyPair();
const libmodbus = await startModbusServer(server.path, LIBMODBUS_UNIT);
const other = await openPtyPair();
const pymodbus = await startPymodbus(other.path, PYMODBUS_UNIT, PYMODBUS_BAUD);
const stop = serveDevices(port.master, [named(1, 9_600), named(1, 38_400), named(16, 115_200)], hostClock);
port.master.on("data", (bytes: Uint8Array) => {
  const speed = speedOf(port);
  if (speed === LIBMODBUS_BAUD) server.master.write(bytes);
  // pymodbus 3.0 loses the request that follows one to another unit.
  if (speed === PYMODBUS_BAUD && bytes[0] === PYMODBUS_UNIT) other.master.write(bytes);
});
other.master.on("data", (bytes: Uint8Array) => port.master.write(bytes));
server.master.on("data", (bytes: Uint8Array) => port.master.write(bytes));

const settings = SETTINGS.flatMap((serial) => ["--serial", serial]);
const command = runInTerminal(
  ["scan", port.path, "--listen", "0", "--units", values.units, "--timeout", values.timeout, ...settings],
  {},
);
await command.until(FORETOLD);
const beganMs = hostClock.monotonicMs();
const found = await foundByTheEnd();
const tookS = (hostClock.monotonicMs() - beganMs) / 1_000;
stop();
await libmodbus.stop();
await pymodbus.stop();
await other.close();
await server.close();
await port.close();

const [, minutes = "0", seconds = "0"] = FORETOLD.exec(command.text()) ?? [];
const foretoldS = Number(minutes) * 60 + Number(seconds);
const off = tookS / foretoldS - 1;
for (const line of command.text().match(/found {2}unit.*/g) ?? []) tell(line.trimEnd());
tell(`foretold ${foretoldS} s, took ${tookS.toFixed(1)} s: ${(off * 100).toFixed(1)} % off; ${found} of 5 found`);
process.exit(found === 5 && Math.abs(off) <= TOLERANCE ? 0 : 1);

/** The command may take minutes, longer than one wait for something to be shown. */
async function foundByTheEnd(): Promise<number> {
  for (;;) {
    const code = await command.ended().catch(() => undefined);
    if (code !== undefined) return (command.text().match(/found {2}unit/g) ?? []).length;
  }
}

function named(unitId: number, baudRate: number): ModbusDevice {
  const device = new ModbusDevice(unitId);
  device.identification = new Map([
    [0, "Acme"],
    [1, `F-${unitId}`],
  ]);
  device.faults = () => (speedOf(port) === baudRate ? {} : { silent: true });
  return device;
}

function speedOf({ path }: PtyPair): number {
  return Number(execFileSync("stty", ["-F", path, "speed"], { encoding: "utf8" }));
}
