/** Samples as metrics: names, flags and properties as they stand on the wire. */
import { isGood, STATUSES, type Status } from "../../core/quality.ts";
import type { Tag, ValueType } from "../../core/tag.ts";
import type { LossReason, Sample } from "../../pipeline.ts";
import { DATATYPE, wireValueOf } from "./datatype.ts";
import { encodeFields, type Metric, type Property, type WireValue, writeMetric, writeMetricOf } from "./payload.ts";
import type { ProtobufWriter, Uint64 } from "./protobuf.ts";

/** What a host knows a metric by, from its birth on. */
export interface BornMetric {
  readonly name: string;
  /** Absent where aliases are not used, and on those that never have one. */
  readonly alias?: Uint64;
  readonly type: ValueType;
  /** What data call it, encoded: its name, or the alias in place of it. */
  readonly call: Uint8Array;
}

export function bornMetric(name: string, type: ValueType, alias?: Uint64): BornMetric {
  return alias === undefined
    ? { name, type, call: encodeFields({ name }) }
    : { name, type, alias, call: encodeFields({ alias }) };
}

/** How this uplink writes data. */
export interface DataOptions {
  readonly datatypeInData: boolean;
}

/** A stretch of one tag's samples that this uplink does not get. */
export interface LostMetric {
  readonly epoch: number;
  readonly toEpoch: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number | null;
  readonly reason: LossReason;
}

/** These two go by their names, always. */
export const BD_SEQ = bornMetric("bdSeq", "int64");
export const REBIRTH = bornMetric("Node Control/Rebirth", "bool");
export const CLOCK_GOOD = bornMetric("ClockGood", "bool");
export const EPOCH = bornMetric("clock/epoch", "int64");
export const REFUSED = bornMetric("commands/refused", "string");

/** As a metric of a birth: name, alias, type, value and all that describes it. */
export function birthMetric(
  born: BornMetric,
  sample: Sample,
  tag: Partial<Tag>,
  epoch: number,
  isUnsynced: boolean,
): Metric {
  const { value, status, sourceTimestampMs } = sample;
  const wire = wireValueOf(value, born.type);
  return {
    ...named(born),
    timestamp: sourceTimestampMs,
    datatype: DATATYPE[born.type],
    ...(isUnsynced && { isTransient: true }),
    ...(wire === undefined && { isNull: true }),
    properties: [
      ...qualityOf(status),
      ...(sample.epoch === epoch ? [] : [epochProperty(sample.epoch)]),
      ...(tag.units === undefined ? [] : [text("engUnit", tag.units)]),
      ...(tag.min === undefined ? [] : [double("engLow", tag.min)]),
      ...(tag.max === undefined ? [] : [double("engHigh", tag.max)]),
    ],
    ...(wire !== undefined && { value: wire }),
  };
}

/** A metric that is born only because history of it is owed: there is nothing to say of it now. */
export function formerMetric(born: BornMetric, nowMs: number): Metric {
  const properties = qualityOf("BadOutOfService");
  return { ...named(born), timestamp: nowMs, datatype: DATATYPE[born.type], isNull: true, properties };
}

/** A sample as a metric of the current values. @param toldBad the far end holds it for not Good, and must be told otherwise */
export function writeLive(
  out: ProtobufWriter,
  born: BornMetric,
  sample: Sample,
  toldBad: boolean,
  isUnsynced: boolean,
  options: DataOptions,
): void {
  const { value, status, sourceTimestampMs } = sample;
  const wire = wireValueOf(value, born.type);
  const datatype = options.datatypeInData ? DATATYPE[born.type] : undefined;
  const told = !isGood(status) || toldBad ? status : undefined;
  writeMetricOf(
    out,
    born.call,
    sourceTimestampMs,
    REMARKS.of(datatype, wire === undefined, isUnsynced, told, undefined),
    wire,
  );
}

/** A sample as a metric of the past. */
export function writeHistorical(out: ProtobufWriter, born: BornMetric, sample: Sample, options: DataOptions): void {
  const { value, status, sourceTimestampMs, epoch } = sample;
  const wire = wireValueOf(value, born.type);
  if (wire === undefined && value !== null) {
    const [fromMs, toMs] = [sourceTimestampMs, sourceTimestampMs];
    const lost = { epoch, toEpoch: epoch, fromMs, toMs, count: 1, reason: "type changed" } as const;
    writeMetric(out, lostMetric(born, lost, options));
    return;
  }
  const datatype = options.datatypeInData ? DATATYPE[born.type] : undefined;
  const told = isGood(status) ? undefined : status;
  writeMetricOf(out, born.call, sourceTimestampMs, REMARKS.of(datatype, wire === undefined, false, told, epoch), wire);
}

export function lostMetric(born: BornMetric, lost: LostMetric, { datatypeInData }: DataOptions): Metric {
  return {
    ...called(born),
    timestamp: Math.max(0, lost.fromMs),
    ...(datatypeInData && { datatype: DATATYPE[born.type] }),
    isHistorical: true,
    isNull: true,
    properties: [
      ...qualityOf("BadDataLost"),
      epochProperty(lost.epoch),
      long("LostFrom", lost.fromMs),
      long("LostTo", lost.toMs),
      ...(lost.toEpoch === lost.epoch ? [] : [long("LostToEpoch", lost.toEpoch)]),
      ...(lost.count === null ? [] : [long("LostCount", lost.count)]),
      text("LostReason", lost.reason),
    ],
  };
}

/** A node metric of the gateway's own making, in a birth. */
export function ownBirth(born: BornMetric, value: Sample["value"], atMs: number): Metric {
  return { ...named(born), timestamp: atMs, datatype: DATATYPE[born.type], ...presence(wireValueOf(value, born.type)) };
}

/** The same in data. */
export function ownData(born: BornMetric, value: Sample["value"], atMs: number, options: DataOptions): Metric {
  const datatype = options.datatypeInData && { datatype: DATATYPE[born.type] };
  return { ...called(born), timestamp: atMs, ...datatype, ...presence(wireValueOf(value, born.type)) };
}

function presence(wire: WireValue | undefined): Pick<Metric, "isNull" | "value"> {
  return wire === undefined ? { isNull: true } : { value: wire };
}

/** What data say of a sample between its time and its value, encoded: it is the same for long stretches of samples. */
class Remarks {
  readonly #known = new Map<string, Uint8Array>();
  #datatype: number | undefined;
  #isNull = false;
  #isTransient = false;
  #status: Status | undefined;
  #epoch: number | undefined;
  #last: Uint8Array = new Uint8Array();

  /** @param status undefined: not told; @param epoch of a sample of the past; undefined for a current one */
  of(
    datatype: number | undefined,
    isNull: boolean,
    isTransient: boolean,
    status: Status | undefined,
    epoch: number | undefined,
  ): Uint8Array {
    const isSame = status === this.#status && epoch === this.#epoch && datatype === this.#datatype;
    if (isSame && isNull === this.#isNull && isTransient === this.#isTransient) return this.#last;
    this.#datatype = datatype;
    this.#isNull = isNull;
    this.#isTransient = isTransient;
    this.#status = status;
    this.#epoch = epoch;
    this.#last = this.#find();
    return this.#last;
  }

  #find(): Uint8Array {
    const key = [this.#datatype, this.#isNull, this.#isTransient, this.#status, this.#epoch].join(" ");
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const encoded = encodeFields(this.#fields());
    if (this.#known.size >= REMARKS_KEPT) this.#known.clear();
    this.#known.set(key, encoded);
    return encoded;
  }

  #fields(): Metric {
    const status = this.#status === undefined ? [] : qualityOf(this.#status);
    const epoch = this.#epoch === undefined ? [] : [epochProperty(this.#epoch)];
    return {
      ...(this.#datatype !== undefined && { datatype: this.#datatype }),
      ...(this.#epoch !== undefined && { isHistorical: true }),
      ...(this.#isTransient && { isTransient: true }),
      ...(this.#isNull && { isNull: true }),
      ...(status.length + epoch.length > 0 && { properties: [...status, ...epoch] }),
    };
  }
}

/** Of types, statuses, and the epochs of a backlog; each start of the gateway is one. */
const REMARKS_KEPT = 1_000;
const REMARKS = new Remarks();

function named({ name, alias }: BornMetric): Pick<Metric, "name" | "alias"> {
  return alias === undefined ? { name } : { name, alias };
}

/** In data the alias stands in place of the name. */
function called({ name, alias }: BornMetric): Pick<Metric, "name" | "alias"> {
  return alias === undefined ? { name } : { alias };
}

function qualityOf(status: Status): readonly Property[] {
  return [
    { key: "Quality", type: DATATYPE.int32, value: { field: "int", value: STATUSES[status].sparkplug } },
    text("StatusName", status),
  ];
}

function epochProperty(epoch: number): Property {
  return long("Epoch", epoch);
}

function text(key: string, value: string): Property {
  return { key, type: DATATYPE.string, value: { field: "string", value } };
}

function double(key: string, value: number): Property {
  return { key, type: DATATYPE.float64, value: { field: "double", value } };
}

function long(key: string, value: number): Property {
  return { key, type: DATATYPE.int64, value: { field: "long", value: BigInt(value) } };
}
