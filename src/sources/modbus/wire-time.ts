/** How long bytes and silences take on a line. Pure. */
import type { LineConfig, SerialSettings } from "../../config/config.ts";

/** Start bit, eight data bits, parity or second stop bit, stop bit (Modbus over serial line V1.02, 2.5.1). */
const STANDARD_BITS_PER_CHARACTER = 11;

/** Above this rate the standard fixes the silence, because interrupts do not get faster (2.5.1.1). */
const SILENT_INTERVAL_FIXED_ABOVE_BAUD = 19_200;
const SILENT_INTERVAL_FIXED_MS = 1.75;
const SILENT_INTERVAL_CHARACTERS = 3.5;

/** From the silence that ends a request to the begin of its reply, where nothing better is known. On the fast side. */
export const DEVICE_LATENCY_MS = 5;

/** Time that bytes need on the wire with these settings. */
export function transferMs(serial: SerialSettings, bytes: number): number {
  return (bytes * bitsPerCharacter(serial) * 1_000) / serial.baudRate;
}

/** The same at most: a device may send a second stop bit that nobody asked for. */
export function transferMaxMs(serial: SerialSettings, bytes: number): number {
  return (bytes * Math.max(bitsPerCharacter(serial), STANDARD_BITS_PER_CHARACTER) * 1_000) / serial.baudRate;
}

/** t3.5: the pause that separates two frames. */
export function silentIntervalMs(serial: SerialSettings): number {
  return serial.baudRate > SILENT_INTERVAL_FIXED_ABOVE_BAUD
    ? SILENT_INTERVAL_FIXED_MS
    : transferMaxMs(serial, SILENT_INTERVAL_CHARACTERS);
}

/** Between the end of a frame and the next request. */
export function pauseMs({ serial, turnaroundDelayMs }: Pick<LineConfig, "serial" | "turnaroundDelayMs">): number {
  return Math.max(silentIntervalMs(serial), turnaroundDelayMs);
}

function bitsPerCharacter({ dataBits, parity, stopBits }: SerialSettings): number {
  return 1 + dataBits + (parity === "none" ? 0 : 1) + stopBits;
}
