import { SerialPort } from "serialport";
import type { LineConfig } from "../../config/config.ts";
import { messageOf } from "../../core/errors.ts";
import type { SerialLine } from "./serial-line.ts";

const READ_BUFFER_BYTES = 1_024;

type Port = Awaited<ReturnType<typeof SerialPort.binding.open>>;

/** What the line must know of its configuration. */
export type PortConfig = Pick<LineConfig, "path" | "serial" | "rs485">;

/** A line on a real port of the host. It stands on serialport's binding: no stream keeps bytes between us and the wire. */
export function serialportLine(config: PortConfig): SerialLine {
  return new SerialportLine(config);
}

class SerialportLine implements SerialLine {
  onData: (bytes: Uint8Array) => void = () => undefined;
  onLost: (reason: string) => void = () => undefined;
  readonly #config: PortConfig;
  #port: Port | undefined;
  /** The last write; the binding would let two overtake each other. */
  #written: Promise<void> = Promise.resolve();
  /** Writes that have not come back, of a port closed meanwhile, too: they hold its file and its lock. */
  #heldWrites = 0;

  constructor(config: PortConfig) {
    this.#config = config;
  }

  /** The path is resolved anew each time: behind a stable name an adapter comes back as another file. */
  async open(): Promise<void> {
    if (this.#port !== undefined) throw new Error("the port is open already");
    const { path, serial, rs485 } = this.#config;
    let port: Port;
    try {
      port = await SerialPort.binding.open({ path, ...serial, lock: true, rtscts: false });
    } catch (thrown) {
      const reason = messageOf(thrown);
      if (this.#heldWrites > 0 && isLockFailure(reason)) {
        throw new Error(`${path} still holds what was written to it: unplug the adapter and plug it in again`);
      }
      throw new Error(openFailure(path, reason));
    }
    try {
      if (rs485 === "rts") await port.set({ rts: false });
      await port.flush();
    } catch (thrown) {
      await port.close().catch(() => undefined);
      throw new Error(openFailure(path, messageOf(thrown)));
    }
    this.#port = port;
    this.#written = Promise.resolve();
    void this.#pump(port);
  }

  write(bytes: Uint8Array): Promise<void> {
    const copy = Buffer.from(bytes);
    const written = this.#written.then(() => this.#send(copy));
    this.#written = written.catch(() => undefined);
    return written;
  }

  async discardInput(): Promise<void> {
    const port = this.#opened();
    try {
      await port.flush();
    } catch (thrown) {
      await this.#lose(port, messageOf(thrown));
      throw new Error(messageOf(thrown));
    }
  }

  async close(): Promise<void> {
    const port = this.#port;
    this.#port = undefined;
    await port?.close();
  }

  async #send(bytes: Buffer): Promise<void> {
    const port = this.#opened();
    const byRts = this.#config.rs485 === "rts";
    this.#heldWrites += 1;
    try {
      if (byRts) await port.set({ rts: true });
      await port.write(bytes);
      await port.drain();
      if (byRts) await port.set({ rts: false });
    } catch (thrown) {
      await this.#lose(port, messageOf(thrown));
      throw new Error(messageOf(thrown));
    } finally {
      this.#heldWrites -= 1;
    }
  }

  async #pump(port: Port): Promise<void> {
    const buffer = Buffer.alloc(READ_BUFFER_BYTES);
    try {
      while (this.#port === port) {
        const { bytesRead } = await port.read(buffer, 0, buffer.length);
        if (this.#port === port) this.onData(Uint8Array.from(buffer.subarray(0, bytesRead)));
      }
    } catch (thrown) {
      await this.#lose(port, messageOf(thrown));
    }
  }

  /** The file of a vanished adapter must be closed, or the adapter cannot have its name back. */
  async #lose(port: Port, reason: string): Promise<void> {
    if (this.#port !== port) return;
    this.#port = undefined;
    await port.close().catch(() => undefined);
    this.onLost(`${this.#config.path} has vanished: ${reason}`);
  }

  #opened(): Port {
    if (this.#port === undefined) throw new Error(`${this.#config.path} is not open`);
    return this.#port;
  }
}

function openFailure(path: string, reason: string): string {
  if (/no such file/i.test(reason)) return `${path} is not there: is the adapter plugged in?`;
  if (/permission denied|access denied/i.test(reason))
    return `${path} may not be opened: add the user to the group dialout`;
  if (isLockFailure(reason)) return `${path} is in use by another program`;
  return `${path} cannot be opened: ${reason}`;
}

function isLockFailure(reason: string): boolean {
  return /lock|busy|temporarily unavailable/i.test(reason);
}
