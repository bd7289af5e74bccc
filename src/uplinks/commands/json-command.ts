/** Commands and their results as JSON: on `<topic>/write` and `<topic>/write/result`. */
import { type Arrival, malformed } from "./arrival.ts";
import {
  COMMAND_MAX_BYTES,
  parseJson,
  parseValues,
  recordOf,
  type SignedCommand,
  signedCommand,
} from "./signed-command.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * `{"command":"…","key":"…","signature":"…"}`, or unsigned `[{"id":"…","v":…}]` as Kepware's IoT Gateway has it.
 *
 * @param tagOf the id of a tag by the name that this uplink publishes it under
 */
export function parseJsonCommand(payload: Uint8Array, tagOf: (name: string) => string | undefined): Arrival {
  if (payload.length > COMMAND_MAX_BYTES) return malformed(`${payload.length} bytes are too many for a command`);
  let text: string;
  try {
    text = UTF8.decode(payload);
  } catch {
    return malformed("it is no UTF-8 text");
  }
  const value = parseJson(text);
  if (Array.isArray(value)) {
    const values = parseValues(value);
    if (typeof values === "string") return malformed(values);
    return { kind: "plain", values: values.map(({ id, v }) => ({ id: tagOf(id) ?? id, v })) };
  }
  const envelope = recordOf(value, ["command", "key", "signature"]);
  if (envelope === undefined) return malformed("it is neither {command, key, signature} nor a list of {id, v}");
  const command = signedCommand(envelope.command, envelope.key, envelope.signature);
  return command === undefined
    ? malformed("key or signature is not as it must be written")
    : { kind: "signed", command };
}

export function jsonEnvelope({ text, keyId, signature }: SignedCommand): string {
  return JSON.stringify({ command: text, key: keyId, signature: Buffer.from(signature).toString("base64") });
}
