/** Device models: register maps of real devices as YAML, from our own folder or from the user's. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { ConfigurationError, type Problem } from "../core/errors.ts";
import { tagId } from "../core/tag.ts";
import { claimNames } from "./claims.ts";
import type { RegisterTag, SerialSettings } from "./config.ts";
import { DEFAULTS, LIMITS } from "./defaults.ts";
import { parseSource } from "./document.ts";
import { type Draft, type Inspection, inspect } from "./draft.ts";
import { besideFile, readText } from "./files.ts";
import { deviceSettings } from "./line-schema.ts";
import { buildTag } from "./register-tag.ts";
import { list, section } from "./section.ts";
import { type TagDraft, tagMistakes } from "./tag-rules.ts";
import { tagsSchema } from "./tag-schema.ts";
import { serialSchema, text, whole } from "./values.ts";
import { nearest, shown, type Words } from "./wording.ts";

const defaultsSchema = section("the settings of a device", deviceSettings);

const sourceText = text("the public document the registers are from", LIMITS.textChars);
const sourceSchema = v.lazy((input) =>
  Array.isArray(input)
    ? list("a list of sources", sourceText, LIMITS.sources, "name each document with its version and place")
    : sourceText,
);

/** As the device leaves the factory: what its first installation has to be looked for with. */
const factorySchema = section("the settings of a new device", {
  serial: v.exactOptional(serialSchema),
  unitId: v.exactOptional(whole("a unit id", LIMITS.unitId)),
});

const modelSchema = section(
  "a device model",
  {
    name: text("the device's name", LIMITS.nameChars),
    maker: text("who makes it", LIMITS.nameChars),
    kind: v.exactOptional(text("what the device is", LIMITS.textChars)),
    source: sourceSchema,
    factory: v.exactOptional(factorySchema),
    defaults: v.exactOptional(defaultsSchema),
    tags: tagsSchema,
  },
  {
    name: "name: SDM630-Modbus",
    maker: "maker: Eastron",
    source: "source: title and version of the manual",
    tags: "tags: { voltage: { inputRegister: 0, type: float32 } }",
  },
);

type ModelFile = v.InferOutput<typeof modelSchema>;

export interface Model {
  readonly defaults: Draft<v.InferOutput<typeof defaultsSchema>>;
  readonly tags: Readonly<Record<string, TagDraft | undefined>>;
  /** Nothing is wrong with it. */
  readonly sound: boolean;
}

/** The models one configuration uses, each read once. */
export interface ModelShelf {
  /** The model as far as it is well formed, or why there is none. */
  find(name: string): Model | Words;
  /** What is wrong inside the models found. */
  problems(): readonly Problem[];
}

const OWN_MODELS = fileURLToPath(new URL("../models", import.meta.url));
const MODEL_FILE = /\.ya?ml$/;

/** A model as its file says it, and the tags that a device of it has. */
export interface ShownModel {
  /** Its name in gateway.yaml. */
  readonly id: string;
  readonly name: string;
  readonly maker: string;
  readonly kind: string;
  readonly sources: readonly string[];
  readonly factory: { readonly serial?: SerialSettings; readonly unitId?: number };
  readonly tags: readonly RegisterTag[];
}

/** Names of the models that come with the program. */
export function modelNames(folder = OWN_MODELS): string[] {
  const files = readdirSync(folder).filter((file) => MODEL_FILE.test(file));
  return files.map((file) => file.replace(MODEL_FILE, "")).sort();
}

/** @param configFile a model given as a path is relative to its folder */
export function createModelShelf(configFile: string, folder = OWN_MODELS): ModelShelf {
  const found = new Map<string, Model | Words>();
  const problems: Problem[] = [];

  const load = (name: string): Model | Words => {
    if (!isPath(name) && !modelNames(folder).includes(name)) return unknownModel(name, modelNames(folder));
    const path = isPath(name) ? besideFile(configFile, name) : join(folder, `${name}.yaml`);
    const content = readText(path, LIMITS.fileBytes);
    if (typeof content !== "string") return content;
    const inspection = inspectModel(path, content);
    problems.push(...inspection.problems);
    const { draft } = inspection;
    return { defaults: draft.defaults ?? {}, tags: draft.tags ?? {}, sound: inspection.problems.length === 0 };
  };

  return {
    find(name) {
      const model = found.get(name) ?? load(name);
      found.set(name, model);
      return model;
    },
    problems: () => problems,
  };
}

function unknownModel(name: string, known: readonly string[]): Words {
  const meant = nearest(name, known);
  return {
    wrong: `there is no model ${shown(name)}`,
    remedy:
      meant === undefined
        ? `write one of ${known.join(", ")}, the path of a model file (./my-device.yaml), or the tags themselves`
        : `did you mean ${meant}?`,
  };
}

/**
 * @param name one of modelNames, or the path of a file
 * @throws ConfigurationError with every mistake of the file
 */
export function showModel(name: string, folder = OWN_MODELS): ShownModel {
  const path = isPath(name) ? name : join(folder, `${name}.yaml`);
  const content = readText(path, LIMITS.fileBytes);
  if (typeof content !== "string") {
    throw new ConfigurationError([{ file: path, line: 1, column: 1, key: "", ...content }]);
  }
  const { whole: model, problems } = inspectModel(path, content);
  if (model === undefined || problems.length > 0) throw new ConfigurationError(problems);
  const { defaults = {} } = model;
  const around = {
    scanRateMs: defaults.scanRate ?? DEFAULTS.scanRateMs,
    byteOrder: defaults.byteOrder ?? DEFAULTS.byteOrder,
    enabled: true,
  };
  return {
    id: name,
    name: model.name,
    maker: model.maker,
    kind: model.kind ?? "",
    sources: typeof model.source === "string" ? [model.source] : model.source,
    factory: model.factory ?? {},
    tags: Object.entries(model.tags).map(([tag, keys]) =>
      buildTag({ id: tagId(name, tag), device: name, name: tag }, keys, around),
    ),
  };
}

function isPath(name: string): boolean {
  return name.includes("/") || MODEL_FILE.test(name);
}

/** All that is wrong with a model file. */
export function inspectModel(file: string, content: string): Inspection<ModelFile> {
  const inspection = inspect(parseSource(file, content), modelSchema);
  const { draft, document, complain } = inspection;
  const tags = draft.tags ?? {};
  claimNames(
    inspection,
    Object.keys(tags).map((name) => ["tags", name]),
  );
  for (const [name, tag] of Object.entries(tags)) {
    const path = ["tags", name];
    const mistakes = tagMistakes(tag ?? {}, {
      written: (key) => document.has([...path, key]),
      scanRateMs: draft.defaults?.scanRate ?? DEFAULTS.scanRateMs,
      maxQuantity: draft.defaults?.maxQuantity ?? DEFAULTS.maxQuantity,
      unreadable: draft.defaults?.unreadable?.filter((range) => range !== undefined) ?? [],
    });
    for (const { key, wrong, remedy } of mistakes) complain(key === "" ? path : [...path, key], wrong, remedy, "key");
  }
  return inspection;
}
