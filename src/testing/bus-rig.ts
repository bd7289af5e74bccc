/** A bus on a simulated line in virtual time, for what is asked of it directly. */
import type { DeviceConfig, LineConfig } from "../config/config.ts";
import { Bus } from "../sources/modbus/bus.ts";
import type { BusOutcome, BusRequest } from "../sources/modbus/bus-request.ts";
import { DeviceMeter } from "../sources/modbus/line-meter.ts";
import { lineConfig } from "./modbus-config.ts";
import type { ModbusDevice } from "./modbus-device.ts";
import { SimulatedLine } from "./simulated-line.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { passWhile } from "./virtual-wait.ts";

export interface BusRig {
  readonly clock: VirtualClock;
  readonly line: SimulatedLine;
  readonly bus: Bus;
  readonly meter: DeviceMeter;
  /** Units whose replies came unasked. */
  readonly suspects: number[];
  /** Every frame that the bus has sent. */
  readonly sent: Uint8Array[];
  readonly ask: (request: BusRequest) => Promise<BusOutcome>;
}

export interface BusRigOptions {
  readonly line?: Partial<LineConfig>;
  readonly configs?: readonly DeviceConfig[];
  readonly chunkBytes?: number;
}

/** An open bus. Its meter is that of the first device. */
export async function busRig(devices: readonly ModbusDevice[], options: BusRigOptions = {}): Promise<BusRig> {
  const clock = new VirtualClock(undefined, 1);
  const config = lineConfig("/dev/simulated", options.configs ?? [], options.line);
  const chunks = options.chunkBytes === undefined ? {} : { chunkBytes: options.chunkBytes };
  const line = new SimulatedLine({ clock, devices, serial: config.serial, ...chunks });
  const sent: Uint8Array[] = [];
  line.onWritten = (bytes) => sent.push(bytes);
  const meter = new DeviceMeter();
  const suspects: number[] = [];
  const bus = new Bus({
    line,
    config,
    clock,
    meters: new Map(devices.slice(0, 1).map(({ unitId }) => [unitId, meter])),
    onLost: () => undefined,
    onSuspect: (unitId) => suspects.push(unitId),
  });
  await bus.open();
  return {
    clock,
    line,
    bus,
    meter,
    suspects,
    sent,
    ask: (request) => passWhile(clock, request.kind, bus.execute(request)),
  };
}
