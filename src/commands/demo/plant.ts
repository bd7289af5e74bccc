/** The demo's plant: a power meter, a pump and a tank on one line, with values that move as such things do. */
import type { ByteOrder } from "../../config/config.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { registerWords } from "../../testing/register-words.ts";

const METER_UNIT = 1;
const PUMP_UNIT = 2;
const TANK_UNIT = 3;
const PUMP_SPEED_RPM = 1480;
const SUPPLY_VOLTS = 230;

export interface Plant {
  readonly devices: readonly ModbusDevice[];
  /** Moves every value to where it is `nowMs` after the start. */
  move(nowMs: number): void;
  setPumpDead(dead: boolean): void;
}

/** The lines and inputs of gateway.yaml for this plant. The door's pin is one of the simulated chip. */
export function plantYaml(linePath: string): string {
  return `lines:
  RS485-1:
    path: ${JSON.stringify(linePath)}
    serial: 19200 8E1
    devices:
      meter:
        unitId: ${METER_UNIT}
        scanRate: 1s
        tags:
          voltage:   { inputRegister: 0, type: float32, units: V, deadband: 0.2 }
          power:     { inputRegister: 12, type: float32, units: W, deadband: 5 }
          energy:    { inputRegister: 72, type: float32, units: kWh, deadband: 0.01 }
      pump:
        unitId: ${PUMP_UNIT}
        scanRate: 500ms
        tags:
          speed:     { register: 40101, type: float32, byteOrder: CDAB, units: rpm, deadband: 0.5 }
          current:   { holdingRegister: 104, type: int16, scale: 0.01, units: A, deadband: 0.02 }
          running:   { coil: 3 }
          fault:     { holdingRegister: 120, bit: 4, priority: high }
      tank:
        unitId: ${TANK_UNIT}
        scanRate: 1s
        tags:
          level:     { register: 30001, type: uint16, scale: 0.1, units: "%", deadband: 0.1, min: 0, max: 100 }
          temperature: { register: 30002, type: int16, scale: 0.1, units: "°C", deadband: 0.1 }
inputs:
  door: { pin: { chip: simulated, line: 1 }, debounce: 20ms }
`;
}

export function createPlant(): Plant {
  const meter = new ModbusDevice(METER_UNIT);
  const pump = new ModbusDevice(PUMP_UNIT);
  const tank = new ModbusDevice(TANK_UNIT);
  return {
    devices: [meter, pump, tank],
    move(nowMs) {
      const s = nowMs / 1000;
      const load = 0.7 + 0.3 * Math.sin(s / 7);
      meter.set("inputRegister", 0, ...float32(SUPPLY_VOLTS + 1.5 * Math.sin(s / 3)));
      meter.set("inputRegister", 12, ...float32(5200 * load));
      meter.set("inputRegister", 72, ...float32(48211.4 + s / 60));
      pump.set("holdingRegister", 100, ...float32(PUMP_SPEED_RPM + 12 * Math.sin(s / 2), "CDAB"));
      pump.set("holdingRegister", 104, Math.round(1120 * load));
      pump.set("coil", 3, 1);
      tank.set("inputRegister", 0, Math.round(620 + 80 * Math.sin(s / 11)));
      tank.set("inputRegister", 1, Math.round(184 + 6 * Math.sin(s / 29)));
    },
    setPumpDead(dead) {
      pump.faults = { silent: dead };
    },
  };
}

function float32(value: number, byteOrder: ByteOrder = "ABCD"): readonly number[] {
  return registerWords({ type: "float32", byteOrder }, value);
}
