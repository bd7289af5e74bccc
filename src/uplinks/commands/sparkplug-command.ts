/**
 * Commands as Sparkplug's DCMD: metrics by name; where it is signed, the first metric carries the signed text, the key
 * and the signature as properties. What the metrics say must be what was signed.
 */
import type { ValueType } from "../../core/tag.ts";
import { tagId } from "../../core/tag.ts";
import { DATATYPE, wireValueOf } from "../sparkplug/datatype.ts";
import {
  decodePayload,
  encodePayload,
  type Metric,
  type Payload,
  type Property,
  type WireValue,
} from "../sparkplug/payload.ts";
import { MalformedPayload } from "../sparkplug/protobuf.ts";
import { type Arrival, type Given, type GivenValue, malformed } from "./arrival.ts";
import { givenOf } from "./given-value.ts";
import {
  COMMAND_MAX_BYTES,
  type CommandContent,
  type SignedCommand,
  signedCommand,
  VALUES_MAX,
} from "./signed-command.ts";

const NAME_MAX_CHARS = 256;

/** Keys of the properties. */
const COMMAND = "Command";
const KEY = "Key";
const SIGNATURE = "Signature";

/** @param typeOf of a tag, by its id; undefined where there is none */
export function parseDeviceCommand(
  device: string,
  bytes: Uint8Array,
  typeOf: (id: string) => ValueType | undefined,
): Arrival {
  if (bytes.length > COMMAND_MAX_BYTES) return malformed(`${bytes.length} bytes are too many for a command`);
  let payload: Payload;
  try {
    payload = decodePayload(bytes);
  } catch (error) {
    if (!(error instanceof MalformedPayload)) throw error;
    return malformed(`it is no Sparkplug payload: ${error.message}`);
  }
  const { metrics } = payload;
  const values = givenBy(device, metrics, typeOf);
  if (typeof values === "string") return malformed(values);
  const properties = metrics.flatMap((metric) => metric.properties ?? []);
  if (!properties.some(({ key }) => key === SIGNATURE)) return { kind: "plain", values };
  const command = signedIn(metrics);
  if (command === undefined) return malformed(`${COMMAND}, ${KEY} and ${SIGNATURE} are not as they must be written`);
  if (Buffer.compare(encodePayload(payload), bytes) !== 0) return malformed("it holds what no signed command has");
  return { kind: "signed", command, contradiction: (content) => contradictionOf(content, payload, values, typeOf) };
}

/** The payload of a command, for tags of one device. Types are those of the birth. */
export function deviceCommand(
  command: SignedCommand,
  { issuedMs, values }: CommandContent,
  typeOf: (id: string) => ValueType,
): Uint8Array {
  const { text, keyId, signature } = command;
  const properties = [
    textProperty(COMMAND, text),
    textProperty(KEY, keyId),
    textProperty(SIGNATURE, Buffer.from(signature).toString("base64")),
  ];
  const metrics = values.map(({ id, v }, index): Metric => {
    const type = typeOf(id);
    const given = givenOf(v, type);
    const value = "wrong" in given ? undefined : wireValueOf(given.value, type);
    if (value === undefined) throw new RangeError(`${id}: ${v} is no ${type}`);
    const name = id.slice(id.indexOf("/") + 1);
    return { name, timestamp: issuedMs, datatype: DATATYPE[type], ...(index === 0 && { properties }), value };
  });
  return encodePayload({ timestamp: issuedMs, metrics });
}

function givenBy(
  device: string,
  metrics: readonly Metric[],
  typeOf: (id: string) => ValueType | undefined,
): readonly Given[] | string {
  if (metrics.length === 0) return "it holds no metric";
  if (metrics.length > VALUES_MAX) return `more than ${VALUES_MAX} metrics in a command`;
  const values: Given[] = [];
  for (const { name, datatype, isNull, value } of metrics) {
    if (name === undefined) return "a metric of a command goes by its name, not by an alias";
    if (name.length > NAME_MAX_CHARS) return `a metric has a name of ${name.length} characters`;
    const id = tagId(device, name);
    const type = typeOf(id);
    if (type !== undefined && datatype !== undefined && datatype !== DATATYPE[type]) return `${id} is of type ${type}`;
    const v = value === undefined || isNull === true ? undefined : givenOfWire(value, type);
    if (v === undefined) return `${id} has no value that ${type ?? "a command"} can have`;
    values.push({ id, v });
  }
  return new Set(values.map(({ id }) => id)).size < values.length ? "a metric stands in it twice" : values;
}

/** Small integers are 32 bits on the wire, negative ones in two's complement (Sparkplug 3.0, 6.4.16). */
function givenOfWire({ field, value }: WireValue, type: ValueType | undefined): GivenValue | undefined {
  switch (type) {
    case undefined:
      return value;
    case "bool":
      return field === "boolean" ? value : undefined;
    case "string":
      return field === "string" ? value : undefined;
    case "float32":
      return field === "float" ? value : undefined;
    case "float64":
      return field === "double" ? value : undefined;
    case "int16":
    case "int32":
      return field === "int" ? value | 0 : undefined;
    case "uint16":
      return field === "int" ? value : undefined;
    // Older hosts send it as 64 bits.
    case "uint32":
      return field === "int" || field === "long" ? Number(value) : undefined;
    case "int64":
      return field === "long" ? BigInt.asIntN(64, value) : undefined;
    case "uint64":
      return field === "long" ? value : undefined;
  }
}

function signedIn([first, ...more]: readonly Metric[]): SignedCommand | undefined {
  const { properties = [] } = first ?? {};
  if (more.some((metric) => metric.properties !== undefined)) return undefined;
  const keys = properties.map(({ key }) => key);
  if (keys.join() !== [COMMAND, KEY, SIGNATURE].join()) return undefined;
  const [text, key, signature] = properties.map(({ type, isNull, value }) => {
    return type === DATATYPE.string && isNull === undefined && value?.field === "string" ? value.value : undefined;
  });
  return signedCommand(text, key, signature);
}

/** Nothing of the message is left that was not signed: neither value nor time, nor what says how to read them. */
function contradictionOf(
  { values, issuedMs }: CommandContent,
  { metrics, timestamp, seq }: Payload,
  given: readonly Given[],
  typeOf: (id: string) => ValueType | undefined,
): string | undefined {
  const times = [timestamp, ...metrics.map((metric) => metric.timestamp)].filter((time) => time !== undefined);
  if (times.some((time) => time !== issuedMs)) return "its timestamps are not the time at which it was issued";
  if (seq !== undefined || metrics.some(hasFlags)) return "it holds what no signed command has";
  const isSame = ({ id, v }: Given, index: number) => {
    const other = values[index];
    const type = typeOf(id);
    if (other?.id !== id || type === undefined) return false;
    const [a, b] = [givenOf(v, type), givenOf(other.v, type)];
    return "value" in a && "value" in b && Object.is(a.value, b.value);
  };
  const agrees = given.length === values.length && given.every(isSame);
  return agrees ? undefined : "its metrics are not the values that were signed";
}

function hasFlags({ alias, isHistorical, isTransient, isNull }: Metric): boolean {
  return [alias, isHistorical, isTransient, isNull].some((flag) => flag !== undefined);
}

function textProperty(key: string, value: string): Property {
  return { key, type: DATATYPE.string, value: { field: "string", value } };
}
