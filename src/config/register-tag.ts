import { assert } from "../core/errors.ts";
import type { Tag } from "../core/tag.ts";
import type { ByteOrder, RegisterTag, RegisterType } from "./config.ts";
import { DEFAULTS } from "./defaults.ts";
import {
  locationOf,
  markRange,
  rawMark,
  rawTypeOf,
  scaleLocation,
  staleDefaultMs,
  type TagDraft,
  valueTypeOf,
} from "./tag-rules.ts";
import type { DeadbandSpec } from "./values.ts";

/** What a tag has from its device where it does not say itself. */
export interface TagDefaults {
  readonly scanRateMs: number;
  readonly byteOrder: ByteOrder;
  readonly enabled: boolean;
}

/** A tag that passed tagMistakes, with every default filled in. */
export function buildTag(
  identity: Pick<Tag, "id" | "device" | "name">,
  tag: TagDraft,
  defaults: TagDefaults,
): RegisterTag {
  const at = locationOf(tag);
  assert(at !== undefined, `tag ${identity.id} passed its checks without an address`);
  const raw = rawTypeOf(tag, at.table);
  const scaleFrom = scaleLocation(tag.scaleFrom);
  const { writable, writeFirst } = tag;
  const limits = typeof writable === "object" ? writable : undefined;
  return {
    ...identity,
    ...buildReporting(tag, defaults.scanRateMs),
    type: valueTypeOf(tag, raw.type),
    deadband: deadbandOf(tag.deadband, tag.min, tag.max),
    writable: writable !== undefined && writable !== false,
    enabled: defaults.enabled,
    register: {
      ...at,
      ...raw,
      byteOrder: tag.byteOrder ?? defaults.byteOrder,
      ...(tag.bit !== undefined && { bit: tag.bit }),
    },
    ...(tag.scale !== undefined && { scale: tag.scale }),
    ...(tag.offset !== undefined && { offset: tag.offset }),
    ...(scaleFrom !== undefined && { scaleFrom }),
    ...(writeFirst?.holdingRegister !== undefined &&
      writeFirst.value !== undefined && {
        writeFirst: { address: writeFirst.holdingRegister, value: writeFirst.value },
      }),
    ...marksOf(tag, raw.type),
    ...(tag.enum !== undefined && { enum: wholeRecord(tag.enum) }),
    ...(limits !== undefined && {
      writeLimits: {
        ...(limits.min !== undefined && { min: limits.min }),
        ...(limits.max !== undefined && { max: limits.max }),
      },
    }),
    unsigned: tag.unsigned ?? false,
  };
}

function marksOf({ notAvailable }: TagDraft, type: RegisterType): Pick<RegisterTag, "notAvailable" | "notAvailableTo"> {
  const { from, to } = notAvailable === undefined ? {} : markRange(notAvailable);
  const first = from === undefined ? undefined : rawMark(from, type);
  const last = to === undefined ? undefined : rawMark(to, type);
  return {
    ...(first !== undefined && { notAvailable: first }),
    ...(last !== undefined && { notAvailableTo: last }),
  };
}

/** The keys of reporting, which device tags and inputs share. */
export function buildReporting(
  tag: Pick<TagDraft, "units" | "min" | "max" | "scanRate" | "stale" | "maxInterval" | "priority">,
  scanRateDefaultMs: number,
): Omit<Tag, "id" | "device" | "name" | "type" | "deadband" | "writable" | "enabled"> {
  const scanRateMs = tag.scanRate ?? scanRateDefaultMs;
  return {
    ...(tag.units !== undefined && { units: tag.units }),
    ...(tag.min !== undefined && { min: tag.min }),
    ...(tag.max !== undefined && { max: tag.max }),
    scanRateMs,
    staleMs: tag.stale ?? staleDefaultMs(scanRateMs),
    maxIntervalMs: tag.maxInterval ?? DEFAULTS.maxIntervalMs,
    priority: tag.priority ?? DEFAULTS.priority,
  };
}

/** In engineering units; a share is of max − min. */
export function deadbandOf(deadband: DeadbandSpec | undefined, min = 0, max = 0): number {
  if (deadband === undefined) return 0;
  return "absolute" in deadband ? deadband.absolute : ((max - min) * deadband.percent) / 100;
}

function wholeRecord(names: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    // `01` and `-0` name the numbers 1 and 0.
    Object.entries(names).flatMap(([number, name]) => (name === undefined ? [] : [[String(BigInt(number)), name]])),
  );
}
