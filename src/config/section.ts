/** Building blocks of the schema: a section with fixed keys, a section whose keys are names, a value of two forms. */
import * as v from "valibot";
import { ownEntry } from "../core/own-entry.ts";
import { LIMITS } from "./defaults.ts";
import { nearest, not, says, shown } from "./wording.ts";

const NAME = /^[A-Za-z0-9_-]+$/;
const TAG_NAME = /^[A-Za-z0-9_.-]+$/;

/** Words of other programs for our keys. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  slave: ["unitId"],
  slaveid: ["unitId"],
  unit: ["unitId", "units"],
  id: ["unitId"],
  address: ["unitId", "register"],
  port: ["path"],
  device: ["path"],
  baudrate: ["serial"],
  baud: ["serial"],
  parity: ["serial"],
  endian: ["byteOrder"],
  swap: ["byteOrder"],
  interval: ["scanRate"],
  pollrate: ["scanRate"],
  period: ["scanRate"],
  timeout: ["responseTimeout"],
  url: ["servers"],
  host: ["servers"],
  broker: ["servers"],
  datatype: ["type"],
  unitofmeasure: ["units"],
  cert: ["certificate"],
  cafile: ["ca"],
  gpio: ["pin"],
};

const VERIFICATION_OFF = /reject.?unauthori|insecure|verif|self.?signed|trust.?all|no.?check|skip/i;
const SECRET = /^(pass|passwd|password|passphrase|secret|token)$/i;

/** A map, which valibot's object schemas do not tell from a list. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapSchema(what: string) {
  return v.custom<Record<string, unknown>>(isMap, not(what, "indent its keys below it, one on a line"));
}

/** For keys that must be there: how they look, by key. */
type Examples<Entries> = { readonly [Key in keyof Entries]?: string };

/** A section with fixed keys. Unknown ones are all reported, with the key that was probably meant. */
export function section<const Entries extends v.ObjectEntries>(
  what: string,
  entries: Entries,
  examples: Examples<Entries> = {},
) {
  const known = Object.keys(entries);
  const message = (issue: { readonly expected: string | null; readonly input: unknown }) => {
    if (issue.expected === "never") return unknownKey(String(issue.input), known);
    const key = known.find((name) => issue.expected === `"${name}"`) ?? "";
    return says("is missing", `add it, as in "${examples[key] ?? `${key}: …`}"`);
  };
  return v.pipe(
    mapSchema(what),
    v.strictObject(entries, message),
    // valibot stops at the first unknown key of an object; everything is to be told at once.
    v.rawCheck(({ dataset, addIssue }) => {
      const [first] = dataset.issues?.filter((issue) => issue.expected === "never" && issue.path?.length === 1) ?? [];
      const item = first?.path?.[0];
      if (item?.type !== "object") return;
      for (const key of Object.keys(item.input)) {
        if (key === item.key || Object.hasOwn(entries, key)) continue;
        addIssue({ message: unknownKey(key, known), path: [{ ...item, key, value: item.input[key] }] });
      }
    }),
  );
}

function unknownKey(key: string, known: readonly string[]): string {
  if (VERIFICATION_OFF.test(key)) {
    return says(
      "nothing turns the verification of the broker off",
      "remove the key and name the CA that signed the broker's certificate in tls.ca",
    );
  }
  if (SECRET.test(key)) {
    return says(
      "a secret never stands in this file",
      "put it into a file of its own that others cannot read, and name that with passwordFile",
    );
  }
  const synonym = ownEntry(SYNONYMS, key.toLowerCase())?.find((name) => known.includes(name));
  const meant = synonym ?? nearest(key, known);
  return says(
    "there is no such key here",
    meant === undefined ? `remove it; the keys here are ${known.join(", ")}` : `did you mean ${meant}?`,
  );
}

export const nameSchema = v.pipe(
  v.string(not("a name", "write letters, digits, _ and -; put digits alone into quotes")),
  v.regex(NAME, not("a name", "use only letters A–Z, digits, _ and -")),
  v.maxLength(LIMITS.nameChars, says("this name is too long", `use at most ${LIMITS.nameChars} characters`)),
);

export const tagNameSchema = v.pipe(
  v.string(not("a name", "write letters, digits, _, - and .")),
  v.regex(TAG_NAME, not("a tag name", "use only letters A–Z, digits, _, - and .")),
  v.maxLength(LIMITS.nameChars, says("this name is too long", `use at most ${LIMITS.nameChars} characters`)),
);

/** A section whose keys are names or numbers that the user chose. */
export function named<const Item extends v.GenericSchema>(
  what: string,
  name: v.GenericSchema<string, string>,
  item: Item,
  max: number,
) {
  return v.pipe(
    mapSchema(what),
    v.record(name, item),
    v.maxEntries(max, says(`more than ${max} entries`, "split them over several gateways")),
  );
}

export function list<const Item extends v.GenericSchema>(what: string, item: Item, max: number, remedy: string) {
  return v.pipe(
    v.array(item, not(what, remedy)),
    v.minLength(1, says("the list is empty", remedy)),
    v.maxLength(max, says(`more than ${max} entries`, `keep at most ${max}`)),
  );
}

/**
 * A value that is either a group of keys or something shorter. A union would throw away the good
 * parts of the group with the bad ones, and could not say which form was meant.
 */
export function mapOr<const Group extends v.GenericSchema, const Short extends v.GenericSchema>(
  group: Group,
  short: Short,
) {
  return v.lazy<Group | Short>((input) => (isMap(input) ? group : short));
}

/** The message where a choice among words was expected. */
export function choice<const Words extends readonly string[]>(words: Words) {
  return v.picklist(words, (issue) => {
    const meant = typeof issue.input === "string" ? nearest(issue.input, words) : undefined;
    return says(`${shown(issue.input)} is not one of ${words.join(", ")}`, `write ${meant ?? words[0]}`);
  });
}
