/** Who may write from afar. */
import type { Config } from "../../config/config.ts";
import { listed } from "../../config/wording.ts";
import { counted } from "../listing.ts";
import { ailing, type Finding, ok } from "./finding.ts";

/** More names than these would not be read. */
const NAMED_MAX = 5;

/** @param config with a section `commands` */
export function checkCommands({ lines, commands }: Pick<Config, "lines" | "commands">): Finding {
  const tags = lines.flatMap((line) => line.devices.flatMap((device) => device.tags)).filter((tag) => tag.writable);
  const open = tags.filter((tag) => tag.unsigned).map(({ id }) => id);
  const keys = commands?.authorizedKeys.length ?? 0;
  if (open.length === 0)
    return ok("commands", "", `${counted(tags.length, "tag")} can be written from afar, by ${counted(keys, "key")}`);
  const more = open.length > NAMED_MAX ? [`${open.length - NAMED_MAX} more`] : [];
  return ailing("commands", "", {
    name: "unsigned-commands",
    verdict: "WARNING",
    found: `whoever may publish to the broker can write ${listed([...open.slice(0, NAMED_MAX), ...more]).replace(/ or /, " and ")}`,
    means: "nobody has to sign, and what was sent once can be sent again",
    todo: "remove unsigned: true at the tag, and sign with sallyport command",
  });
}
