/** As much of JSON Schema (draft 2020-12) as the schema of gateway.yaml uses, for tests. What it does not know, it refuses. */

type Schema = Readonly<Record<string, unknown>>;
type Check = (value: unknown, demand: unknown, schema: Schema) => boolean;

/** Where a value breaks the schema, as paths; none: it is valid. */
export function schemaBreaches(value: unknown, schema: unknown, path = ""): string[] {
  const demands = asSchema(schema);
  return Object.entries(demands).flatMap(([keyword, demand]) => {
    const nested = NESTED[keyword]?.(value, demand, path, demands);
    if (nested !== undefined) return nested;
    const check = CHECKS[keyword];
    if (check === undefined) throw new Error(`the keyword ${keyword} is not known here`);
    return check(value, demand, demands) ? [] : [`${path} ${keyword}`];
  });
}

const always: Check = () => true;

const CHECKS: Readonly<Record<string, Check>> = {
  $schema: always,
  title: always,
  description: always,
  type: (value, type) => isOfType(value, String(type)),
  const: (value, wanted) => value === wanted,
  enum: (value, options) => Array.isArray(options) && options.includes(value),
  pattern: (value, pattern) => typeof value !== "string" || new RegExp(String(pattern)).test(value),
  minLength: (value, min) => typeof value !== "string" || value.length >= Number(min),
  maxLength: (value, max) => typeof value !== "string" || value.length <= Number(max),
  minimum: (value, min) => typeof value !== "number" || value >= Number(min),
  maximum: (value, max) => typeof value !== "number" || value <= Number(max),
  minItems: (value, min) => !Array.isArray(value) || value.length >= Number(min),
  maxItems: (value, max) => !Array.isArray(value) || value.length <= Number(max),
  minProperties: (value, min) => !isObject(value) || Object.keys(value).length >= Number(min),
  maxProperties: (value, max) => !isObject(value) || Object.keys(value).length <= Number(max),
  required: (value, keys) => !isObject(value) || (Array.isArray(keys) && keys.every((key) => String(key) in value)),
};

type Nested = (value: unknown, demand: unknown, path: string, schema: Schema) => string[];

const NESTED: Readonly<Record<string, Nested>> = {
  properties(value, properties, path) {
    if (!isObject(value)) return [];
    return Object.entries(asSchema(properties)).flatMap(([key, schema]) => {
      return key in value ? schemaBreaches(value[key], schema, `${path}.${key}`) : [];
    });
  },
  additionalProperties(value, demand, path, { properties = {} }) {
    if (!isObject(value)) return [];
    const others = Object.keys(value).filter((key) => !(key in asSchema(properties)));
    if (demand === false) return others.map((key) => `${path}.${key} additionalProperties`);
    return others.flatMap((key) => schemaBreaches(value[key], demand, `${path}.${key}`));
  },
  propertyNames: (value, demand, path) =>
    isObject(value) ? Object.keys(value).flatMap((key) => schemaBreaches(key, demand, `${path}.${key} name`)) : [],
  items: (value, demand, path) =>
    Array.isArray(value) ? value.flatMap((item, i) => schemaBreaches(item, demand, `${path}[${i}]`)) : [],
  anyOf(value, options, path) {
    if (!Array.isArray(options)) return [`${path} anyOf`];
    return options.some((option) => schemaBreaches(value, option, path).length === 0) ? [] : [`${path} anyOf`];
  },
};

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return typeof value === "bigint" || Number.isInteger(value);
    case "number":
      return typeof value === "bigint" || typeof value === "number";
    default:
      return typeof value === type;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asSchema(schema: unknown): Schema {
  if (isObject(schema)) return schema;
  throw new Error("a schema is an object");
}
