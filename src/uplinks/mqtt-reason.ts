/** MQTT's reason codes in words: MQTT 5.0, section 2.4, and the CONNACK return codes of MQTT 3.1.1, section 3.2.2.3. */
import { messageOf } from "../core/errors.ts";

/** Return codes of MQTT 3.1.1 by the reason code that MQTT 5 has for the same. */
const RETURN_CODES: Readonly<Record<number, number>> = { 1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87 };

export const UNSUPPORTED_VERSION = 0x84;
export const SESSION_TAKEN_OVER = 0x8e;

const WORDS: Readonly<Record<number, string>> = {
  128: "no reason given",
  129: "malformed packet",
  130: "protocol error",
  131: "its own rules",
  132: "it does not speak this version of MQTT",
  133: "it does not accept this client id",
  134: "user name or password is wrong",
  135: "not authorised",
  136: "it is not available",
  137: "it is busy",
  138: "this gateway is banned",
  139: "it is shutting down",
  140: "authentication method",
  141: "it heard nothing from this gateway within the keep-alive time",
  142: "another client connected with this client id: is there a second gateway with this name, a cloned card?",
  144: "it does not accept this topic",
  147: "more messages in flight than it allows",
  148: "topic alias",
  149: "the message is too large for it",
  150: "too many messages",
  151: "a quota is used up",
  152: "its administrator closed the connection",
  153: "payload format",
  154: "it does not keep retained messages",
  155: "it does not offer this QoS",
  156: "another server is to be used",
  157: "the server has moved",
  159: "too many connections in a short time",
  160: "the longest time for a connection is over",
};

/** `not authorised (0x87)`. */
export function reasonWords(code: number): string {
  const hex = `0x${code.toString(16).padStart(2, "0").toUpperCase()}`;
  return `${WORDS[code] ?? "a reason unknown to this gateway"} (${hex})`;
}

/** The MQTT 5 reason code of a CONNACK, whichever version it is of. */
export function connackReason(code: number): number {
  return RETURN_CODES[code] ?? code;
}

/** The reason code that an error of mqtt.js carries; socket errors have a text there. */
export function reasonCodeOf(error: unknown): number | undefined {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "number" ? code : undefined;
}

/**
 * Why the broker said no to CONNECT.
 *
 * @param username of the login; undefined without one
 */
export function connectRefusal(code: number, username: string | undefined): string {
  const reason = connackReason(code);
  const said = reasonWords(reason);
  if (reason !== 0x86 && reason !== 0x87) return `the broker refuses this gateway: ${said}`;
  if (username === undefined)
    return `the broker refuses this gateway: ${said}; it may want a login, see login, or know this certificate or client id under another right`;
  return `the broker refuses the login of user ${username}: ${said}; check login.username and the password file`;
}

/** Why a message was not taken. */
export function publishRefusal(topic: string, error: unknown): string {
  const code = reasonCodeOf(error);
  return `the broker refuses messages to ${topic}: ${code === undefined ? messageOf(error) : reasonWords(code)}`;
}

/** The other side hung up without a word. */
export function isReset(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}
