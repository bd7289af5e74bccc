/** `sallyport keygen NAME`: a pair of keys for remote commands, made where they are signed. */
import { generateKeyPairSync } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { commandKeyOf } from "../core/command-key.ts";
import { assert, EXIT, messageOf, UserError } from "../core/errors.ts";
import { readArguments } from "./arguments.ts";
import type { CommandIo } from "./io.ts";
import { machineText } from "./machine-text.ts";

const USAGE = "usage: sallyport keygen NAME [--json]";

const HELP = `${USAGE}

Makes a key for remote commands (Ed25519), on the machine of who will sign them,
not on the gateway. It sends nothing and overwrites nothing.

  NAME.key    signs: only its owner may read it. Keep it off every gateway
  NAME.pub    goes beside gateway.yaml, which names it:
              commands: { authorizedKeys: [ NAME.pub ] }

  --json      what was made, for machines

exit code   0 made, 64 wrong usage, 74 the files cannot be written
`;

const OWNER_ONLY_MODE = 0o600;
const PUBLIC_MODE = 0o644;

export async function keygen(args: string[], io: CommandIo): Promise<number> {
  const given = parse(args);
  if (given === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const [keyFile, publicFile] = [`${given.name}.key`, `${given.name}.pub`];
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = commandKeyOf(publicKey);
  assert(typeof key !== "string", "an Ed25519 key is one");
  const taken = [keyFile, publicFile].find((file) => existsSync(file));
  if (taken !== undefined) throw new UserError(`${taken} is there already; choose another name`, EXIT.io);
  writeNew(keyFile, privateKey.export({ type: "pkcs8", format: "pem" }), OWNER_ONLY_MODE);
  writeNew(publicFile, publicKey.export({ type: "spki", format: "pem" }), PUBLIC_MODE);
  if (given.json) io.out(machineText({ id: key.id, keyFile, publicFile }));
  else
    io.out(
      `key ${key.id}\n  ${keyFile}  signs: keep it, and give it to nobody\n  ${publicFile}  for gateway.yaml: commands: { authorizedKeys: [ ${publicFile} ] }\n`,
    );
  return EXIT.ok;
}

function writeNew(file: string, text: string | Buffer, mode: number): void {
  try {
    writeFileSync(file, text, { flag: "wx", mode });
  } catch (error) {
    throw new UserError(`${file} cannot be written: ${messageOf(error)}`, EXIT.io);
  }
}

function parse(args: string[]): { readonly name: string; readonly json: boolean } | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
    });
    if (values.help) return "help";
    const [name, ...more] = positionals;
    if (name === undefined) throw new Error("name the key, as in: sallyport keygen ops");
    if (more.length > 0) throw new Error("name one key only");
    return { name, json: values.json };
  });
}
