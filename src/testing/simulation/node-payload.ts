/**
 * Sparkplug payloads as the simulated far end reads them: by the field numbers of the specification (Sparkplug 3.0,
 * chapter 6), and by nothing of the encoder that wrote them.
 */

/** Of what is not on the wire nothing is said. */
export interface NodePayload {
  readonly timestamp?: number | bigint;
  readonly seq?: number | bigint;
  readonly metrics: readonly NodeMetric[];
}

export interface NodeMetric {
  readonly name?: string;
  readonly alias?: number | bigint;
  readonly timestamp?: number | bigint;
  readonly datatype?: number | bigint;
  readonly isHistorical?: boolean;
  readonly isTransient?: boolean;
  readonly isNull?: boolean;
  readonly value?: WireNumber | boolean | string;
  readonly properties: ReadonlyMap<string, WireNumber | boolean | string | undefined>;
}

type WireNumber = number | bigint;
type Read = (bytes: Cursor) => unknown;
type Schema = Readonly<Record<number, readonly [name: string, read: Read]>>;

/** Below this a number of seven bits a byte is exact as a double. */
const EXACT_BYTES = 7;
const WIRE_TYPE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

class Cursor {
  at: number;
  readonly end: number;
  readonly bytes: Buffer;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  varint(): WireNumber {
    const from = this.at;
    let value = 0;
    for (let scale = 1; this.at - from < EXACT_BYTES; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    let long = BigInt(value);
    for (let shift = 7n * BigInt(EXACT_BYTES); ; shift += 7n) {
      const byte = this.#byte();
      long |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, long);
    }
  }

  inner(): Cursor {
    const length = Number(this.varint());
    const from = this.pass(length);
    return new Cursor(this.bytes, from, this.at);
  }

  /** @returns where the bytes that are passed begin */
  pass(length: number): number {
    const from = this.at;
    this.at += length;
    if (this.at > this.end) throw new RangeError("a field reaches beyond its message");
    return from;
  }

  skip(wireType: number): void {
    if (wireType === WIRE_TYPE.varint) this.varint();
    else if (wireType === WIRE_TYPE.fixed64) this.pass(8);
    else if (wireType === WIRE_TYPE.bytes) this.inner();
    else if (wireType === WIRE_TYPE.fixed32) this.pass(4);
    else throw new RangeError(`there is no wire type ${wireType}`);
  }

  #byte(): number {
    if (this.at >= this.end) throw new RangeError("the payload ends amid a number");
    return this.bytes[this.at++] ?? 0;
  }
}

const uint: Read = (from) => from.varint();
const bool: Read = (from) => from.varint() !== 0;
const text: Read = (from) => {
  const { bytes, at, end } = from.inner();
  return bytes.toString("utf8", at, end);
};
const float: Read = (from) => from.bytes.readFloatLE(from.pass(4));
const double: Read = (from) => from.bytes.readDoubleLE(from.pass(8));

/** Of metrics and properties alike, from this field on. */
function valueFrom(first: number): Schema {
  const kinds = [uint, uint, float, double, bool, text];
  return Object.fromEntries(kinds.map((read, i) => [first + i, ["value", read]]));
}

const PROPERTY: Schema = { 1: ["type", uint], 2: ["isNull", bool], ...valueFrom(3) };
const PROPERTY_SET: Schema = { 1: ["keys+", text], 2: ["values+", (from) => read(from.inner(), PROPERTY)] };
const METRIC: Schema = {
  1: ["name", text],
  2: ["alias", uint],
  3: ["timestamp", uint],
  4: ["datatype", uint],
  5: ["isHistorical", bool],
  6: ["isTransient", bool],
  7: ["isNull", bool],
  9: ["properties", propertiesIn],
  ...valueFrom(10),
};
const PAYLOAD: Schema = { 1: ["timestamp", uint], 2: ["metrics+", metricIn], 3: ["seq", uint] };

const NO_PROPERTIES: NodeMetric["properties"] = new Map();

function metricIn(from: Cursor): NodeMetric {
  return { properties: NO_PROPERTIES, ...read<Partial<NodeMetric>>(from.inner(), METRIC) };
}

function propertiesIn(from: Cursor): NodeMetric["properties"] {
  type Value = { readonly value?: WireNumber | boolean | string };
  const { keys = [], values = [] } = read<{ keys?: string[]; values?: Value[] }>(from.inner(), PROPERTY_SET);
  if (keys.length !== values.length) throw new RangeError("properties have as many keys as values");
  return new Map(keys.map((key, i) => [key, values[i]?.value]));
}

/** Believes the schema as to the types. A name that ends in + is that of a list. */
function read<T>(from: Cursor, schema: Schema): T;
function read(from: Cursor, schema: Schema): unknown {
  const message: Record<string, unknown> = {};
  while (from.at < from.end) {
    const key = Number(from.varint());
    const field = schema[key >>> 3];
    if (field === undefined) {
      from.skip(key & 7);
      continue;
    }
    const [name, readField] = field;
    const value = readField(from);
    if (!name.endsWith("+")) message[name] = value;
    else {
      const list = message[name.slice(0, -1)];
      if (Array.isArray(list)) list.push(value);
      else message[name.slice(0, -1)] = [value];
    }
  }
  return message;
}

/** Many look at one message; nobody writes into it. */
const decoded = new WeakMap<Uint8Array, NodePayload>();

/** @throws RangeError where the bytes are no payload */
export function nodePayload(payload: Uint8Array): NodePayload {
  const known = decoded.get(payload);
  if (known !== undefined) return known;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const content = { metrics: [], ...read<Partial<NodePayload>>(new Cursor(bytes, 0, bytes.length), PAYLOAD) };
  decoded.set(payload, content);
  return content;
}
