/** The keep-alive that CONNECT announces: a broker sends the will of whom it has not heard for one and a half of it. */

/** MQTT 3.1.1 and 5.0, section 3.1.2.10. */
export const SILENCE_KEEP_ALIVES = 1.5;
const MAX_S = 65_535;
/** Brokers look for silent clients now and then only (Mosquitto up to 2.0.20: every 6 s), and count whole seconds. */
const LOOK_MARGIN_MS = 5_000;

/** So much shorter than configured that the will comes within one and a half of what is configured, from 10 s on. */
export function announcedKeepAliveS(keepAliveMs: number): number {
  const ms = Math.max(keepAliveMs - LOOK_MARGIN_MS, keepAliveMs / 2);
  return Math.min(Math.max(1, Math.round(ms / 1000)), MAX_S);
}
