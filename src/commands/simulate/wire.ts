/** Where devices are played: a serial port of this machine, or a pseudo terminal that others open as one. */
import type { LineConfig } from "../../config/config.ts";
import { EXIT, messageOf, UserError } from "../../core/errors.ts";
import { serialportLine } from "../../sources/modbus/serialport-line.ts";
import { openPtyPair } from "../../testing/pty.ts";

export interface Wire {
  /** What the other side opens; of a serial port its own name, for the other side is at the far end of the cable. */
  readonly path: string;
  readonly isTerminal: boolean;
  send(bytes: Uint8Array): void;
  /** Set before bytes are awaited. */
  onData: (bytes: Uint8Array) => void;
  /** Resolves with the reason if the wire ends by itself. */
  readonly lost: Promise<string>;
  close(): Promise<void>;
}

/** @throws UserError with the remedy, where it cannot be opened */
export async function openPort(line: LineConfig, path: string): Promise<Wire> {
  const port = serialportLine({ path, serial: line.serial, rs485: line.rs485 });
  const lost = new Promise<string>((done) => {
    port.onLost = done;
  });
  const wire: Wire = {
    path,
    isTerminal: false,
    onData: () => undefined,
    // A port that fails is told by `lost`.
    send: (bytes) => void port.write(bytes).catch(() => undefined),
    lost,
    close: () => port.close(),
  };
  port.onData = (bytes) => wire.onData(bytes);
  try {
    await port.open();
  } catch (error) {
    throw new UserError(messageOf(error), EXIT.unavailable);
  }
  return wire;
}

/** @throws UserError where this machine cannot make one */
export async function openTerminal(): Promise<Wire> {
  try {
    const pair = await openPtyPair();
    const wire: Wire = {
      path: pair.path,
      isTerminal: true,
      onData: () => undefined,
      send: (bytes) => void pair.master.write(bytes),
      lost: new Promise(() => undefined),
      close: () => pair.close(),
    };
    pair.master.on("data", (bytes: Uint8Array) => wire.onData(bytes));
    return wire;
  } catch (error) {
    throw new UserError(`${messageOf(error)}, or give --path a serial port`, EXIT.unavailable);
  }
}
