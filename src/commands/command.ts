/** `sallyport command`: signs a remote command and prints it; sending it is for any MQTT client. */
import { type KeyObject, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parseDuration } from "../config/values.ts";
import { hostClock } from "../core/clock.ts";
import { signingKeyIn } from "../core/command-key.ts";
import { EXIT, messageOf, UserError } from "../core/errors.ts";
import { VALUE_TYPES, type ValueType } from "../core/tag.ts";
import { LIFETIME_MAX_MS } from "../uplinks/commands/freshness.ts";
import { jsonEnvelope } from "../uplinks/commands/json-command.ts";
import { signText } from "../uplinks/commands/keyring.ts";
import {
  type CommandContent,
  type CommandValue,
  commandText,
  NONCE_BYTES,
  parseCommandText,
  type SignedCommand,
} from "../uplinks/commands/signed-command.ts";
import { deviceCommand } from "../uplinks/commands/sparkplug-command.ts";
import { sparkplugTopics } from "../uplinks/sparkplug/sparkplug-topics.ts";
import { readArguments } from "./arguments.ts";
import type { CommandIo } from "./io.ts";
import { machineText } from "./machine-text.ts";

const USAGE = "usage: sallyport command --key FILE --gateway GROUP/NAME TAG=VALUE... [options]";

const HELP = `${USAGE}

Signs a command to write values from afar, and prints it. It sends nothing: any
MQTT client does, to <topic>/write of the gateway's uplink. Each command is
carried out once at most, so make a new one for every try.

  TAG=VALUE         as pump-1/setpoint=1200, pump-1/run=true, pump-1/name='"A"';
                    written in this order. With --format sparkplug all of one
                    device, as TAG:TYPE=VALUE with the type of its birth:
                    pump-1/setpoint:int16=1200
  --key FILE        the private key that sallyport keygen made
  --gateway G/N     group and name, as in its gateway.yaml
  --expires TIME    from now on; default 1m, at most 5m
  --format FORMAT   json (default), or sparkplug: the payload of a DCMD
  --output FILE     writes the payload there, as it goes over the wire. Without
                    it JSON is printed as it is, a DCMD as base64
  --json            payload (base64), topic of a DCMD, text and nonce, for
                    machines

exit code   0 printed, 64 wrong usage, 74 the key or the output

  sallyport command --key ops.key --gateway plant-7/pump-house-3 \\
    pump-1/setpoint=1200 --output now.json
  mosquitto_pub … -q 1 -t plant-7/pump-house-3/write -f now.json
`;

const FORMATS = ["json", "sparkplug"] as const;
const LIFETIME_DEFAULT = "1m";
const GATEWAY = /^([A-Za-z0-9_-]+)\/([A-Za-z0-9_-]+)$/;
const ASSIGNMENT = /^([^=:]+\/[^=:]+)(?::([a-z0-9]+))?=(.*)$/s;
/** Such a number would not arrive as it is written. */
const LONG_WHOLE = /^-?\d{16,20}$/;

interface Assignment {
  readonly id: string;
  readonly type: ValueType | undefined;
  readonly v: CommandValue;
}

interface Arguments {
  readonly key: string;
  readonly gateway: string;
  readonly lifetimeMs: number;
  readonly format: (typeof FORMATS)[number];
  readonly output: string | undefined;
  readonly json: boolean;
  readonly values: readonly Assignment[];
}

export async function command(args: string[], io: CommandIo): Promise<number> {
  const given = parse(args);
  if (given === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const content = contentOf(given);
  const signed = signText(commandText(content), signingKey(given.key));
  const payload = payloadOf(given, signed, content);
  const { output, format, json } = given;
  if (output !== undefined) write(output, payload);
  const topic = format === "sparkplug" ? { topic: dcmdTopic(given) } : {};
  if (json) {
    const { text, keyId } = signed;
    io.out(machineText({ payload: base64(payload), ...topic, nonce: content.nonce, key: keyId, text }));
  } else if (output === undefined) {
    io.out(`${format === "json" ? Buffer.from(payload).toString() : base64(payload)}\n`);
  }
  const where = topic.topic ?? "<topic>/write";
  io.err(
    `for ${where}, until ${new Date(content.expiresMs).toISOString()}; key ${signed.keyId}, nonce ${content.nonce}\n`,
  );
  return EXIT.ok;
}

function contentOf({ gateway, lifetimeMs, values }: Arguments): CommandContent {
  const issuedMs = hostClock.wallMs();
  const content = {
    gateway,
    issuedMs,
    expiresMs: issuedMs + lifetimeMs,
    // Nobody may foresee it, so it is not for a Random that repeats.
    nonce: randomBytes(NONCE_BYTES).toString("hex"),
    values: values.map(({ id, v }) => ({ id, v })),
  };
  const read = parseCommandText(commandText(content));
  if (typeof read === "string") throw new UserError(read, EXIT.usage);
  return content;
}

function signingKey(file: string): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`${file} cannot be read: ${messageOf(error)}`, EXIT.io);
  }
  const key = signingKeyIn(pem);
  if (typeof key === "string")
    throw new UserError(`${file} ${key}; name the .key file that sallyport keygen makes`, EXIT.io);
  return key;
}

function payloadOf({ format, values }: Arguments, signed: SignedCommand, content: CommandContent): Uint8Array {
  if (format === "json") return Buffer.from(jsonEnvelope(signed));
  const types = new Map(values.map(({ id, type }) => [id, type]));
  const typeOf = (id: string): ValueType => {
    const type = types.get(id);
    if (type === undefined) throw new UserError(`say the type of the metric, as ${id}:int16=…`, EXIT.usage);
    return type;
  };
  try {
    return deviceCommand(signed, content, typeOf);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(error.message, EXIT.usage);
  }
}

function dcmdTopic({ gateway, values }: Arguments): string {
  const [, group = "", name = ""] = GATEWAY.exec(gateway) ?? [];
  const [device = "", ...others] = [...new Set(values.map(({ id }) => id.slice(0, id.indexOf("/"))))];
  if (others.length > 0) throw new UserError("a DCMD is for the tags of one device", EXIT.usage);
  return sparkplugTopics({ group, name }).dcmd.replace(/\+$/, device);
}

function write(file: string, payload: Uint8Array): void {
  try {
    writeFileSync(file, payload);
  } catch (error) {
    throw new UserError(`${file} cannot be written: ${messageOf(error)}`, EXIT.io);
  }
}

function base64(payload: Uint8Array): string {
  return Buffer.from(payload).toString("base64");
}

function parse(args: string[]): Arguments | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        key: { type: "string" },
        gateway: { type: "string" },
        expires: { type: "string", default: LIFETIME_DEFAULT },
        format: { type: "string", default: "json" },
        output: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    const { key, gateway = "", output, json } = values;
    if (key === undefined) throw new Error("--key is missing; sallyport keygen makes one");
    if (!GATEWAY.test(gateway)) throw new Error("--gateway is group and name of gateway.yaml, as plant-7/pump-house-3");
    const format = FORMATS.find((name) => name === values.format);
    if (format === undefined) throw new Error(`--format is one of ${FORMATS.join(", ")}`);
    const lifetimeMs = parseDuration(values.expires);
    if (lifetimeMs <= 0 || lifetimeMs > LIFETIME_MAX_MS) throw new Error("--expires is 5m at most, and not 0");
    if (positionals.length === 0) throw new Error("say what to write, as pump-1/setpoint=1200");
    return { key, gateway, lifetimeMs, format, output, json, values: positionals.map(assignment) };
  });
}

function assignment(text: string): Assignment {
  const [, id, typeName, value = ""] = ASSIGNMENT.exec(text) ?? [];
  if (id === undefined) throw new Error(`${text} is not TAG=VALUE, as pump-1/setpoint=1200`);
  const type = VALUE_TYPES.find((known) => known === typeName);
  if (typeName !== undefined && type === undefined)
    throw new Error(`${typeName} is not one of ${VALUE_TYPES.join(", ")}`);
  return { id, type, v: commandValue(value) };
}

function commandValue(text: string): CommandValue {
  if (LONG_WHOLE.test(text)) return text;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "string") return value;
  throw new Error(`${text} is no value: write a number, true, false, or a text in double quotes`);
}
