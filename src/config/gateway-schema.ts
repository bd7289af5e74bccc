/** gateway.yaml as a whole: one schema, the single source of what may stand in the file. */
import * as v from "valibot";
import { LIMITS } from "./defaults.ts";
import { inputSchema } from "./input-schema.ts";
import { lineSchema } from "./line-schema.ts";
import { choice, list, mapOr, named, nameSchema, section, tagNameSchema } from "./section.ts";
import { uplinkSchema } from "./uplink-schema.ts";
import { duration, durationOrZero, pathSchema, size, text } from "./values.ts";
import { not, says } from "./wording.ts";

const outboxSchema = section("the outbox", {
  path: v.exactOptional(pathSchema),
  maxSize: v.exactOptional(size(LIMITS.storedSizeBytes)),
  maxAge: v.exactOptional(duration(LIMITS.storedAgeMs)),
  reserve: v.exactOptional(size(LIMITS.reserveBytes)),
  commitInterval: v.exactOptional(durationOrZero(LIMITS.commitIntervalMs)),
  outageCommitInterval: v.exactOptional(durationOrZero(LIMITS.commitIntervalMs)),
});

const clockSchema = section("the clock", {
  source: v.exactOptional(choice(["auto", "host"])),
  waitAtMost: v.exactOptional(duration(LIMITS.clockWaitAtMostMs)),
});

const keySchema = mapOr(
  section(
    "a key",
    {
      file: pathSchema,
      tags: v.exactOptional(
        list("a list of tags", text("a tag", LIMITS.textChars), LIMITS.keyTags, 'write it as [ "pump-1/setpoint" ]'),
      ),
    },
    { file: "file: ops.pub" },
  ),
  pathSchema,
);

const commandsSchema = section(
  "commands",
  {
    authorizedKeys: list("a list of key files", keySchema, LIMITS.authorizedKeys, "write it as [ ops.pub ]"),
  },
  { authorizedKeys: "authorizedKeys: [ ops.pub ]" },
);

export const gatewaySchema = section(
  "a gateway's configuration",
  {
    version: v.literal(1, not("a version this program knows", "write version: 1")),
    gateway: section(
      "the gateway's name",
      { group: nameSchema, name: nameSchema },
      { group: "group: plant-7", name: "name: pump-house-3" },
    ),
    uplinks: v.pipe(
      named("the uplinks", nameSchema, uplinkSchema, LIMITS.uplinks),
      v.minEntries(1, says("there is nowhere to send to", "add an uplink with its servers")),
    ),
    lines: v.exactOptional(named("the lines", nameSchema, lineSchema, LIMITS.lines)),
    inputs: v.exactOptional(named("the inputs", tagNameSchema, inputSchema, LIMITS.inputs)),
    outbox: v.exactOptional(outboxSchema),
    clock: v.exactOptional(clockSchema),
    commands: v.exactOptional(commandsSchema),
  },
  {
    version: "version: 1",
    gateway: "gateway: { group: plant-7, name: pump-house-3 }",
    uplinks: 'uplinks: { cloud: { servers: [ "mqtts://broker.example.com:8883" ] } }',
  },
);

export type GatewayFile = v.InferOutput<typeof gatewaySchema>;
