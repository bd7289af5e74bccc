import { readSync, writeSync } from "node:fs";
import { SerialPort } from "serialport";
import type { LineConfig } from "../../config/config.ts";
import { assert, messageOf } from "../../core/errors.ts";
import type { SerialLine } from "./serial-line.ts";

const READ_BUFFER_BYTES = 1_024;

/** As many buffers as the kernel holds for a terminal; a line that delivers more meanwhile is never silent. */
const DISCARD_READS_MAX = 4;

/** A port whose file can be watched: every one but that of Windows. */
type Port = Extract<Awaited<ReturnType<typeof SerialPort.binding.open>>, { readonly poller: unknown }>;

/** What the line must know of its configuration. */
export type PortConfig = Pick<LineConfig, "path" | "serial" | "rs485">;

/**
 * A line on a real port of the host. It stands on serialport's binding: no stream keeps bytes between us and the wire.
 * The file never blocks, so it is read and written in place: a turn through the thread pool costs more than the call,
 * and a pool whose threads wait for slow ports would hold up the other lines.
 */
export function serialportLine(config: PortConfig): SerialLine {
  return new SerialportLine(config);
}

class SerialportLine implements SerialLine {
  onData: (bytes: Uint8Array) => void = () => undefined;
  onLost: (reason: string) => void = () => undefined;
  readonly #config: PortConfig;
  readonly #buffer = Buffer.alloc(READ_BUFFER_BYTES);
  #port: Port | undefined;
  #drain: Drain | undefined;
  #watches = false;
  #paused = false;
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
      const opened = await SerialPort.binding.open({ path, ...serial, lock: true, rtscts: false });
      assert("poller" in opened, "serial ports of Windows are not supported");
      port = opened;
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
    this.#drain = new Drain(port);
    this.#written = Promise.resolve();
    this.#watches = false;
    this.#paused = false;
    this.#watch(port);
  }

  /** Where RTS switches the direction, the next write waits until the line is free; else the kernel queues it. */
  write(bytes: Uint8Array): Promise<void> {
    const copy = Buffer.from(bytes);
    const put = this.#written.then(() => this.#put(copy));
    const left = put.then(() => this.#left());
    this.#written = (this.#config.rs485 === "rts" ? left : put).catch(() => undefined);
    return left;
  }

  async discardInput(): Promise<void> {
    const port = this.#opened();
    for (let reads = 0; reads < DISCARD_READS_MAX && this.#port === port; reads++) {
      let bytes: Uint8Array | undefined;
      try {
        bytes = readNow(port, this.#buffer);
      } catch (thrown) {
        await this.#lose(port, messageOf(thrown));
        throw new Error(messageOf(thrown));
      }
      if (bytes === undefined) return;
      this.onData(bytes);
    }
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#port !== undefined) this.#watch(this.#port);
  }

  async close(): Promise<void> {
    const port = this.#port;
    this.#port = undefined;
    await port?.close();
  }

  #put(bytes: Buffer): Promise<void> {
    return this.#hold(async (port) => {
      if (this.#config.rs485 === "rts") await port.set({ rts: true });
      const sent = writeNow(port, bytes);
      if (sent < bytes.length) await port.write(bytes.subarray(sent));
    });
  }

  #left(): Promise<void> {
    return this.#hold(async (port) => {
      await this.#drain?.done();
      if (this.#config.rs485 === "rts") await port.set({ rts: false });
    });
  }

  async #hold(step: (port: Port) => Promise<void>): Promise<void> {
    const port = this.#opened();
    this.#heldWrites += 1;
    try {
      await step(port);
    } catch (thrown) {
      await this.#lose(port, messageOf(thrown));
      throw new Error(messageOf(thrown));
    } finally {
      this.#heldWrites -= 1;
    }
  }

  #watch(port: Port): void {
    if (this.#watches || this.#paused) return;
    this.#watches = true;
    port.poller.once("readable", (failure) => {
      if (this.#port !== port) return;
      this.#watches = false;
      let bytes: Uint8Array | undefined;
      try {
        if (failure) throw failure;
        bytes = readNow(port, this.#buffer);
      } catch (thrown) {
        void this.#lose(port, messageOf(thrown));
        return;
      }
      if (bytes !== undefined) this.onData(bytes);
      if (this.#port === port) this.#watch(port);
    });
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

/**
 * Waits until all has left. It takes a thread of the pool and, on a UART, until the kernel's next tick but one, so there is
 * one at a time; what was written meanwhile waits for the next.
 */
class Drain {
  readonly #port: Port;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(port: Port) {
    this.#port = port;
  }

  done(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#begin();
    this.#next = this.#running.then(() => this.#begin());
    return this.#next;
  }

  #begin(): Promise<void> {
    this.#next = undefined;
    this.#running = this.#port.drain().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}

/** What there is now, undefined where there is nothing. */
function readNow(port: Port, buffer: Buffer): Uint8Array | undefined {
  let count: number;
  try {
    count = readSync(fileOf(port), buffer);
  } catch (thrown) {
    if (isNotNow(thrown)) return undefined;
    throw thrown;
  }
  // A terminal that hung up is at its end from then on.
  if (count === 0) throw new Error("it hung up");
  return Uint8Array.from(buffer.subarray(0, count));
}

/** Bytes written, 0 where the port takes none now. */
function writeNow(port: Port, bytes: Uint8Array): number {
  try {
    return writeSync(fileOf(port), bytes);
  } catch (thrown) {
    if (isNotNow(thrown)) return 0;
    throw thrown;
  }
}

function fileOf({ fd }: Port): number {
  if (fd === null) throw new Error("it is closed");
  return fd;
}

function isNotNow(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && (thrown.code === "EAGAIN" || thrown.code === "EINTR");
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
