/** Samples as metrics: names, flags and properties as they stand on the wire. */
import { isGood, STATUSES, type Status } from "../../core/quality.ts";
import type { Tag, ValueType } from "../../core/tag.ts";
import type { LossReason, Sample } from "../../pipeline.ts";
import { DATATYPE, wireValueOf } from "./datatype.ts";
import type { Metric, Property, WireValue } from "./payload.ts";
import type { Uint64 } from "./protobuf.ts";

/** What a host knows a metric by, from its birth on. */
export interface BornMetric {
  readonly name: string;
  /** Absent where aliases are not used, and on those that never have one. */
  readonly alias?: Uint64;
  readonly type: ValueType;
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
export const BD_SEQ: BornMetric = { name: "bdSeq", type: "int64" };
export const REBIRTH: BornMetric = { name: "Node Control/Rebirth", type: "bool" };
export const CLOCK_GOOD: BornMetric = { name: "ClockGood", type: "bool" };
export const EPOCH: BornMetric = { name: "clock/epoch", type: "int64" };
export const REFUSED: BornMetric = { name: "commands/refused", type: "string" };

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

/** @param toldBad the far end holds this metric for not Good, and must be told otherwise */
export function liveMetric(
  born: BornMetric,
  sample: Sample,
  toldBad: boolean,
  isUnsynced: boolean,
  options: DataOptions,
): Metric {
  const metric = dataMetric(born, sample, options);
  if (!isGood(sample.status) || toldBad) metric.properties = QUALITIES.of(sample.status, undefined);
  if (isUnsynced) metric.isTransient = true;
  return metric;
}

export function historicalMetric(born: BornMetric, sample: Sample, options: DataOptions): Metric {
  const { value, status, sourceTimestampMs, epoch } = sample;
  const metric = dataMetric(born, sample, options);
  if (metric.isNull === true && value !== null) {
    const [fromMs, toMs] = [sourceTimestampMs, sourceTimestampMs];
    return lostMetric(born, { epoch, toEpoch: epoch, fromMs, toMs, count: 1, reason: "type changed" }, options);
  }
  metric.isHistorical = true;
  metric.properties = QUALITIES.of(isGood(status) ? undefined : status, epoch);
  return metric;
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

type Building = { -readonly [K in keyof Metric]: Metric[K] };

/** Written step by step: it is made for every sample, and spreads are most of what that costs. */
function dataMetric(
  { name, alias, type }: BornMetric,
  { value, sourceTimestampMs }: Sample,
  options: DataOptions,
): Building {
  const metric: Building = { timestamp: sourceTimestampMs };
  const wire = wireValueOf(value, type);
  if (alias === undefined) metric.name = name;
  else metric.alias = alias;
  if (options.datatypeInData) metric.datatype = DATATYPE[type];
  if (wire === undefined) metric.isNull = true;
  else metric.value = wire;
  return metric;
}

/** Lists of properties that samples have in common. They are frozen, so that each is encoded once. */
class Qualities {
  readonly #lists = new Map<number | undefined, Map<Status | undefined, readonly Property[]>>();

  /** @param status undefined: not told; @param epoch likewise */
  of(status: Status | undefined, epoch: number | undefined): readonly Property[] {
    const ofEpoch = this.#lists.get(epoch) ?? new Map<Status | undefined, readonly Property[]>();
    let list = ofEpoch.get(status);
    if (list === undefined) {
      list = Object.freeze([
        ...(status === undefined ? [] : qualityOf(status)),
        ...(epoch === undefined ? [] : [epochProperty(epoch)]),
      ]);
      if (this.#lists.size > EPOCHS_KEPT) this.#lists.clear();
      this.#lists.set(epoch, ofEpoch.set(status, list));
    }
    return list;
  }
}

/** Of a backlog; each start of the gateway is one. */
const EPOCHS_KEPT = 100;
const QUALITIES = new Qualities();

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
