/** The devices of a line that are switched on: what is known of each, by name and by unit. */
import type { DeviceConfig, LineConfig } from "../../config/config.ts";
import { assert } from "../../core/errors.ts";
import type { DeviceReport } from "../../pipeline.ts";
import { type DeviceState, SERVING } from "./device-state.ts";
import { DeviceMeter } from "./line-meter.ts";

export interface LineDevice {
  readonly config: DeviceConfig;
  readonly meter: DeviceMeter;
  state: DeviceState;
}

export class DeviceRoster {
  readonly #configured: readonly DeviceConfig[];
  readonly #byName = new Map<string, LineDevice>();

  constructor({ devices }: LineConfig) {
    this.#configured = devices;
    for (const config of devices.filter((device) => device.enabled)) {
      this.#byName.set(config.name, { config, meter: new DeviceMeter(), state: SERVING });
    }
  }

  all(): readonly LineDevice[] {
    return [...this.#byName.values()];
  }

  of(name: string): LineDevice {
    const device = this.#byName.get(name);
    assert(device !== undefined, "a read of no device");
    return device;
  }

  ofUnit(unitId: number): LineDevice | undefined {
    return this.all().find(({ config }) => config.unitId === unitId);
  }

  meters(): ReadonlyMap<number, DeviceMeter> {
    return new Map(this.all().map(({ config, meter }) => [config.unitId, meter]));
  }

  /** Mean; 0 before the first reply. */
  responseTimeMs(name: string): number {
    return this.of(name).meter.responseTimeMs;
  }

  /** Of those that are switched off, too. */
  report(): readonly DeviceReport[] {
    return this.#configured.map(({ name }) => {
      const device = this.#byName.get(name);
      const lost = device !== undefined && device.state.phase !== "serving";
      return (device?.meter ?? new DeviceMeter()).report(name, lost);
    });
  }
}
