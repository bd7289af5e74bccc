/** A line in virtual time whose cable does to replies what it is told, and what doctor says of it. */

import type { Finding } from "../../commands/doctor/finding.ts";
import { judgeLine } from "../../commands/doctor/judge-line.ts";
import { testLine } from "../../commands/doctor/line-test.ts";
import type { LineConfig, SerialSettings } from "../../config/config.ts";
import { assert } from "../../core/errors.ts";
import type { SerialLine } from "../../sources/modbus/serial-line.ts";
import { deviceConfig, lineConfig, registerTag } from "../modbus-config.ts";
import { ModbusDevice } from "../modbus-device.ts";
import { rtuFrame, takeRequest } from "../modbus-wire.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { passWhile } from "../virtual-wait.ts";

export interface Arrival {
  readonly afterMs: number;
  readonly bytes: Uint8Array;
}

/** What comes to the gateway's receiver after a request: the right reply, or what a fault of the cable makes of it. */
export type Cable = (
  reply: Uint8Array,
  asked: { readonly unitId: number; readonly nth: number; readonly adu: Uint8Array },
) => readonly Arrival[];

export interface CableSite {
  readonly cable?: Cable;
  /** At which settings the devices listen; absent: the configured ones. */
  readonly devicesAt?: SerialSettings;
  /** Heard while nobody asks. */
  readonly idle?: Uint8Array;
  readonly units?: readonly number[];
  readonly refuses?: boolean;
}

export const SERIAL: SerialSettings = { baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 };
export const LINE: LineConfig = lineConfig(
  "/dev/bench",
  [1, 2, 3].map((unitId) => {
    const name = `meter-${unitId}`;
    return deviceConfig(name, unitId, [
      registerTag(name, "power", { table: "holdingRegister", address: 10, type: "float32" }),
    ]);
  }),
);
export const REPLY_AFTER_MS = 20;
export const at = (bytes: Uint8Array, afterMs = REPLY_AFTER_MS): readonly Arrival[] => [{ afterMs, bytes }];

/** A port with real devices far away, and a cable between that does what it is told. */
export class CableBench implements SerialLine {
  onData: (bytes: Uint8Array) => void = () => undefined;
  onLost: (reason: string) => void = () => undefined;
  #open = false;
  #asked = 0;
  readonly #site: CableSite;
  readonly #serial: SerialSettings;
  readonly #clock: VirtualClock;

  constructor(site: CableSite, serial: SerialSettings, clock: VirtualClock) {
    this.#site = site;
    this.#serial = serial;
    this.#clock = clock;
  }

  async open(): Promise<void> {
    this.#open = true;
    const { idle } = this.#site;
    if (idle !== undefined) this.#arrive(at(idle));
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { cable = (reply) => at(reply), devicesAt = SERIAL, units = [1, 2, 3], refuses = false } = this.#site;
    const request = takeRequest(bytes)?.request;
    assert(request !== undefined, "doctor sends whole requests");
    const hears = JSON.stringify(devicesAt) === JSON.stringify(this.#serial);
    if (!hears || !units.includes(request.unitId)) return;
    const device = new ModbusDevice(request.unitId);
    device.set("holdingRegister", 10, 0x4248, 0x1357 + request.unitId);
    const pdu = refuses ? Uint8Array.of(0x83, 2) : device.answer(request.pdu);
    const asked = { unitId: request.unitId, nth: this.#asked++, adu: request.adu };
    this.#arrive(cable(rtuFrame(request.unitId, pdu), asked));
  }

  async discardInput(): Promise<void> {}
  pause(): void {}
  resume(): void {}
  async close(): Promise<void> {
    this.#open = false;
  }

  #arrive(arrivals: readonly Arrival[]): void {
    for (const { afterMs, bytes } of arrivals) {
      this.#clock.after(afterMs, () => {
        if (this.#open) this.onData(bytes);
      });
    }
  }
}

export async function diagnose(site: CableSite): Promise<readonly Finding[]> {
  const clock = new VirtualClock();
  const openLine = ({ serial }: { readonly serial: SerialSettings }) => new CableBench(site, serial, clock);
  const testing = testLine({ line: LINE, openLine, clock, signal: new AbortController().signal });
  return judgeLine(await passWhile(clock, "the line is tested", testing));
}

export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 0x10 : byte));
}

export const DAMAGE: Cable = (reply, { nth }) => at(nth % 4 === 1 ? flipped(reply, 4) : reply);
