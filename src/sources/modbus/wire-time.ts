import type { LineConfig, SerialSettings } from "../../config/config.ts";

/** Start bit, eight data bits, parity or second stop bit, stop bit (Modbus over serial line V1.02, 2.5.1). */
const BITS_PER_CHARACTER = 11;

/** Above this rate the standard fixes the silence, because interrupts do not get faster (2.5.1.1). */
const SILENT_INTERVAL_FIXED_ABOVE_BAUD = 19_200;
const SILENT_INTERVAL_FIXED_MS = 1.75;
const SILENT_INTERVAL_CHARACTERS = 3.5;

/** From the silence that ends a request to the begin of its reply, where nothing better is known. On the fast side. */
export const DEVICE_LATENCY_MS = 5;

/** Time that bytes need on the wire at most. */
export function wireTimeMs(serial: SerialSettings, bytes: number): number {
  return (bytes * BITS_PER_CHARACTER * 1_000) / serial.baudRate;
}

/** The same with as many bits a character as these settings make. */
export function transferMs({ baudRate, dataBits, parity, stopBits }: SerialSettings, bytes: number): number {
  return (bytes * (1 + dataBits + (parity === "none" ? 0 : 1) + stopBits) * 1_000) / baudRate;
}

/** t3.5: the pause that separates two frames. */
export function silentIntervalMs(serial: SerialSettings): number {
  return serial.baudRate > SILENT_INTERVAL_FIXED_ABOVE_BAUD
    ? SILENT_INTERVAL_FIXED_MS
    : wireTimeMs(serial, SILENT_INTERVAL_CHARACTERS);
}

/** Between the end of a frame and the next request. */
export function pauseMs(line: LineConfig): number {
  return Math.max(silentIntervalMs(line.serial), line.turnaroundDelayMs);
}
