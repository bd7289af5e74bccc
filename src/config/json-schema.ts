/**
 * JSON Schema (draft 2020-12) of gateway.yaml, made from the validator's own schema, so that editors complete and check
 * the file while it is written. It knows what single keys may be; what they must be to each other, only `check` does.
 */
import { gatewaySchema } from "./gateway-schema.ts";
import { KEY_NOTES } from "./key-notes.ts";
import { isMap } from "./section.ts";
import { SITE_KEY_NOTES, siteSchema } from "./site-schema.ts";

/** A schema, or a part of one. */
export type JsonSchema = { readonly [key: string]: unknown };

export function gatewayJsonSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "gateway.yaml of Sallyport",
    ...schemaOf(gatewaySchema, []),
  };
}

/** The same of site.yaml. */
export function siteJsonSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "site.yaml of Sallyport",
    ...schemaOf(siteSchema, [SITE]),
  };
}

/** Notes on the keys of site.yaml stand below this word. */
const SITE = "site.yaml";

type Path = readonly string[];

/** The library's schemas are objects with `kind` and `type`; what else they hold hangs on these. */
type Node = Readonly<Record<string, unknown>>;

function schemaOf(node: unknown, path: Path): JsonSchema {
  const known = asNode(node);
  if (known.type === "exact_optional") return schemaOf(known.wrapped, path);
  const items = Array.isArray(known.pipe) ? known.pipe : undefined;
  const schema = items === undefined ? plainSchema(known, path) : pipeSchema(items, path);
  const note = path[0] === SITE ? SITE_KEY_NOTES[path.slice(1).join(".")] : KEY_NOTES[path.join(".")];
  return note === undefined ? schema : { description: note, ...schema };
}

/** What stands before the first conversion speaks of the file; what stands behind it, of something else. */
function pipeSchema(items: readonly unknown[], path: Path): JsonSchema {
  let schema: JsonSchema = {};
  let isAsWritten = true;
  let isText = false;
  for (const item of items.map(asNode)) {
    if (item.kind === "metadata") schema = { ...schema, ...asNode(item.metadata) };
    else if (item.kind === "transformation") {
      // A number as its text is the same to the pattern that follows.
      if (item.operation === String) isText = true;
      else isAsWritten = false;
    } else if (!isAsWritten) continue;
    else if (item.kind === "validation") schema = { ...schema, ...validationSchema(item, schema) };
    else if (isText) schema = { ...plainSchema(item, path), ...numbersToo(item) };
    else schema = { ...schema, ...schemaOf(item, path) };
  }
  return schema;
}

/** A choice among texts after numbers were made texts: 5 is as good as "5". */
function numbersToo({ type, options }: Node): JsonSchema {
  if (type !== "picklist" || !Array.isArray(options)) return {};
  const numbers = options.map(Number).filter((number) => !Number.isNaN(number));
  return { enum: [...options, ...numbers] };
}

function plainSchema(node: Node, path: Path): JsonSchema {
  switch (node.type) {
    case "string":
    case "number":
    case "boolean":
      return { type: node.type };
    case "bigint":
      return { type: "integer" };
    case "literal":
      return { const: node.literal };
    case "picklist":
      return { enum: node.options };
    case "array":
      return { type: "array", items: schemaOf(node.item, path) };
    case "strict_object":
      return objectSchema(asNode(node.entries), path);
    case "record":
      return {
        type: "object",
        propertyNames: schemaOf(node.key, []),
        additionalProperties: schemaOf(node.value, [...path, "*"]),
      };
    case "union":
      return anyOf((Array.isArray(node.options) ? node.options : []).map((option) => schemaOf(option, path)));
    case "lazy":
      return anyOf(formsOf(node).map((form) => schemaOf(form, path)));
    // A check by a function: nothing that a schema could say.
    default:
      return {};
  }
}

function objectSchema(entries: Node, path: Path): JsonSchema {
  const keys = Object.keys(entries);
  const required = keys.filter((key) => asNode(entries[key]).type !== "exact_optional");
  return {
    type: "object",
    properties: Object.fromEntries(keys.map((key) => [key, schemaOf(entries[key], [...path, key])])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

/** The forms among which a value's own form chooses: a group of keys, a list, something short. */
function formsOf({ getter }: Node): readonly unknown[] {
  if (typeof getter !== "function") return [];
  return [...new Set([{}, [], ""].map((form): unknown => getter(form)))];
}

function anyOf(schemas: readonly JsonSchema[]): JsonSchema {
  const [only, ...more] = [...new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values()];
  return only === undefined || more.length > 0 ? { anyOf: schemas } : only;
}

const LENGTHS = {
  min_length: { array: "minItems", other: "minLength" },
  max_length: { array: "maxItems", other: "maxLength" },
  min_entries: { array: "minProperties", other: "minProperties" },
  max_entries: { array: "maxProperties", other: "maxProperties" },
} as const;

function validationSchema({ type, requirement }: Node, { type: of }: JsonSchema): JsonSchema {
  if (type === "integer") return { type: "integer" };
  if (type === "regex" && requirement instanceof RegExp) return { pattern: requirement.source };
  const length = Object.entries(LENGTHS).find(([name]) => name === type)?.[1];
  return length === undefined ? {} : { [of === "array" ? length.array : length.other]: requirement };
}

function asNode(value: unknown): Node {
  if (isMap(value)) return value;
  throw new TypeError("this is no schema");
}
