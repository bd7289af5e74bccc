/** Decodes Sparkplug payloads with `protoc`, which shares nothing with the encoder under test. */
import { runProtoc } from "./protoc.ts";
import { parseTextFormat, type TextFields, type TextValue } from "./text-format.ts";

/** A field that is not on the wire is undefined: presence is part of what is checked. */
export interface Payload {
  readonly timestamp: bigint | undefined;
  readonly seq: bigint | undefined;
  readonly metrics: readonly Metric[];
  /** What no right payload has, in words: fields of another number or wire type, texts that are no UTF-8. */
  readonly flaws: readonly string[];
}

export interface Metric {
  readonly name: string | undefined;
  readonly alias: bigint | undefined;
  readonly timestamp: bigint | undefined;
  readonly datatype: bigint | undefined;
  readonly isHistorical: boolean | undefined;
  readonly isTransient: boolean | undefined;
  readonly isNull: boolean | undefined;
  readonly value: Value | undefined;
  readonly properties: PropertySet | undefined;
}

/** Named as its field on the wire. Integers as they ride there, unsigned. */
export interface Value {
  readonly field: string;
  readonly content: bigint | number | boolean | string | Uint8Array | undefined;
}

export interface PropertySet {
  readonly keys: readonly string[];
  readonly values: readonly PropertyValue[];
}

export interface PropertyValue {
  readonly type: bigint | undefined;
  readonly isNull: boolean | undefined;
  readonly value: Value | undefined;
}

const BATCH_MAX_BYTES = 4 * 1024 * 1024;
/** Field 1, length-delimited. */
const PAYLOAD_TAG = 0x0a;

/** In the order given; undefined where the bytes are no payload. */
export async function decodePayloads(payloads: readonly Uint8Array[]): Promise<readonly (Payload | undefined)[]> {
  const decoded: (Payload | undefined)[] = [];
  for (let from = 0; from < payloads.length; ) {
    let to = from;
    for (let bytes = 0; to < payloads.length && (to === from || bytes < BATCH_MAX_BYTES); to++) {
      bytes += payloads[to]?.length ?? 0;
    }
    decoded.push(...(await decodeBatch(payloads.slice(from, to))));
    from = to;
  }
  return decoded;
}

/** One broken payload spoils a batch, so a batch that is refused is looked at in halves. */
async function decodeBatch(payloads: readonly Uint8Array[]): Promise<readonly (Payload | undefined)[]> {
  const batch = Buffer.concat(payloads.flatMap((payload) => [header(payload.length), payload]));
  const printed = await runProtoc("decode", "Batch", batch);
  if (printed !== undefined) {
    const read = (parseTextFormat(printed.toString("latin1")).get("payload") ?? []).filter(isMessage).map(payloadOf);
    if (read.length !== payloads.length) throw new Error(`${read.length} of ${payloads.length} payloads were decoded`);
    return read;
  }
  if (payloads.length === 1) return [undefined];
  const half = Math.ceil(payloads.length / 2);
  return [...(await decodeBatch(payloads.slice(0, half))), ...(await decodeBatch(payloads.slice(half)))];
}

function header(length: number): Buffer {
  const bytes = [PAYLOAD_TAG];
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function payloadOf(fields: TextFields): Payload {
  const flaws: string[] = [];
  const read = new Fields(fields, "payload", flaws);
  const payload = {
    timestamp: read.uint("timestamp"),
    seq: read.uint("seq"),
    metrics: read.messages("metric").map((metric) => metricOf(metric)),
    flaws,
  };
  read.ignore("uuid", "body");
  read.end();
  return payload;
}

const METRIC_VALUES = ["int", "long", "float", "double", "boolean", "string", "bytes", "dataset", "template"];
const PROPERTY_VALUES = ["int", "long", "float", "double", "boolean", "string", "propertyset", "propertysets"];

function metricOf(read: Fields): Metric {
  const properties = read.messages("properties")[0];
  const metric = {
    name: read.text("name"),
    alias: read.uint("alias"),
    timestamp: read.uint("timestamp"),
    datatype: read.uint("datatype"),
    isHistorical: read.flag("is_historical"),
    isTransient: read.flag("is_transient"),
    isNull: read.flag("is_null"),
    value: read.value(METRIC_VALUES),
    properties: properties === undefined ? undefined : propertySetOf(properties),
  };
  read.ignore("metadata");
  read.end();
  return metric;
}

function propertySetOf(read: Fields): PropertySet {
  const set = {
    keys: read.texts("key"),
    values: read.messages("value").map((value) => {
      const property = { type: value.uint("type"), isNull: value.flag("is_null"), value: value.value(PROPERTY_VALUES) };
      value.end();
      return property;
    }),
  };
  read.end();
  return set;
}

/** The fields of one message; what nobody asked for is a flaw. */
class Fields {
  readonly #fields: TextFields;
  readonly #where: string;
  readonly #flaws: string[];
  readonly #known = new Set<string>();

  constructor(fields: TextFields, where: string, flaws: string[]) {
    this.#fields = fields;
    this.#where = where;
    this.#flaws = flaws;
  }

  uint(name: string): bigint | undefined {
    const word = this.#last(name);
    return typeof word === "string" ? BigInt(word) : undefined;
  }

  flag(name: string): boolean | undefined {
    const word = this.#last(name);
    return word === undefined ? undefined : word === "true";
  }

  text(name: string): string | undefined {
    return this.texts(name).at(-1);
  }

  texts(name: string): readonly string[] {
    return this.#all(name)
      .filter((value) => Buffer.isBuffer(value))
      .map((bytes) => this.#utf8(name, bytes));
  }

  messages(name: string): readonly Fields[] {
    return this.#all(name)
      .filter(isMessage)
      .map((fields) => new Fields(fields, name, this.#flaws));
  }

  value(kinds: readonly string[]): Value | undefined {
    let value: Value | undefined;
    for (const kind of kinds) {
      const last = this.#last(`${kind}_value`);
      if (last !== undefined) value = { field: `${kind}_value`, content: this.#content(kind, last) };
    }
    return value;
  }

  ignore(...names: readonly string[]): void {
    for (const name of names) this.#known.add(name);
  }

  end(): void {
    for (const name of this.#fields.keys()) {
      if (!this.#known.has(name)) this.#flaws.push(`${this.#where} has a field ${name} that it should not have`);
    }
  }

  #content(kind: string, value: TextValue): Value["content"] {
    if (isMessage(value)) return undefined;
    if (Buffer.isBuffer(value)) return kind === "string" ? this.#utf8(kind, value) : value;
    if (kind === "boolean") return value === "true";
    if (kind === "int" || kind === "long") return BigInt(value);
    return floatOf(value);
  }

  #utf8(name: string, bytes: Uint8Array): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      this.#flaws.push(`${this.#where}: ${name} is no UTF-8`);
      return Buffer.from(bytes).toString("latin1");
    }
  }

  #last(name: string): TextValue | undefined {
    return this.#all(name).at(-1);
  }

  #all(name: string): readonly TextValue[] {
    this.#known.add(name);
    return this.#fields.get(name) ?? [];
  }
}

function floatOf(word: string): number {
  if (word === "inf") return Number.POSITIVE_INFINITY;
  return word === "-inf" ? Number.NEGATIVE_INFINITY : Number(word);
}

function isMessage(value: TextValue): value is TextFields {
  return value instanceof Map;
}
