import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../core/clock.ts";
import { exceptionPdu, type Faults, type ModbusDevice } from "./modbus-device.ts";
import { ADU_MAX_BYTES, type ModbusRequest, rtuFrame, takeRequest } from "./modbus-wire.ts";

/** After a silence this long, half a request is noise. Generous, for pipes and busy machines. */
const SILENCE_MS = 50;

/** Replies that wait for their time; beyond it new ones are not given. */
const WAITING_REPLIES_MAX = 1_000;

const BROADCAST = 0;

/** The longest burst that CRC-16 always detects. */
const BURST_BITS = 16;

/** A request that was heard, and what became of it. */
export interface Exchange {
  readonly request: ModbusRequest;
  /** Who was asked; undefined where no device has that unit id. */
  readonly device: ModbusDevice | undefined;
  /** The PDU that goes out as the reply; undefined where none does. */
  readonly reply: Uint8Array | undefined;
}

export interface SimulatedBusOptions {
  readonly devices: readonly ModbusDevice[];
  readonly clock: Clock;
  /** Puts bytes on the wire towards the gateway. */
  readonly send: (bytes: Uint8Array) => void;
  readonly onExchange?: (exchange: Exchange) => void;
}

/** The far end of a line: hears all that the gateway sends and answers for its devices, with their faults. */
export class SimulatedBus {
  readonly #options: SimulatedBusOptions;
  readonly #waiting = new Set<Timer>();
  #input = new Uint8Array(0);
  #heardAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: SimulatedBusOptions) {
    this.#options = options;
  }

  receive(bytes: Uint8Array): void {
    const nowMs = this.#options.clock.monotonicMs();
    const kept = nowMs - this.#heardAtMs > SILENCE_MS ? [] : this.#input.slice(-ADU_MAX_BYTES);
    this.#heardAtMs = nowMs;
    this.#input = Uint8Array.of(...kept, ...bytes);
    for (let taken = takeRequest(this.#input); taken !== undefined; taken = takeRequest(this.#input)) {
      this.#input = Uint8Array.from(taken.rest);
      this.#serve(taken.request);
    }
  }

  /** Gives no reply any more, not even those on their way. */
  stop(): void {
    for (const timer of this.#waiting) timer.cancel();
    this.#waiting.clear();
  }

  #serve(request: ModbusRequest): void {
    const { devices, onExchange } = this.#options;
    const asked = devices.filter(({ unitId }) => unitId === request.unitId);
    if (request.unitId === BROADCAST) for (const device of devices) device.answer(request.pdu);
    for (const device of asked) {
      const reply = this.#reply(device, request);
      onExchange?.({ request, device, reply });
    }
    if (asked.length === 0) onExchange?.({ request, device: undefined, reply: undefined });
  }

  #reply(device: ModbusDevice, request: ModbusRequest): Uint8Array | undefined {
    device.requests++;
    const faults = device.faultsFor(request);
    if (faults.echo) this.#options.send(request.adu);
    if (faults.silent) return undefined;
    const delayMs = faults.delayMs ?? 0;
    const pdu = replyPdu(device, request, faults);
    const reply = replyBytes(device, pdu, faults);
    this.#sendAfter(delayMs, Uint8Array.of(...(faults.noise ?? []), ...reply));
    if (faults.duplicateAfterMs !== undefined) this.#sendAfter(delayMs + faults.duplicateAfterMs, reply);
    return pdu;
  }

  #sendAfter(delayMs: number, bytes: Uint8Array): void {
    if (delayMs <= 0) {
      this.#options.send(bytes);
      return;
    }
    if (this.#waiting.size >= WAITING_REPLIES_MAX) return;
    const timer = this.#options.clock.after(delayMs, () => {
      this.#waiting.delete(timer);
      this.#options.send(bytes);
    });
    this.#waiting.add(timer);
  }
}

function replyPdu(device: ModbusDevice, request: ModbusRequest, faults: Faults): Uint8Array {
  const right =
    faults.exceptionCode === undefined
      ? device.answer(request.pdu)
      : exceptionPdu(request.functionCode, faults.exceptionCode);
  return faults.alter === undefined ? right : faults.alter(right);
}

function replyBytes(device: ModbusDevice, pdu: Uint8Array, faults: Faults): Uint8Array {
  const whole = rtuFrame(faults.replyUnitId ?? device.unitId, pdu);
  if (faults.flipBit !== undefined) flip(whole, faults.flipBit);
  const { bit = 0, pattern = 0 } = faults.burst ?? {};
  const first = bit % (whole.length * 8);
  for (let i = 0; i < BURST_BITS && first + i < whole.length * 8; i++) if ((pattern >> i) & 1) flip(whole, first + i);
  return whole.subarray(faults.lostBytes ?? 0, Math.max(0, whole.length - (faults.truncateBytes ?? 0)));
}

function flip(frame: Uint8Array, bit: number): void {
  const at = bit % (frame.length * 8);
  frame[at >> 3] = (frame[at >> 3] ?? 0) ^ (1 << (at & 7));
}

/** Puts devices at the far end of a byte stream: the master of a pseudo-terminal, a socket. Returns the way to stop. */
export function serveDevices(stream: Duplex, devices: readonly ModbusDevice[], clock: Clock): () => void {
  const bus = new SimulatedBus({ devices, clock, send: (bytes) => stream.write(bytes) });
  const onData = (bytes: Uint8Array) => bus.receive(bytes);
  stream.on("data", onData);
  return () => {
    stream.off("data", onData);
    bus.stop();
  };
}
