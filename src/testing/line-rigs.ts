/** Lines with their far end in the hand of a test: a simulated one, and one on a terminal. */
import type { SerialSettings } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { serialportLine } from "../sources/modbus/serialport-line.ts";
import type { LineRig } from "./line-contract.ts";
import { lineConfig } from "./modbus-config.ts";
import { openPtyPair, type PtyKind } from "./pty.ts";
import { SimulatedLine } from "./simulated-line.ts";

export function simulatedRig(clock: Clock, serial?: SerialSettings): LineRig {
  const line = new SimulatedLine({ clock, devices: [], ...(serial !== undefined && { serial }) });
  return {
    line,
    hear: (listener) => {
      line.onWritten = listener;
    },
    arrive: (bytes) => line.arrive(bytes),
    unplug: async () => line.unplug(),
    plugIn: async () => line.plugIn(),
    end: async () => undefined,
  };
}

export interface TerminalRig extends LineRig {
  readonly path: string;
}

export async function terminalRig(kind?: PtyKind): Promise<TerminalRig> {
  const pty = await openPtyPair(kind === undefined ? {} : { kind });
  let listener: (bytes: Uint8Array) => void = () => undefined;
  pty.master.on("data", (bytes: Uint8Array) => listener(bytes));
  return {
    path: pty.path,
    line: serialportLine(lineConfig(pty.path, [])),
    hear: (heard) => {
      listener = heard;
    },
    arrive: (bytes) => pty.master.write(bytes),
    unplug: () => pty.vanish(),
    plugIn: () => pty.comeBack(),
    end: () => pty.close(),
  };
}
