/** The section `inputs` of gateway.yaml: GPIO. */
import * as v from "valibot";
import { LIMITS } from "./defaults.ts";
import { choice, mapOr, nameSchema, section } from "./section.ts";
import { maxIntervalSchema, prioritySchema, scanRateSchema, staleSchema, unitsSchema } from "./tag-schema.ts";
import { deadbandSchema, duration, flagSchema, numberSchema, text, whole } from "./values.ts";

const pinSchema = mapOr(
  section(
    "a pin",
    { chip: text("the label of a GPIO chip", LIMITS.nameChars), line: whole("a line", LIMITS.gpioLine) },
    { chip: "chip: pinctrl-bcm2711", line: "line: 17" },
  ),
  nameSchema,
);

export const inputSchema = section(
  "an input",
  {
    pin: pinSchema,
    activeLow: v.exactOptional(flagSchema),
    bias: v.exactOptional(choice(["pull-up", "pull-down", "disabled"])),
    debounce: v.exactOptional(duration(LIMITS.debounceMs)),
    counter: v.exactOptional(choice(["rising", "falling", "both"])),
    start: v.exactOptional(numberSchema),
    scale: v.exactOptional(numberSchema),
    units: v.exactOptional(unitsSchema),
    deadband: v.exactOptional(deadbandSchema),
    min: v.exactOptional(numberSchema),
    max: v.exactOptional(numberSchema),
    scanRate: v.exactOptional(scanRateSchema),
    stale: v.exactOptional(staleSchema),
    maxInterval: v.exactOptional(maxIntervalSchema),
    priority: v.exactOptional(prioritySchema),
  },
  { pin: "pin: DI1" },
);

export type InputSection = v.InferOutput<typeof inputSchema>;
