/**
 * `sallyport-loop.ts BAUD DEVICES REGISTERS TTY...`: the gateway's own source on each line, every read always due.
 * At SIGTERM it prints how many readings were Good, and how many were not.
 */
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import type { TagSink } from "../pipeline.ts";
import { createModbusSource } from "../sources/modbus/modbus-source.ts";
import { serialportLine } from "../sources/modbus/serialport-line.ts";
import { deviceConfig, lineConfig, registerTag } from "../testing/modbus-config.ts";

const SCAN_RATE_MS = 1;

const [baudRate, devices, registers, ...paths] = process.argv.slice(2);
let good = 0;
let other = 0;
const sink: TagSink = {
  read(readings) {
    for (const { status } of readings) {
      if (status === "Good") good += 1;
      else other += 1;
    }
  },
  presence: () => undefined,
};
const sources = paths.map((path, index) => {
  const configs = Array.from({ length: Number(devices) }, (_, i) => {
    const name = `meter-${index}-${i + 1}`;
    const tags = Array.from({ length: Number(registers) }, (_, address) =>
      registerTag(name, `r${address}`, { table: "holdingRegister", address }, { scanRateMs: SCAN_RATE_MS }),
    );
    return deviceConfig(name, i + 1, tags);
  });
  const serial = { baudRate: Number(baudRate), dataBits: 8, parity: "even", stopBits: 1 } as const;
  const line = lineConfig(path, configs, { serial });
  const surroundings = { clock: hostClock, random: hostRandom, log: silentLog, openLine: serialportLine };
  return createModbusSource({ line, sink, ...surroundings });
});
for (const source of sources) source.start();
process.once("SIGTERM", async () => {
  await Promise.all(sources.map((source) => source.stop()));
  process.stdout.write(`${JSON.stringify({ good, other })}\n`, () => process.exit(0));
});
