/** `sallyport init`: a first gateway.yaml from a few questions or flags. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gatewayJsonSchema } from "../../config/json-schema.ts";
import { parseConfig } from "../../config/load.ts";
import { modelNames } from "../../config/model.ts";
import { parseSerial } from "../../config/values.ts";
import { nearest } from "../../config/wording.ts";
import { ConfigurationError, EXIT, messageOf, UserError } from "../../core/errors.ts";
import { readArguments } from "../arguments.ts";
import type { CommandIo } from "../io.ts";
import { machineText } from "../machine-text.ts";
import { type FirstDevice, type FirstGateway, firstGatewayText, PASSWORD_FILE } from "./first-gateway.ts";
import { CalledOff, Questions } from "./questions.ts";

const USAGE = "usage: sallyport init [FILE] [--name N] [--server URL] [--device N=UNIT:MODEL]";

const HELP = `${USAGE}

Writes a first gateway.yaml with comments, one that \`check\` accepts. At a
terminal it asks for what no flag tells; Enter takes what stands in brackets.
Without a terminal, what no flag tells has its usual value. A file that is
there is never overwritten without --force.

  FILE             default: gateway.yaml
  --group G        the plant; --name N: this gateway
  --server URL     the broker, mqtts:// or wss://
  --format F       json (default), sparkplug, kepware, aws-iot, azure-iot-hub
  --ca FILE        who signed the broker's certificate; absent: a public CA
  --user NAME      of the broker's login; the password goes into a file
                   ${PASSWORD_FILE} beside this one, which only you can read
  --line PORT      the serial port, as /dev/ttyUSB0; --serial "9600 8N1"
  --device SPEC    name=unit:model, or name=unit; may be repeated
  --schema         write gateway.schema.json beside it, for editors
  --force          overwrite FILE
  --json           tell what was written, for machines

exit code   0 written, 64 wrong usage, 74 FILE cannot be written

  sallyport init --name pump-house-3 --server mqtts://broker.example.com:8883 \\
    --line /dev/ttyUSB0 --serial "9600 8N1" --device meter-1=1:eastron-sdm630
`;

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const DEVICE = /^([A-Za-z0-9_-]{1,64})=(\d{1,3})(?::(.+))?$/;
const SCHEMA_FILE = "gateway.schema.json";
const BY_ID = "/dev/serial/by-id";
const USUAL = {
  group: "plant",
  name: "gateway-1",
  server: "mqtts://broker.example.com:8883",
  format: "json",
  serial: "19200 8E1",
} as const;

interface Given {
  readonly file: string;
  readonly group: string | undefined;
  readonly name: string | undefined;
  readonly server: string | undefined;
  readonly format: string;
  readonly ca: string | undefined;
  readonly user: string | undefined;
  readonly line: string | undefined;
  readonly serial: string | undefined;
  readonly devices: readonly FirstDevice[];
  readonly schema: boolean;
  readonly force: boolean;
  readonly json: boolean;
}

export async function init(args: string[], io: CommandIo): Promise<number> {
  const given = parse(args);
  if (given === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const { file } = given;
  if (existsSync(file) && !given.force) {
    throw new UserError(`${file} is there already; give another name, or --force to overwrite it`, EXIT.usage);
  }
  const first = io.isTerminal && !given.json ? await asked(given, io) : usual(given);
  if (first === undefined) {
    io.out("\nnothing was written\n");
    return EXIT.usage;
  }
  const text = firstGatewayText(first);
  refuseMistakes(file, text);
  write(file, text);
  if (given.schema) write(join(dirname(file), SCHEMA_FILE), machineText(gatewayJsonSchema()));
  tell(given, first, io);
  return EXIT.ok;
}

/** What a flag brought in can be wrong; the file itself must not be. */
function refuseMistakes(file: string, text: string): void {
  try {
    parseConfig(file, text);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const told = error.problems.map(({ key, wrong, remedy }) => `${key}: ${wrong}; ${remedy}`).join("\n");
    throw new UserError(`${told}\nnothing was written`, EXIT.usage);
  }
}

function tell({ file, schema, json }: Given, { missing }: FirstGateway, io: CommandIo): void {
  if (json) {
    io.out(machineText({ file, schema: schema ? join(dirname(file), SCHEMA_FILE) : null, missing }));
    return;
  }
  const todo = missing.map((name) => `put ${name} beside it, and take the # away in front of its key\n`);
  io.out(`written: ${file}\n${todo.join("")}next: sallyport check ${file}, then sallyport doctor ${file}\n`);
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new UserError(`cannot write ${file}: ${messageOf(error)}`, EXIT.io);
  }
}

function usual(given: Given): FirstGateway {
  const { group = USUAL.group, name = USUAL.name, server = USUAL.server, serial = USUAL.serial } = given;
  return complete(given, { group, name, server, serial }, given);
}

interface Choices {
  readonly ca: string | undefined;
  readonly user: string | undefined;
  readonly line: string | undefined;
  readonly devices: readonly FirstDevice[];
}

function complete(
  { file, format, schema }: Given,
  named: Pick<FirstGateway, "group" | "name" | "server" | "serial">,
  { ca, user, line, devices }: Choices,
): FirstGateway {
  const files = [...(ca === undefined ? [] : [ca]), ...(user === undefined ? [] : [PASSWORD_FILE])];
  return {
    ...named,
    format,
    schema,
    devices,
    missing: files.filter((name) => !existsSync(resolve(dirname(file), name))),
    ...(ca !== undefined && { ca }),
    ...(user !== undefined && { username: user }),
    ...(line !== undefined && { path: line }),
  };
}

/** @returns undefined where it was called off */
async function asked(given: Given, io: CommandIo): Promise<FirstGateway | undefined> {
  const questions = new Questions(io);
  const anything = () => undefined;
  const name = (text: string) => (NAME.test(text) ? undefined : "use letters, digits, _ and -");
  const ask = (
    flag: string | undefined,
    question: string,
    usual: string,
    mistake: (text: string) => string | undefined,
  ) => (flag === undefined ? questions.ask(question, usual, mistake) : Promise.resolve(flag));
  const orNothing = (text: string) => (text === "" ? undefined : text);
  try {
    const named = {
      group: await ask(given.group, "Plant", USUAL.group, name),
      name: await ask(given.name, "Name of this gateway", USUAL.name, name),
      server: await ask(given.server, "Broker", USUAL.server, (text) =>
        /^(mqtts|wss):\/\/./.test(text) ? undefined : "write mqtts://host:8883 or wss://host/path: TLS only",
      ),
    };
    const ca = orNothing(await ask(given.ca, "CA file of the broker (Enter: a public CA)", "", anything));
    const user = orNothing(await ask(given.user, "User name at the broker (Enter: none)", "", anything));
    const line = orNothing(await ask(given.line, "Serial port (Enter: none)", serialPorts()[0] ?? "", anything));
    const serial =
      line === undefined
        ? USUAL.serial
        : await ask(given.serial, "Its settings, as the devices' menus show them", USUAL.serial, serialMistake);
    const isOpen = line !== undefined && given.devices.length === 0;
    const devices = isOpen ? await askedDevices(questions) : given.devices;
    return complete(given, { ...named, serial }, { ca, user, line, devices });
  } catch (error) {
    if (error instanceof CalledOff) return undefined;
    throw error;
  } finally {
    questions.end();
  }
}

async function askedDevices(questions: Questions): Promise<readonly FirstDevice[]> {
  const devices: FirstDevice[] = [];
  for (;;) {
    const question = 'A device, as "meter-1=1:eastron-sdm630" or "pump-1=2" (Enter: no more)';
    const spec = await questions.ask(question, "", (text) => (text === "" ? undefined : deviceMistake(text)));
    if (spec === "") return devices;
    devices.push(parseDevice(spec));
  }
}

function deviceMistake(spec: string): string | undefined {
  try {
    parseDevice(spec);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function serialMistake(text: string): string | undefined {
  try {
    parseSerial(text);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** @throws Error with the remedy */
function parseDevice(spec: string): FirstDevice {
  const [, name = "", unit = "", model] = DEVICE.exec(spec) ?? [];
  if (name === "") throw new Error(`"${spec}" is no device; write name=unit:model, as meter-1=1:eastron-sdm630`);
  const isFile = model?.includes("/") || model?.includes(".");
  if (model !== undefined && !isFile && !modelNames().includes(model)) {
    const meant = nearest(model, modelNames());
    throw new Error(
      `there is no model ${model}; ${meant === undefined ? "see sallyport models" : `did you mean ${meant}?`}`,
    );
  }
  return { name, unitId: Number(unit), ...(model !== undefined && { model }) };
}

function serialPorts(): string[] {
  try {
    return readdirSync(BY_ID)
      .sort()
      .map((name) => join(BY_ID, name));
  } catch {
    return [];
  }
}

function parse(args: string[]): Given | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        group: { type: "string" },
        name: { type: "string" },
        server: { type: "string" },
        format: { type: "string", default: USUAL.format },
        ca: { type: "string" },
        user: { type: "string" },
        line: { type: "string" },
        serial: { type: "string" },
        device: { type: "string", multiple: true, default: [] },
        schema: { type: "boolean", default: false },
        force: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    if (positionals.length > 1) throw new Error("name one file only");
    if (values.serial !== undefined) parseSerial(values.serial);
    const { group, name, server, format, ca, user, line, serial, schema, force, json, device } = values;
    const devices = device.map(parseDevice);
    if (devices.length > 0 && line === undefined) throw new Error("--device needs --line, the port it is on");
    const file = resolve(positionals[0] ?? "gateway.yaml");
    return { file, group, name, server, format, ca, user, line, serial, devices, schema, force, json };
  });
}
