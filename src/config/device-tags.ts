/** The tags of a device: its own, or those of its model with what the device changes in them. */
import type { Path, SourceDocument } from "./document.ts";
import type { Complain, Draft } from "./draft.ts";
import type { DeviceSection } from "./line-schema.ts";
import type { Model, ModelShelf } from "./model.ts";
import type { TagDraft } from "./tag-rules.ts";
import type { ChangeSection, TagSection } from "./tag-schema.ts";
import { listed, nearest } from "./wording.ts";

/** More names than these in a complaint would not be read. */
const LISTED_TAGS_MAX = 12;

export type DeviceDraft = Draft<DeviceSection>;

export interface DeviceTag {
  readonly name: string;
  readonly tag: TagDraft;
  /** Where in the file to point for a mistake in this key of the tag; without a key, in the tag. */
  readonly path: (key: keyof TagSection | "") => Path;
  /** Whether the key stands in the file or the model, well formed or not. */
  readonly written: (key: keyof TagSection) => boolean;
}

export interface DeviceTags {
  readonly tags: readonly DeviceTag[];
  readonly defaults: Model["defaults"];
}

/** Resolves the tags as far as they are well formed, and complains about names that lead nowhere. */
export function deviceTags(
  device: DeviceDraft,
  path: Path,
  models: ModelShelf,
  document: SourceDocument,
  complain: Complain,
): DeviceTags {
  if (document.has([...path, "model"])) return modelTags(device, path, models, document, complain);
  if (device.change !== undefined) {
    complain([...path, "change"], "there is no model to change", "put it under tags, or name a model", "key");
  }
  if (!document.has([...path, "tags"])) {
    complain(path, "has nothing to read", "name a model, or give it tags", "key");
  } else if (isList(device.tags)) {
    const wrong = "a list picks tags of a model, and none is named";
    complain([...path, "tags"], wrong, "name the model, or write each tag with its address", "key");
  }
  return { tags: ownTags(device.tags, path, document), defaults: {} };
}

function isList(tags: DeviceDraft["tags"]): tags is readonly (string | undefined)[] {
  return Array.isArray(tags);
}

function ownTags(tags: DeviceDraft["tags"], path: Path, document: SourceDocument): DeviceTag[] {
  if (tags === undefined || isList(tags)) return [];
  return Object.entries(tags).map(([name, tag = {}]) => {
    const place: DeviceTag["path"] = (key) => [...path, "tags", name, ...(key === "" ? [] : [key])];
    return { name, tag, path: place, written: (key) => document.has(place(key)) };
  });
}

function modelTags(
  device: DeviceDraft,
  path: Path,
  models: ModelShelf,
  document: SourceDocument,
  complain: Complain,
): DeviceTags {
  const { tags: picked, change = {} } = device;
  if (picked !== undefined && !isList(picked)) {
    complain(
      [...path, "tags"],
      "with a model this is a list of the model's tags",
      "write [ name, name ], and changes under change",
      "key",
    );
  }
  const model = device.model === undefined ? undefined : models.find(device.model);
  if (model === undefined) return { tags: [], defaults: {} };
  if ("wrong" in model) {
    complain([...path, "model"], model.wrong, model.remedy);
    return { tags: [], defaults: {} };
  }
  const known = Object.keys(model.tags);
  const unknown = (name: string) => {
    const meant = nearest(name, known);
    if (meant !== undefined) return `did you mean ${meant}?`;
    return known.length > LISTED_TAGS_MAX
      ? `sallyport models ${device.model} shows its tags`
      : `the model's tags are ${listed(known)}`;
  };
  const wanted = new Set<string>(isList(picked) ? [] : known);
  for (const [index, name] of isList(picked) ? picked.entries() : []) {
    if (name === undefined) continue;
    if (!known.includes(name)) complain([...path, "tags", index], `the model has no tag ${name}`, unknown(name));
    else if (wanted.has(name)) complain([...path, "tags", index], `${name} is in the list already`, "remove it");
    else wanted.add(name);
  }
  for (const name of Object.keys(change)) {
    const at = [...path, "change", name];
    if (!known.includes(name)) complain(at, "the model has no such tag", unknown(name), "key");
    else if (!wanted.has(name))
      complain(at, "this tag is not read", "add it to the list under tags, or remove it", "key");
  }
  // A broken model is told at its own place, once; its half tags would only repeat that for every device.
  const tags = model.sound ? [...wanted].map((name) => modelTag(name, model, change[name] ?? {}, path, document)) : [];
  return { tags, defaults: model.defaults };
}

function modelTag(
  name: string,
  model: Model,
  change: Draft<ChangeSection>,
  path: Path,
  document: SourceDocument,
): DeviceTag {
  const tag = { ...model.tags[name], ...change };
  const changed = (key: keyof TagSection | "") => [...path, "change", name, ...(key === "" ? [] : [key])];
  return {
    name,
    tag,
    path: (key) => (document.has(changed(key)) ? changed(key) : [...path, "model"]),
    written: (key) => tag[key] !== undefined || document.has(changed(key)),
  };
}
