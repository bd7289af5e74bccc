/**
 * A signed command: a JSON text, and an Ed25519 signature over exactly that text, so that nobody has to agree on how JSON
 * is written. The text travels as it was signed, in the JSON envelope and in Sparkplug's properties alike.
 *
 *     {"gateway":"plant-7/pump-house-3","issued":1790000000000,"expires":1790000060000,
 *      "nonce":"00112233445566778899aabbccddeeff","values":[{"id":"pump-1/setpoint","v":1200}]}
 */

/** What a command may be told to write: as JSON has it; 64-bit numbers beyond 2^53 as decimal text. */
export type CommandValue = boolean | number | string;

export interface ValueToWrite {
  /** `device/tag`. */
  readonly id: string;
  readonly v: CommandValue;
}

export interface CommandContent {
  /** `group/name` of the gateway's configuration. */
  readonly gateway: string;
  /** UTC ms. */
  readonly issuedMs: number;
  readonly expiresMs: number;
  /** 32 digits of lower-case hex, never used before. */
  readonly nonce: string;
  readonly values: readonly ValueToWrite[];
}

export interface SignedCommand {
  /** Byte for byte as it was signed. */
  readonly text: string;
  readonly keyId: string;
  readonly signature: Uint8Array;
}

/** Of the text, and of a payload around it. */
export const COMMAND_MAX_BYTES = 16_384;
/** They are carried out one after the other, and must all end within the command's time. */
export const VALUES_MAX = 16;
const ID_MAX_CHARS = 256;
const TEXT_VALUE_MAX_CHARS = 250;
/** So that a signature for something else is none for a command. */
const DOMAIN = "sallyport command 1\n";
const SIGNATURE_BYTES = 64;
export const NONCE_BYTES = 16;
const NONCE = /^[0-9a-f]{32}$/;
const KEY_ID = /^[0-9a-f]{16}$/;

export function commandText({ gateway, issuedMs, expiresMs, nonce, values }: CommandContent): string {
  return JSON.stringify({ gateway, issued: issuedMs, expires: expiresMs, nonce, values });
}

export function bytesToSign(text: string): Uint8Array {
  return Buffer.from(DOMAIN + text);
}

/** Its content, or what is wrong with it. */
export function parseCommandText(text: string): CommandContent | string {
  const content = recordOf(parseJson(text), ["gateway", "issued", "expires", "nonce", "values"]);
  if (content === undefined) return "the command is not {gateway, issued, expires, nonce, values}";
  const { gateway, issued, expires, nonce } = content;
  if (typeof gateway !== "string") return "gateway is no text";
  if (!isTime(issued) || !isTime(expires)) return "issued and expires are whole milliseconds since 1970";
  if (typeof nonce !== "string" || !NONCE.test(nonce)) return "the nonce is not 32 digits of lower-case hex";
  const values = parseValues(content.values);
  return typeof values === "string" ? values : { gateway, issuedMs: issued, expiresMs: expires, nonce, values };
}

/** A list as Kepware's IoT Gateway takes it, or what is wrong with it. */
export function parseValues(list: unknown): readonly ValueToWrite[] | string {
  if (!Array.isArray(list) || list.length === 0) return "values is no list of {id, v}";
  if (list.length > VALUES_MAX) return `more than ${VALUES_MAX} values in a command`;
  const values: ValueToWrite[] = [];
  for (const entry of list) {
    const { id, v } = recordOf(entry, ["id", "v"]) ?? {};
    if (typeof id !== "string" || id.length > ID_MAX_CHARS || !isCommandValue(v)) return "a value is not {id, v}";
    values.push({ id, v });
  }
  if (new Set(values.map(({ id }) => id)).size < values.length) return "a tag stands in it twice";
  return values;
}

/** Undefined where these are no key id and no signature, in the one way in which they are written. */
export function signedCommand(text: unknown, keyId: unknown, signature: unknown): SignedCommand | undefined {
  if (typeof text !== "string" || typeof keyId !== "string" || typeof signature !== "string") return undefined;
  const bytes = Buffer.from(signature, "base64");
  const isWhole = bytes.length === SIGNATURE_BYTES && bytes.toString("base64") === signature;
  return isWhole && KEY_ID.test(keyId) ? { text, keyId, signature: bytes } : undefined;
}

/** undefined: it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A record of exactly these keys. */
export function recordOf(value: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const record: Readonly<Record<string, unknown>> = { ...value };
  const names = Object.keys(record);
  return names.length === keys.length && keys.every((key) => names.includes(key)) ? record : undefined;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isCommandValue(value: unknown): value is CommandValue {
  if (typeof value === "string") return value.length <= TEXT_VALUE_MAX_CHARS;
  return typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}
