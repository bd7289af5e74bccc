/**
 * A file under inspection: the parts of it that are well formed, and a list of what is wrong.
 * Rules that look at several keys run on the good parts, so that all mistakes are told at once.
 */
import * as v from "valibot";
import type { Problem } from "../core/errors.ts";
import type { RegisterRange, SerialSettings } from "./config.ts";
import { keyOf, type Path, type SourceDocument } from "./document.ts";
import type { RegisterAddress } from "./register-number.ts";
import { isMap } from "./section.ts";
import type { Subnet } from "./site-schema.ts";
import type { DeadbandSpec, TypeSpec } from "./values.ts";
import { wordsOf } from "./wording.ts";

/** What a single value of the file is turned into: it is there as a whole or not at all. */
type Leaf = RegisterAddress | RegisterRange | SerialSettings | TypeSpec | DeadbandSpec | Subnet;

/** What is written well; a part that is missing or wrong is undefined. */
export type Draft<T> = T extends Leaf
  ? T
  : T extends readonly (infer Item)[]
    ? readonly (Draft<Item> | undefined)[]
    : T extends object
      ? { readonly [Key in keyof T]?: Draft<T[Key]> | undefined }
      : T;

/** Takes a mistake down. */
export type Complain = (path: Path, wrong: string, remedy: string, at?: "key" | "value") => void;

export interface Inspection<T> {
  readonly document: SourceDocument;
  readonly draft: Draft<T>;
  /** The whole file, once no part of it is missing or wrong by itself. */
  readonly whole: T | undefined;
  readonly problems: Problem[];
  readonly complain: Complain;
}

/** Checks every key by itself. */
export function inspect<const Schema extends v.GenericSchema>(
  document: SourceDocument,
  schema: Schema,
): Inspection<v.InferOutput<Schema>> {
  const problems = [...document.problems];
  const complain: Complain = (path, wrong, remedy, at = "value") => {
    problems.push({ file: document.file, ...document.place(path, at), key: keyOf(path), wrong, remedy });
  };
  // With broken YAML there is no tree to look at.
  if (document.value === undefined) return { document, draft: asDraft({}), whole: undefined, problems, complain };
  const result = v.safeParse(schema, document.value);
  let draft: unknown = result.output;
  if (result.success) return { document, draft: asDraft(draft), whole: result.output, problems, complain };
  for (const issue of result.issues) {
    const path = pathOf(issue);
    const { wrong, remedy } = wordsOf(issue.message);
    complain(path, wrong, remedy, issue.path?.at(-1)?.origin === "key" ? "key" : "value");
    draft = without(draft, path);
  }
  return { document, draft: asDraft(draft), whole: undefined, problems, complain };
}

/** To be called once every part that did not pass its schema has been taken out. */
function asDraft<T>(tree: unknown): Draft<T> {
  return tree as Draft<T>;
}

function pathOf(issue: v.BaseIssue<unknown>): Path {
  return (issue.path ?? []).map((item) => (typeof item.key === "number" ? item.key : String(item.key)));
}

/** Takes the part at the path out, in place; a list keeps its length. */
function without(tree: unknown, path: Path): unknown {
  const last = path.at(-1);
  if (last === undefined) return {};
  let parent = tree;
  for (const part of path.slice(0, -1)) {
    if (Array.isArray(parent)) parent = parent[Number(part)];
    else if (isMap(parent)) parent = parent[part];
    else return tree;
  }
  if (Array.isArray(parent)) parent[Number(last)] = undefined;
  else if (isMap(parent)) delete parent[last];
  return tree;
}
