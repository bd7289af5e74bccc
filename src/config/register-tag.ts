import { assert } from "../core/errors.ts";
import type { Tag } from "../core/tag.ts";
import type { ByteOrder, RegisterTag, RegisterType } from "./config.ts";
import { DEFAULTS } from "./defaults.ts";
import type { RegisterAddress } from "./register-number.ts";
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

type Built = { -readonly [Key in keyof RegisterTag]: RegisterTag[Key] };

/**
 * A tag that passed tagMistakes, with every default filled in. Key by key: there are thousands of them, and a copy by
 * `...` gives each a hidden class of its own in Node 20, which takes more memory than the tag.
 */
export function buildTag(
  { id, device, name }: Pick<Tag, "id" | "device" | "name">,
  tag: TagDraft,
  defaults: TagDefaults,
): RegisterTag {
  const at = locationOf(tag);
  assert(at !== undefined, `tag ${id} passed its checks without an address`);
  const register = registerOf(tag, at, defaults);
  const { scanRateMs, staleMs, maxIntervalMs, priority } = buildReporting(tag, defaults.scanRateMs);
  const type = valueTypeOf(tag, register.type);
  const deadband = deadbandOf(tag.deadband, tag.min, tag.max);
  const writable = tag.writable !== undefined && tag.writable !== false;
  const { enabled } = defaults;
  const unsigned = tag.unsigned ?? false;
  const built: Built = {
    id,
    device,
    name,
    type,
    priority,
    scanRateMs,
    staleMs,
    maxIntervalMs,
    deadband,
    writable,
    enabled,
    register,
    unsigned,
  };
  for (const key of ["units", "min", "max", "scale", "offset"] as const) give(built, key, tag[key]);
  give(built, "scaleFrom", scaleLocation(tag.scaleFrom));
  give(built, "writeFirst", pageOf(tag));
  give(built, "enum", tag.enum && wholeRecord(tag.enum));
  give(built, "writeLimits", limitsOf(tag));
  const { notAvailable, notAvailableTo } = marksOf(tag, register.type);
  give(built, "notAvailable", notAvailable);
  give(built, "notAvailableTo", notAvailableTo);
  return built;
}

function give<T, Key extends keyof T>(built: T, key: Key, value: T[Key] | undefined): void {
  if (value !== undefined) built[key] = value;
}

function registerOf(tag: TagDraft, at: RegisterAddress, defaults: TagDefaults): RegisterTag["register"] {
  const { type, lengthBytes } = rawTypeOf(tag, at.table);
  const register: { -readonly [Key in keyof RegisterTag["register"]]: RegisterTag["register"][Key] } = {
    table: at.table,
    address: at.address,
    type,
    byteOrder: tag.byteOrder ?? defaults.byteOrder,
  };
  give(register, "lengthBytes", lengthBytes);
  give(register, "bit", tag.bit);
  return register;
}

function pageOf({ writeFirst: { holdingRegister: address, value } = {} }: TagDraft): RegisterTag["writeFirst"] {
  return address === undefined || value === undefined ? undefined : { address, value };
}

function limitsOf({ writable }: TagDraft): RegisterTag["writeLimits"] {
  if (typeof writable !== "object") return undefined;
  const { min, max } = writable;
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
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
