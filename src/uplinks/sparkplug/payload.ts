/**
 * The payload of Sparkplug B (Sparkplug 3.0, chapter 6): metrics with explicit presence, so that a 0 is not an absence.
 * What this gateway never publishes (data sets, templates, meta data, nested properties) is passed over when read.
 */
import { MalformedPayload, ProtobufReader, ProtobufWriter, type Uint64, uint64Of } from "./protobuf.ts";

/** The value of a metric or property, by the field that holds it. */
export type WireValue =
  | { readonly field: "int"; readonly value: number }
  | { readonly field: "long"; readonly value: bigint }
  | { readonly field: "float"; readonly value: number }
  | { readonly field: "double"; readonly value: number }
  | { readonly field: "boolean"; readonly value: boolean }
  | { readonly field: "string"; readonly value: string };

/** Absent and present-but-zero are two things. */
export interface Metric {
  readonly name?: string;
  readonly alias?: Uint64;
  /** UTC ms. */
  readonly timestamp?: Uint64;
  readonly datatype?: number;
  readonly isHistorical?: boolean;
  readonly isTransient?: boolean;
  readonly isNull?: boolean;
  readonly properties?: readonly Property[];
  readonly value?: WireValue;
}

export interface Property {
  readonly key: string;
  readonly type?: number;
  readonly isNull?: boolean;
  readonly value?: WireValue;
}

export interface Payload {
  /** UTC ms. */
  readonly timestamp?: Uint64;
  readonly metrics: readonly Metric[];
  readonly seq?: Uint64;
}

/** A command is some metrics; more is not read. */
export const READ_METRICS_MAX = 1_000;
export const READ_PROPERTIES_MAX = 100;
export const READ_PAYLOAD_MAX_BYTES = 1024 * 1024;

const PAYLOAD = { timestamp: 1, metric: 2, seq: 3 } as const;
const METRIC = {
  name: 1,
  alias: 2,
  timestamp: 3,
  datatype: 4,
  isHistorical: 5,
  isTransient: 6,
  isNull: 7,
  properties: 9,
  /** Of the value's fields: the first one, int_value. The others follow. */
  value: 10,
} as const;
const PROPERTIES = { key: 1, value: 2 } as const;
const PROPERTY = { type: 1, isNull: 2, value: 3 } as const;
/** From the first of them on, in metrics and properties alike. */
const VALUE_FIELD = { int: 0, long: 1, float: 2, double: 3, boolean: 4, string: 5 } as const;

const writer = new ProtobufWriter();

export function encodePayload({ timestamp, metrics, seq }: Payload): Uint8Array {
  if (timestamp !== undefined) writer.uint(PAYLOAD.timestamp, timestamp);
  for (const metric of metrics) writeMetric(writer, metric);
  if (seq !== undefined) writer.uint(PAYLOAD.seq, seq);
  return writer.take();
}

/** The payload with its time and number: fields of a message may come in any order, so its metrics are not written anew. */
export function stampPayload(payload: Uint8Array, timestamp: Uint64, seq: Uint64): Uint8Array {
  writer.uint(PAYLOAD.timestamp, timestamp);
  writer.encoded(payload);
  writer.uint(PAYLOAD.seq, seq);
  return writer.take();
}

/** As a field of a payload. */
export function writeMetric(out: ProtobufWriter, metric: Metric): void {
  const begin = out.begin(PAYLOAD.metric);
  writeFields(out, metric);
  out.end(begin);
}

/** Some fields of a metric, for `writeMetricOf`. */
export function encodeFields(some: Metric): Uint8Array {
  writeFields(writer, some);
  return writer.take();
}

/** A metric of fields of which most are encoded already, because many metrics have them in common. */
export function writeMetricOf(
  out: ProtobufWriter,
  before: Uint8Array,
  timestamp: number,
  behind: Uint8Array,
  value: WireValue | undefined,
): void {
  const begin = out.begin(PAYLOAD.metric);
  out.encoded(before);
  out.uint(METRIC.timestamp, timestamp);
  out.encoded(behind);
  if (value !== undefined) writeValue(out, METRIC.value, value);
  out.end(begin);
}

function writeFields(out: ProtobufWriter, metric: Metric): void {
  const { name, alias, timestamp, datatype, isHistorical, isTransient, isNull, properties, value } = metric;
  if (name !== undefined) out.string(METRIC.name, name);
  if (alias !== undefined) out.uint(METRIC.alias, alias);
  if (timestamp !== undefined) out.uint(METRIC.timestamp, timestamp);
  if (datatype !== undefined) out.uint(METRIC.datatype, datatype);
  if (isHistorical !== undefined) out.bool(METRIC.isHistorical, isHistorical);
  if (isTransient !== undefined) out.bool(METRIC.isTransient, isTransient);
  if (isNull !== undefined) out.bool(METRIC.isNull, isNull);
  if (properties !== undefined) writeProperties(out, properties);
  if (value !== undefined) writeValue(out, METRIC.value, value);
}

function writeProperties(out: ProtobufWriter, properties: readonly Property[]): void {
  const begin = out.begin(METRIC.properties);
  for (const { key } of properties) out.string(PROPERTIES.key, key);
  for (const { type, isNull, value } of properties) {
    const beginOfValue = out.begin(PROPERTIES.value);
    if (type !== undefined) out.uint(PROPERTY.type, type);
    if (isNull !== undefined) out.bool(PROPERTY.isNull, isNull);
    if (value !== undefined) writeValue(out, PROPERTY.value, value);
    out.end(beginOfValue);
  }
  out.end(begin);
}

function writeValue(out: ProtobufWriter, first: number, { field, value }: WireValue): void {
  if (field === "double") out.double(first + VALUE_FIELD.double, value);
  else if (field === "float") out.float(first + VALUE_FIELD.float, value);
  else if (field === "int") out.uint(first + VALUE_FIELD.int, value >>> 0);
  else if (field === "long") out.uint(first + VALUE_FIELD.long, BigInt.asUintN(64, value));
  else if (field === "boolean") out.bool(first + VALUE_FIELD.boolean, value);
  else out.string(first + VALUE_FIELD.string, value);
}

/** @throws MalformedPayload */
export function decodePayload(bytes: Uint8Array): Payload {
  if (bytes.length > READ_PAYLOAD_MAX_BYTES) throw new MalformedPayload(`${bytes.length} bytes are too many`);
  const reader = new ProtobufReader(bytes);
  const metrics: Metric[] = [];
  const payload: { -readonly [K in keyof Payload]: Payload[K] } = { metrics };
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === PAYLOAD.timestamp) payload.timestamp = uint64Of(reader.uint());
    else if (field === PAYLOAD.seq) payload.seq = uint64Of(reader.uint());
    else if (field === PAYLOAD.metric) {
      if (metrics.length === READ_METRICS_MAX) throw new MalformedPayload(`more than ${READ_METRICS_MAX} metrics`);
      metrics.push(decodeMetric(reader.bytes()));
    } else reader.skip();
  }
  return payload;
}

function decodeMetric(bytes: Uint8Array): Metric {
  const reader = new ProtobufReader(bytes);
  const metric: { -readonly [K in keyof Metric]: Metric[K] } = {};
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === METRIC.name) metric.name = reader.string();
    else if (field === METRIC.alias) metric.alias = uint64Of(reader.uint());
    else if (field === METRIC.timestamp) metric.timestamp = uint64Of(reader.uint());
    else if (field === METRIC.datatype) metric.datatype = reader.uint32();
    else if (field === METRIC.isHistorical) metric.isHistorical = reader.bool();
    else if (field === METRIC.isTransient) metric.isTransient = reader.bool();
    else if (field === METRIC.isNull) metric.isNull = reader.bool();
    else if (field === METRIC.properties) metric.properties = decodeProperties(reader.bytes());
    else Object.assign(metric, readValue(reader, field - METRIC.value));
  }
  return metric;
}

function decodeProperties(bytes: Uint8Array): Property[] {
  const reader = new ProtobufReader(bytes);
  const keys: string[] = [];
  const values: Omit<Property, "key">[] = [];
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === PROPERTIES.key) keys.push(reader.string());
    else if (field === PROPERTIES.value) values.push(decodeProperty(reader.bytes()));
    else reader.skip();
    if (Math.max(keys.length, values.length) > READ_PROPERTIES_MAX) throw new MalformedPayload("too many properties");
  }
  if (keys.length !== values.length) throw new MalformedPayload("properties with more keys or more values");
  return keys.map((key, index) => ({ key, ...values[index] }));
}

function decodeProperty(bytes: Uint8Array): Omit<Property, "key"> {
  const reader = new ProtobufReader(bytes);
  const property: { -readonly [K in keyof Omit<Property, "key">]: Property[K] } = {};
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === PROPERTY.type) property.type = reader.uint32();
    else if (field === PROPERTY.isNull) property.isNull = reader.bool();
    else Object.assign(property, readValue(reader, field - PROPERTY.value));
  }
  return property;
}

/** @param index of the field among those of values; nothing where it is none of these, and passed over */
function readValue(reader: ProtobufReader, index: number): { value?: WireValue } {
  switch (index) {
    case VALUE_FIELD.int:
      return { value: { field: "int", value: reader.uint32() } };
    case VALUE_FIELD.long:
      return { value: { field: "long", value: reader.uint() } };
    case VALUE_FIELD.float:
      return { value: { field: "float", value: reader.float() } };
    case VALUE_FIELD.double:
      return { value: { field: "double", value: reader.double() } };
    case VALUE_FIELD.boolean:
      return { value: { field: "boolean", value: reader.bool() } };
    case VALUE_FIELD.string:
      return { value: { field: "string", value: reader.string() } };
    default:
      reader.skip();
      return {};
  }
}
