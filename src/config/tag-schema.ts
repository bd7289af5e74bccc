/** A tag of a device or a model in YAML. What its keys must be to each other is checked in tag-rules.ts. */
import * as v from "valibot";
import { LIMITS } from "./defaults.ts";
import { choice, mapOr, named, section, tagNameSchema } from "./section.ts";
import {
  addressSchema,
  deadbandSchema,
  duration,
  flagSchema,
  numberSchema,
  registerNumberSchema,
  registerTypeSchema,
  text,
  whole,
} from "./values.ts";
import { not, says } from "./wording.ts";

/** The keys that say where a value is held; a tag has exactly one of them. */
export const LOCATION_KEYS = ["register", "coil", "discreteInput", "inputRegister", "holdingRegister"] as const;

const location = {
  register: v.exactOptional(registerNumberSchema),
  coil: v.exactOptional(addressSchema),
  discreteInput: v.exactOptional(addressSchema),
  inputRegister: v.exactOptional(addressSchema),
  holdingRegister: v.exactOptional(addressSchema),
};

/** What may be set for a whole device, too. */
export const byteOrderSchema = choice(["ABCD", "BADC", "CDAB", "DCBA"]);
export const scanRateSchema = duration(LIMITS.scanRateMs);

export const prioritySchema = choice(["low", "normal", "high"]);
export const staleSchema = duration(LIMITS.staleMs);
export const maxIntervalSchema = duration(LIMITS.maxIntervalMs);
export const unitsSchema = text("units", LIMITS.unitsChars);

const rawNumberSchema = v.union(
  [v.pipe(v.number(), v.finite()), v.bigint()],
  not("a raw value", "write the register's own number, as 0x8000 or 65535"),
);

/** One raw value, or the first and the last of a range. */
const notAvailableSchema = mapOr(
  section(
    "a range of raw values",
    { from: rawNumberSchema, to: rawNumberSchema },
    { from: "{ from: 0xFFF8, to: 0xFFFF }", to: "{ from: 0xFFF8, to: 0xFFFF }" },
  ),
  rawNumberSchema,
);

const enumSchema = named(
  "a list of names for numbers",
  v.pipe(v.string(), v.regex(/^-?\d{1,10}$/, not("a whole number", "write number: name, as 0: stopped"))),
  text("a name", LIMITS.nameChars),
  LIMITS.enumValues,
);

const writableSchema = mapOr(
  section("limits of writing", { min: v.exactOptional(numberSchema), max: v.exactOptional(numberSchema) }),
  v.boolean(not("true, false or limits", "write true, or { min: 0, max: 1500 }")),
);

const scaleFromSchema = mapOr(
  v.pipe(
    section("a register", location),
    v.minEntries(1, says("names no register", "write { holdingRegister: 120 }, or the number as 40121")),
  ),
  registerNumberSchema,
);

const writeFirstSchema = section(
  "what is written first",
  { holdingRegister: addressSchema, value: whole("a register's value", LIMITS.registerValue) },
  { holdingRegister: "holdingRegister: 100", value: "value: 3" },
);

/** What a device may change in its model's tag: everything but where and how the value is held. */
const settings = {
  byteOrder: v.exactOptional(byteOrderSchema),
  scale: v.exactOptional(numberSchema),
  offset: v.exactOptional(numberSchema),
  units: v.exactOptional(unitsSchema),
  deadband: v.exactOptional(deadbandSchema),
  scanRate: v.exactOptional(scanRateSchema),
  stale: v.exactOptional(staleSchema),
  maxInterval: v.exactOptional(maxIntervalSchema),
  min: v.exactOptional(numberSchema),
  max: v.exactOptional(numberSchema),
  notAvailable: v.exactOptional(notAvailableSchema),
  enum: v.exactOptional(enumSchema),
  priority: v.exactOptional(prioritySchema),
  writable: v.exactOptional(writableSchema),
  unsigned: v.exactOptional(flagSchema),
};

export const changeSchema = section("what changes in a tag", settings);

export const tagSchema = section("a tag", {
  ...location,
  type: v.exactOptional(registerTypeSchema),
  bit: v.exactOptional(whole("a bit", { min: 0, max: 15 })),
  scaleFrom: v.exactOptional(scaleFromSchema),
  writeFirst: v.exactOptional(writeFirstSchema),
  ...settings,
});

export const tagsSchema = v.pipe(
  named("a group of tags", tagNameSchema, tagSchema, LIMITS.tagsPerDevice),
  v.minEntries(1, says("there are no tags here", "add one, as speed: { register: 40101 }")),
);

export type TagSection = v.InferOutput<typeof tagSchema>;
export type ChangeSection = v.InferOutput<typeof changeSchema>;
