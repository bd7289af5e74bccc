/**
 * Devices that count: every reply carries the next number in each of its registers. So each read is a change of
 * every tag, and what is missing at the far end shows as a hole, whatever the gateway itself believes.
 */
import { writeFile } from "node:fs/promises";
import { hostClock } from "../core/clock.ts";
import { ModbusDevice } from "./modbus-device.ts";
import { openPtyPair, type PtyPair } from "./pty.ts";
import { serveDevices } from "./simulated-bus.ts";

export interface CountingPlantOptions {
  readonly lines: number;
  readonly devicesPerLine: number;
  readonly tagsPerDevice: number;
  readonly scanRateMs: number;
  /** Every reply carries the same number: nothing ever changes. */
  readonly still?: true;
  /** The first number, less one; default 0. */
  readonly countedBefore?: number;
  /** Gets a device model with the tags; absent: they are written out for each device. */
  readonly modelFile?: string;
}

/** One reply of a device: its number stands in all its tags. */
export interface ServedReply {
  readonly count: number;
  readonly wallMs: number;
}

export interface CountingPlant {
  /** The `lines:` section of gateway.yaml. */
  readonly yaml: string;
  readonly tagsPerDevice: number;
  /** By device name, oldest first. */
  readonly served: ReadonlyMap<string, readonly ServedReply[]>;
  /** Devices answer no more, so that the books can be closed. */
  fallSilent(): void;
  close(): Promise<void>;
}

/** A uint16 must not wrap: a count stands for one reply. */
const COUNT_MAX = 65_535;
const STILL = 4_711;

export async function openCountingPlant(options: CountingPlantOptions): Promise<CountingPlant> {
  if (options.modelFile !== undefined) await writeFile(options.modelFile, modelText(options));
  const served = new Map<string, ServedReply[]>();
  const pairs: PtyPair[] = [];
  const stops: (() => void)[] = [];
  const devices: ModbusDevice[] = [];
  let yaml = "lines:\n";
  for (let line = 1; line <= options.lines; line++) {
    const pair = await openPtyPair();
    pairs.push(pair);
    const onLine = Array.from({ length: options.devicesPerLine }, (_, i) =>
      options.still
        ? stillDevice(i + 1, options.tagsPerDevice)
        : countingDevice(i + 1, options.tagsPerDevice, replies(served, deviceName(line, i + 1)), options.countedBefore),
    );
    devices.push(...onLine);
    stops.push(serveDevices(pair.master, onLine, hostClock));
    yaml += lineYaml(line, pair.path, options);
  }
  return {
    yaml,
    tagsPerDevice: options.tagsPerDevice,
    served,
    fallSilent() {
      for (const device of devices) device.faults = { silent: true };
    },
    async close() {
      for (const stop of stops) stop();
      await Promise.all(pairs.map((pair) => pair.close()));
    },
  };
}

function stillDevice(unitId: number, registers: number): ModbusDevice {
  const device = new ModbusDevice(unitId);
  device.set("holdingRegister", 0, ...new Array<number>(registers).fill(STILL));
  return device;
}

/** @param log gets each reply as it is given */
export function countingDevice(unitId: number, registers: number, log: ServedReply[], countedBefore = 0): ModbusDevice {
  const device = new ModbusDevice(unitId);
  device.faults = () => {
    const count = countedBefore + log.length + 1;
    if (count > COUNT_MAX) throw new Error("a counting device ran out of numbers");
    device.set("holdingRegister", 0, ...new Array<number>(registers).fill(count));
    log.push({ count, wallMs: hostClock.wallMs() });
    return {};
  };
  return device;
}

function replies(served: Map<string, ServedReply[]>, device: string): ServedReply[] {
  const log: ServedReply[] = [];
  served.set(device, log);
  return log;
}

function deviceName(line: number, unitId: number): string {
  return `d${line}-${unitId}`;
}

/** responseTimeout is generous: on a busy test machine the simulated devices are late for reasons of their own. */
function lineYaml(line: number, path: string, options: CountingPlantOptions): string {
  const { modelFile } = options;
  const content = modelFile === undefined ? `tags: { ${tagTexts(options).join(", ")} }` : `model: ${modelFile}`;
  const devices = Array.from(
    { length: options.devicesPerLine },
    (_, i) => `      ${deviceName(line, i + 1)}:
        unitId: ${i + 1}
        scanRate: ${options.scanRateMs}ms
        ${content}
`,
  );
  return `  line-${line}:
    path: ${path}
    serial: 115200 8N1
    responseTimeout: 3s
    devices:
${devices.join("")}`;
}

function modelText(options: CountingPlantOptions): string {
  const lines = tagTexts(options).map((tag) => `  ${tag}\n`);
  return `name: counter\nmaker: nobody\nsource: this program\ntags:\n${lines.join("")}`;
}

function tagTexts({ tagsPerDevice }: CountingPlantOptions): readonly string[] {
  return Array.from({ length: tagsPerDevice }, (_, i) => `r${i}: { holdingRegister: ${i}, type: uint16 }`);
}
