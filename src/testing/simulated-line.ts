import type { SerialSettings } from "../config/config.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { SerialLine } from "../sources/modbus/serial-line.ts";
import type { ModbusDevice } from "./modbus-device.ts";
import { SimulatedBus } from "./simulated-bus.ts";

export interface SimulatedLineOptions {
  readonly clock: Clock;
  readonly devices: readonly ModbusDevice[];
  /** Absent: 19200 8E1. Decides how long bytes are on the wire. */
  readonly serial?: SerialSettings;
  /** Bytes that arrive together; absent: what was sent together. */
  readonly chunkBytes?: number;
}

const STANDARD_SERIAL: SerialSettings = { baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 };

interface Write {
  readonly timer: Timer;
  readonly reject: (reason: Error) => void;
}

/** A line with its devices in the memory, on time that may be virtual: each byte takes its time on the wire. */
export class SimulatedLine implements SerialLine {
  onData: (bytes: Uint8Array) => void = () => undefined;
  onLost: (reason: string) => void = () => undefined;
  /** Sees all that the gateway has sent, when it has left. */
  onWritten: (bytes: Uint8Array) => void = () => undefined;
  /** Time in which bytes were on the wire, both ways, since the beginning. */
  busyMs = 0;
  readonly #clock: Clock;
  readonly #bus: SimulatedBus;
  readonly #characterMs: number;
  readonly #chunkBytes: number;
  readonly #writes = new Set<Write>();
  readonly #arrivals = new Set<Timer>();
  #state: "closed" | "open" = "closed";
  #plugged = true;
  #paused = false;
  /** Arrived while paused. */
  #held: Uint8Array[] = [];
  #freeAtMs = 0;

  constructor(options: SimulatedLineOptions) {
    this.#clock = options.clock;
    this.#characterMs = characterMs(options.serial ?? STANDARD_SERIAL);
    this.#chunkBytes = options.chunkBytes ?? Number.POSITIVE_INFINITY;
    this.#bus = new SimulatedBus({ ...options, send: (bytes) => this.arrive(bytes) });
  }

  async open(): Promise<void> {
    if (!this.#plugged) throw new Error("no such port");
    if (this.#state === "open") throw new Error("the port is open already");
    this.#state = "open";
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#state === "closed") return Promise.reject(new Error("the port is closed"));
    const sent = bytes.slice();
    const leftAtMs = this.#occupy(sent.length);
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(leftAtMs - this.#clock.monotonicMs(), () => {
        this.#writes.delete(write);
        this.onWritten(sent);
        this.#bus.receive(sent);
        resolve();
      });
      const write: Write = { timer, reject };
      this.#writes.add(write);
    });
  }

  /** What arrives is delivered at once, so what is left to throw away came in a pause. */
  async discardInput(): Promise<void> {
    if (this.#state === "closed") throw new Error("the port is closed");
    this.#held = [];
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const held = this.#held.splice(0);
    if (held.length > 0) this.onData(Uint8Array.from(Buffer.concat(held)));
  }

  async close(): Promise<void> {
    this.#end("the port was closed");
  }

  /** Puts bytes on the wire towards the gateway, whoever they are from. */
  arrive(bytes: Uint8Array): void {
    const sent = bytes.slice();
    const beginMs = this.#occupy(sent.length) - sent.length * this.#characterMs;
    for (let from = 0; from < sent.length; from += this.#chunkBytes) {
      const chunk = sent.subarray(from, from + this.#chunkBytes);
      const atMs = beginMs + (from + chunk.length) * this.#characterMs;
      const timer = this.#clock.after(atMs - this.#clock.monotonicMs(), () => {
        this.#arrivals.delete(timer);
        if (this.#state === "closed") return;
        if (this.#paused) this.#held.push(chunk);
        else this.onData(chunk);
      });
      this.#arrivals.add(timer);
    }
  }

  /** Pulls the adapter out. */
  unplug(): void {
    this.#plugged = false;
    const wasOpen = this.#state === "open";
    this.#end("the port has vanished");
    if (wasOpen) this.onLost("the port has vanished");
  }

  plugIn(): void {
    this.#plugged = true;
  }

  #end(reason: string): void {
    this.#state = "closed";
    for (const write of this.#writes) {
      write.timer.cancel();
      write.reject(new Error(reason));
    }
    this.#writes.clear();
    for (const timer of this.#arrivals) timer.cancel();
    this.#arrivals.clear();
    // What was on the wire is gone, and the wire is free.
    this.#freeAtMs = 0;
    this.#held = [];
    this.#paused = false;
  }

  /** One talks at a time: bytes go when the wire is free. Returns when the last one has gone. */
  #occupy(bytes: number): number {
    const durationMs = bytes * this.#characterMs;
    this.busyMs += durationMs;
    this.#freeAtMs = Math.max(this.#freeAtMs, this.#clock.monotonicMs()) + durationMs;
    return this.#freeAtMs;
  }
}

export function simulatedLine(options: SimulatedLineOptions): SimulatedLine {
  return new SimulatedLine(options);
}

function characterMs(serial: SerialSettings): number {
  const bits = 1 + serial.dataBits + (serial.parity === "none" ? 0 : 1) + serial.stopBits;
  return (bits * 1_000) / serial.baudRate;
}
