/** `sallyport schema`: the JSON Schema of gateway.yaml, for editors. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gatewayJsonSchema, siteJsonSchema } from "../config/json-schema.ts";
import { EXIT, messageOf, UserError } from "../core/errors.ts";
import { readArguments } from "./arguments.ts";
import type { CommandIo } from "./io.ts";
import { machineText } from "./machine-text.ts";

const USAGE = "usage: sallyport schema [--site] [--output FILE]";

const HELP = `${USAGE}

Prints the JSON Schema of gateway.yaml, made from what \`check\` itself goes by.
An editor that knows it completes keys, shows what each is for, and marks
mistakes while you write. What keys must be to each other only \`check\` knows.

  --site         that of site.yaml
  --output FILE  write it there

exit code   0 written, 64 wrong usage, 74 FILE cannot be written

In Visual Studio Code (with the extension YAML), vim, Emacs and others that use
yaml-language-server, put the schema beside gateway.yaml and begin that with:

  # yaml-language-server: $schema=gateway.schema.json
`;

export async function schema(args: string[], io: CommandIo): Promise<number> {
  const given = parse(args);
  if (given === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const { output, site } = given;
  const text = machineText(site ? siteJsonSchema() : gatewayJsonSchema());
  if (output === undefined) {
    io.out(text);
    return EXIT.ok;
  }
  try {
    writeFileSync(output, text);
  } catch (error) {
    throw new UserError(`cannot write ${output}: ${messageOf(error)}`, EXIT.io);
  }
  io.out(`written: ${output}\n`);
  return EXIT.ok;
}

function parse(args: string[]): { readonly output: string | undefined; readonly site: boolean } | "help" {
  return readArguments(USAGE, () => {
    const { values } = parseArgs({
      args,
      options: {
        output: { type: "string" },
        site: { type: "boolean", default: false },
        // What it prints is JSON anyway.
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return values.help ? "help" : { output: values.output, site: values.site };
  });
}
