/** `sallyport models [NAME]`: which devices are known by name, and what is read from one. */
import { parseArgs } from "node:util";
import type { RegisterTag } from "../config/config.ts";
import { modelNames, type ShownModel, showModel } from "../config/model.ts";
import { registerNumber, wireAddress } from "../config/register-number.ts";
import { serialText } from "../config/values.ts";
import { nearest } from "../config/wording.ts";
import { ConfigurationError, EXIT, UserError } from "../core/errors.ts";
import { readArguments } from "./arguments.ts";
import type { CommandIo } from "./io.ts";
import { counted, pageColumns, wrapped } from "./listing.ts";
import { machineText } from "./machine-text.ts";
import { tagListing } from "./tag-listing.ts";

const USAGE = "usage: sallyport models [NAME | FILE] [--json]";

const HELP = `${USAGE}

Lists the device models that come with Sallyport: what each device is, how many
tags it has, and from which public document its registers are taken.

  NAME    shows one: every tag with its register as manuals print it (30001) and
          as it goes over the wire (inputRegister:0), and all its sources
  FILE    the same for a model file of your own, as ./my-device.yaml; tells
          all its mistakes, each as file:line:column key: what is wrong
  --json  the same for machines

exit code   0 shown, 78 mistakes in FILE, 64 wrong usage or no such model

A device of a model needs no tags of its own in gateway.yaml:

  meter-1: { unitId: 1, model: eastron-sdm630 }

It may read only some of them, and change what is reported:

  meter-1:
    unitId: 1
    model: eastron-sdm630
    tags: [ power-total, energy-import ]
    change: { power-total: { deadband: 50, scanRate: 5s } }

A model of your own is a file, named by its path (model: ./flow-3.yaml):

  name: Flow 3
  maker: Acme
  source: Flow 3 manual, version 1.2, chapter 7
  tags:
    flow:  { inputRegister: 0, type: float32, units: l/s }
    valve: { holdingRegister: 8, enum: { 0: closed, 1: open } }
`;

interface Arguments {
  readonly name: string | undefined;
  readonly json: boolean;
}

export async function models(args: string[], io: CommandIo): Promise<number> {
  const given = parse(args);
  if (given === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const columns = pageColumns(io.columns);
  const { name, json } = given;
  if (name === undefined) {
    const all = modelNames().map((each) => showModel(each));
    io.out(json ? machineText(all.map(summary)) : listText(all, columns));
    return EXIT.ok;
  }
  return showOne(name, json, columns, io);
}

function showOne(name: string, json: boolean, columns: number, io: CommandIo): number {
  const isFile = name.includes("/") || name.includes(".");
  if (!isFile && !modelNames().includes(name)) {
    const meant = nearest(name, modelNames());
    const remedy = meant === undefined ? "sallyport models lists them" : `did you mean ${meant}?`;
    throw new UserError(`there is no model ${name}; ${remedy}`, EXIT.usage);
  }
  try {
    const model = showModel(name);
    io.out(json ? machineText(details(model)) : modelText(model, columns));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    if (json) io.out(machineText({ problems: error.problems }));
    else io.err(`${error.message}\n${counted(error.problems.length, "mistake")}\n`);
    return error.exitCode;
  }
}

function parse(args: string[]): Arguments | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
    });
    if (values.help) return "help";
    if (positionals.length > 1) throw new Error("name one model only");
    return { name: positionals[0], json: values.json };
  });
}

function listText(all: readonly ShownModel[], columns: number): string {
  const texts = all.map(({ id, maker, name, kind, tags, sources }) => {
    const what = wrapped(`${maker} ${name}: ${kind}`, columns, 2);
    return `${id}, ${counted(tags.length, "tag")}\n${what}${wrapped(`from ${sources[0]}`, columns, 4)}`;
  });
  return `${texts.join("\n")}\n${all.length} models. sallyport models NAME shows the registers of one.\n`;
}

function modelText({ id, maker, name, kind, factory, tags, sources }: ShownModel, columns: number): string {
  const settings = [
    ...(factory.serial === undefined ? [] : [serialText(factory.serial)]),
    ...(factory.unitId === undefined ? [] : [`unit ${factory.unitId}`]),
  ];
  return [
    `${id}: ${maker} ${name}\n`,
    ...(kind === "" ? [] : [wrapped(kind, columns, 2)]),
    ...(settings.length === 0 ? [] : [`  leaves the factory with ${settings.join(", ")}\n`]),
    `\n${counted(tags.length, "tag")}\n${tagListing(tags, columns, 2)}`,
    `\nfrom\n${sources.map((source) => wrapped(source, columns, 2)).join("")}`,
  ].join("");
}

function summary({ id, name, maker, kind, sources, factory, tags }: ShownModel): object {
  const { serial, unitId } = factory;
  const settings = { ...(serial !== undefined && { serial: serialText(serial) }), ...(unitId && { unitId }) };
  return { id, name, maker, kind, sources, factory: settings, tags: tags.length };
}

function details(model: ShownModel): object {
  return { ...summary(model), tags: model.tags.map(tagDetails) };
}

function tagDetails({ name, register, type, ...tag }: RegisterTag): object {
  const { byteOrder, bit, lengthBytes } = register;
  const { units, min, max, scale, offset, scaleFrom, notAvailable, notAvailableTo, enum: names } = tag;
  return {
    name,
    register: registerNumber(register),
    address: wireAddress(register),
    held: register.type,
    lengthBytes,
    byteOrder,
    bit,
    type,
    units,
    min,
    max,
    scale,
    offset,
    scaleFrom: scaleFrom && wireAddress(scaleFrom),
    notAvailable,
    notAvailableTo,
    enum: names,
  };
}
