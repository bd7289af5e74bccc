/** The section `lines` of gateway.yaml, and what a model file shares with it. */
import * as v from "valibot";
import { LIMITS } from "./defaults.ts";
import { choice, list, named, nameSchema, section, tagNameSchema } from "./section.ts";
import { byteOrderSchema, changeSchema, scanRateSchema, tagsSchema } from "./tag-schema.ts";
import { duration, flagSchema, pathSchema, serialSchema, text, unreadableSchema, whole } from "./values.ts";
import { says } from "./wording.ts";

/** What a model may set for its devices, and a device for itself. */
export const deviceSettings = {
  scanRate: v.exactOptional(scanRateSchema),
  byteOrder: v.exactOptional(byteOrderSchema),
  retries: v.exactOptional(whole("a number of retries", LIMITS.retries)),
  lostAfter: v.exactOptional(whole("a number of failed reads", LIMITS.lostAfter)),
  maxGap: v.exactOptional(whole("a number of registers", LIMITS.maxGap)),
  maxQuantity: v.exactOptional(whole("a number of registers", LIMITS.maxQuantity)),
  unreadable: v.exactOptional(
    list("a list of ranges", unreadableSchema, LIMITS.unreadableRanges, 'write it as [ "4:200-219" ]'),
  ),
  maxLate: v.exactOptional(duration(LIMITS.maxLateMs)),
};

/** A device's own tags by name; of a device with a model, a list of the model's names. */
const deviceTagsSchema = v.lazy((input) => (Array.isArray(input) ? subsetSchema : tagsSchema));
const subsetSchema = list(
  "a list of tags",
  text("the name of a tag", LIMITS.nameChars),
  LIMITS.tagsPerDevice,
  "name at least one tag, or remove the key to read them all",
);

const RESERVED: readonly string[] = ["inputs", "gateway"];

const deviceNameSchema = v.pipe(
  nameSchema,
  v.check(
    (name) => !RESERVED.includes(name.toLowerCase()),
    (issue) => says(`${issue.input} is the gateway's own device`, "give the device another name"),
  ),
);

const deviceSchema = section(
  "a device",
  {
    unitId: whole("a unit id", LIMITS.unitId),
    model: v.exactOptional(pathSchema),
    tags: v.exactOptional(deviceTagsSchema),
    change: v.exactOptional(
      named("what changes in the model's tags", tagNameSchema, changeSchema, LIMITS.tagsPerDevice),
    ),
    ...deviceSettings,
    enabled: v.exactOptional(flagSchema),
  },
  { unitId: "unitId: 1" },
);

export const lineSchema = section("a line", {
  path: v.exactOptional(pathSchema),
  serial: v.exactOptional(serialSchema),
  rs485: v.exactOptional(choice(["auto", "rts", "none"])),
  responseTimeout: v.exactOptional(duration(LIMITS.responseTimeoutMs)),
  turnaroundDelay: v.exactOptional(duration(LIMITS.turnaroundDelayMs)),
  devices: v.exactOptional(named("the devices of a line", deviceNameSchema, deviceSchema, LIMITS.devicesPerLine)),
});

export type LineSection = v.InferOutput<typeof lineSchema>;
export type DeviceSection = v.InferOutput<typeof deviceSchema>;
