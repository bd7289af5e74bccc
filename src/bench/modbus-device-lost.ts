/**
 * From a device's death to its tags not Good, on a real terminal. A death right after a read is found by the next
 * one: the limit is scan period + (1 + retries) × responseTimeout.
 *
 *     node --import tsx src/bench/modbus-device-lost.ts
 */
import { stdout } from "node:process";
import { hostClock, sleep } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import { createModbusSource } from "../sources/modbus/modbus-source.ts";
import { serialportLine } from "../sources/modbus/serialport-line.ts";
import { deviceConfig, lineConfig, registerTag } from "../testing/modbus-config.ts";
import { ModbusDevice } from "../testing/modbus-device.ts";
import { openPtyPair } from "../testing/pty.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { serveDevices } from "../testing/simulated-bus.ts";

const DEATHS = 10;
const SCAN_RATE_MS = 500;
const RESPONSE_TIMEOUT_MS = 200;
const RETRIES = 1;
const LIMIT_MS = SCAN_RATE_MS + (1 + RETRIES) * RESPONSE_TIMEOUT_MS;
/** So many failed reads that the device is never given up between two deaths. */
const LOST_AFTER = 1_000;

const tag = registerTag("pump", "value", { table: "holdingRegister", address: 0 }, { scanRateMs: SCAN_RATE_MS });
const device = new ModbusDevice(1);
const pty = await openPtyPair();
const stopDevices = serveDevices(pty.master, [device], hostClock);
const sink = new RecordingSink(hostClock);
const source = createModbusSource({
  line: lineConfig(
    pty.path,
    [deviceConfig("pump", device.unitId, [tag], { retries: RETRIES, lostAfter: LOST_AFTER })],
    { responseTimeoutMs: RESPONSE_TIMEOUT_MS },
  ),
  sink,
  clock: hostClock,
  random: hostRandom,
  log: silentLog,
  openLine: serialportLine,
});

/** Dies at another moment of the scan period each time, comes back, and tells how long nobody knew. */
async function die(nth: number): Promise<number> {
  const reads = sink.of(tag.id).length;
  await sink.until("it is read", (s) => s.of(tag.id).length > reads && s.latest(tag.id)?.status === "Good");
  await sleep(hostClock, (SCAN_RATE_MS * nth) / DEATHS);
  const diedAtMs = hostClock.monotonicMs();
  device.faults = { silent: true };
  await sink.until("it is not Good", (s) => s.latest(tag.id)?.status !== "Good");
  const unknownMs = hostClock.monotonicMs() - diedAtMs;
  device.faults = {};
  return unknownMs;
}

const times: number[] = [];
source.start();
try {
  for (let nth = 0; nth < DEATHS; nth++) times.push(await die(nth));
} finally {
  await source.stop();
  stopDevices();
  await pty.close();
}
stdout.write(`modbus.device-lost.max ${Math.max(...times).toFixed(1)} ms ${LIMIT_MS}\n`);
