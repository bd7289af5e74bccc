/** The formats that are JSON: our own, and those of others. */
import type { UplinkConfig } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import type { CurrentValues } from "../../pipeline.ts";
import type { Format, SessionFormat } from "../format.ts";
import { azureTopics, topicsBelow } from "../topics.ts";
import { createJsonFormat } from "./json-format.ts";
import { createKepwareFormat } from "./kepware-format.ts";

export function jsonFormatOf(
  { format, topic, id, node }: Pick<UplinkConfig, "format" | "topic" | "id" | "node">,
  values: CurrentValues,
  clock: Clock,
  converse?: SessionFormat["converse"],
): Format {
  const ear = converse && { converse };
  switch (format) {
    case "kepware":
      // Several gateways may share Kepware's topic; what is told of one of them stands apart.
      return createKepwareFormat({
        topic,
        topics: topicsBelow(`${topic}/${node.group}/${node.name}`),
        id,
        values,
        clock,
        ...ear,
      });
    case "azure-iot-hub":
      return createJsonFormat({ topics: azureTopics(topic), id, values, clock });
    default:
      return createJsonFormat({ topics: topicsBelow(topic), id, values, clock, ...ear });
  }
}
