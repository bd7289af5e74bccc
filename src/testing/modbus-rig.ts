/** A Modbus source on a simulated line in virtual time, and devices whose values tell where and when they were read. */
import type { DeviceConfig, LineConfig, RegisterTag } from "../config/config.ts";
import { type Log, silentLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import type { Reading } from "../pipeline.ts";
import { createModbusSource, type ModbusSource } from "../sources/modbus/modbus-source.ts";
import { lineConfig, registerTag } from "./modbus-config.ts";
import { type Faults, ModbusDevice } from "./modbus-device.ts";
import { RecordingSink } from "./recording-sink.ts";
import { SimulatedLine } from "./simulated-line.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface ModbusRig {
  readonly clock: VirtualClock;
  readonly sink: RecordingSink;
  readonly line: SimulatedLine;
  readonly source: ModbusSource;
  readonly end: () => Promise<void>;
}

export interface ModbusRigOptions {
  readonly line?: Partial<LineConfig>;
  readonly chunkBytes?: number;
  readonly log?: Log;
  /** Sees every reading as it is told. */
  readonly witness?: (reading: Reading) => void;
}

export function modbusRig(
  devices: readonly ModbusDevice[],
  configs: readonly DeviceConfig[],
  options: ModbusRigOptions = {},
): ModbusRig {
  const clock = new VirtualClock();
  const sink = new RecordingSink(clock);
  const chunks = options.chunkBytes === undefined ? {} : { chunkBytes: options.chunkBytes };
  const serial = options.line?.serial === undefined ? {} : { serial: options.line.serial };
  const line = new SimulatedLine({ clock, devices, ...chunks, ...serial });
  const source = createModbusSource({
    line: lineConfig("/dev/simulated", configs, options.line),
    sink: {
      read: (readings, atMs) => {
        for (const reading of readings) options.witness?.(reading);
        sink.read(readings, atMs);
      },
      presence: (device, presence, atMs) => sink.presence(device, presence, atMs),
    },
    clock,
    random: seededRandom(1),
    log: options.log ?? silentLog,
    openLine: () => line,
  });
  source.start();
  return { clock, sink, line, source, end: () => source.stop() };
}

/** Tags on consecutive holding registers, from `address`. */
export function registers(
  device: string,
  address: number,
  count: number,
  more: Partial<RegisterTag> = {},
): RegisterTag[] {
  return Array.from({ length: count }, (_, i) =>
    registerTag(device, `r${address + i}`, { table: "holdingRegister", address: address + i }, more),
  );
}

/** Every register holds its own address. */
export function deviceOfAddresses(unitId: number): ModbusDevice {
  const device = new ModbusDevice(unitId);
  for (let address = 0; address < 2_000; address++) device.set("holdingRegister", address, address);
  return device;
}

/** A register's value tells its address and which request it was read by. */
export function versionOf(address: number, request: number): number {
  return ((address & 0xff) << 8) | (request & 0xff);
}

export function versionedDevice(unitId: number, addresses: readonly number[], faults: () => Faults): ModbusDevice {
  const device = new ModbusDevice(unitId);
  device.faults = () => {
    for (const address of addresses) device.set("holdingRegister", address, versionOf(address, device.requests));
    return faults();
  };
  return device;
}
