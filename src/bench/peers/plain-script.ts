/**
 * `plain-script SETTINGS.json`: what one writes in an afternoon with modbus-serial and mqtt.js, as their documentation
 * shows it: a loop over the devices of each line, a timeout, what fails is left out, one message a read at QoS 1.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import modbusSerial from "modbus-serial";
import mqtt from "mqtt";
import { hostClock, sleep } from "../../core/clock.ts";

export interface ScriptSettings {
  readonly broker: string;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly lines: readonly string[];
  readonly baudRate: number;
  readonly units: readonly number[];
  readonly blocks: readonly number[];
  readonly registers: number;
  readonly scanMs: number;
  readonly timeoutMs: number;
}

const [, , file = ""] = process.argv;
const settings = JSON.parse(readFileSync(file, "utf8")) as ScriptSettings;
const client = mqtt.connect(settings.broker, {
  ca: readFileSync(settings.ca),
  cert: readFileSync(settings.certificate),
  key: readFileSync(settings.key),
  clientId: "plain-script",
  clean: false,
});
client.on("error", (error) => process.stderr.write(`${error.message}\n`));
for (const [at, path] of settings.lines.entries()) void poll(at + 1, path);

async function poll(line: number, path: string): Promise<void> {
  const bus = new modbusSerial.default();
  await bus.connectRTUBuffered(path, { baudRate: settings.baudRate });
  bus.setTimeout(settings.timeoutMs);
  for (;;) {
    const begunMs = hostClock.monotonicMs();
    for (const unit of settings.units) {
      for (const block of settings.blocks) {
        bus.setID(unit);
        try {
          const { data } = await bus.readHoldingRegisters(block, settings.registers);
          client.publish(`${line}/${unit}/${block}`, JSON.stringify({ t: hostClock.wallMs(), values: data }), {
            qos: 1,
          });
        } catch {
          // The next round asks again.
        }
      }
    }
    await sleep(hostClock, begunMs + settings.scanMs - hostClock.monotonicMs());
  }
}
