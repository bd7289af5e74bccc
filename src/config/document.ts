/** YAML text → plain values, and where in the text each of them stands. */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from "yaml";
import type { Problem } from "../core/errors.ts";
import { LIMITS } from "./defaults.ts";

/** Keys and indexes from the top of the document. */
export type Path = readonly (string | number)[];

/** 1-based. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface SourceDocument {
  readonly file: string;
  /** Maps, lists, strings, booleans, null, numbers; a whole number that a double cannot hold is a bigint. */
  readonly value: unknown;
  /** What is wrong with the YAML itself: syntax, doubled keys, aliases. */
  readonly problems: readonly Problem[];
  has(path: Path): boolean;
  /** Every path written in the file. */
  paths(): readonly Path[];
  /** The place of a key or of its value; where it is not written, of the nearest key above it that is. */
  place(path: Path, at: "key" | "value"): Place;
}

/** `uplinks.cloud.servers[0]`; what is no plain word is quoted, so that a key cannot forge a line of output. */
export function keyOf(path: Path): string {
  return path.reduce<string>((key, part) => {
    if (typeof part === "number") return `${key}[${part}]`;
    const word = PLAIN_KEY.test(part) ? part : JSON.stringify(part.slice(0, SHOWN_KEY_CHARS));
    return key === "" ? word : `${key}.${word}`;
  }, "");
}

const PLAIN_KEY = /^[\w.-]{1,100}$/;
const SHOWN_KEY_CHARS = 100;

/** Where two entries stand, for sorting. */
export function byPlace(a: Place, b: Place): number {
  return a.line - b.line || a.column - b.column;
}

interface Written {
  readonly path: Path;
  readonly key: Place;
  readonly value: Place;
}

const TOP: Place = { line: 1, column: 1 };

/** Names that JavaScript objects cannot hold as plain keys. */
const UNUSABLE_KEYS: ReadonlySet<string> = new Set(["__proto__", "prototype", "constructor"]);

const pathId = (path: Path) => path.join("\0");

/** Never throws: what cannot be parsed is a problem. */
export function parseSource(file: string, text: string): SourceDocument {
  const tooDeepLine = lineNestedTooDeep(text);
  if (tooDeepLine !== undefined) {
    const wrong = `this nests deeper than ${LIMITS.depth} levels`;
    const problem = { file, line: tooDeepLine, column: 1, key: "", wrong, remedy: "nothing here is that deep" };
    return { file, value: undefined, problems: [problem], has: () => false, paths: () => [], place: () => TOP };
  }
  const lines = new LineCounter();
  const parsed = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    intAsBigInt: true,
    prettyErrors: false,
    // "silent" would also hide that the file holds a second document.
    logLevel: "error",
  });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: Problem[] = [...parsed.errors, ...parsed.warnings].map((error) => ({
    file,
    ...placeAt(error.pos[0]),
    key: "",
    wrong: `this is not YAML: ${error.message}`,
    remedy: YAML_REMEDIES[error.code] ?? "mend the line, or the one above it",
  }));
  const walker = new Walker(placeAt, (path, place, wrong, remedy) => {
    problems.push({ file, ...place, key: keyOf(path), wrong, remedy });
    return undefined;
  });
  // A half-understood tree would only make up mistakes that are not there.
  const value = problems.length === 0 ? walker.walk(asNode(parsed.contents), [], TOP) : undefined;
  return {
    file,
    value,
    problems,
    has: (path) => walker.written.has(pathId(path)),
    paths: () => [...walker.written.values()].map((entry) => entry.path),
    place: (path, at) => {
      for (let length = path.length; length > 0; length--) {
        const found = walker.written.get(pathId(path.slice(0, length)));
        if (found !== undefined) return length === path.length ? found[at] : found.key;
      }
      return TOP;
    },
  };
}

/** Marks that the lexer puts before the text of a scalar. */
const SCALAR_AHEAD = "\u001f";

/**
 * The parser calls itself for each level. Where that ends at the end of the stack, a regular expression
 * compiled there aborts the process, which nothing catches.
 */
function lineNestedTooDeep(text: string): number | undefined {
  let line = 1;
  let brackets = 0;
  let indicators = 0;
  let scalarAhead = false;
  for (const token of new Lexer().lex(text)) {
    if (!scalarAhead) {
      if (token === "[" || token === "{") brackets++;
      else if (token === "]" || token === "}") brackets--;
      else if (brackets === 0 && (token === "-" || token === "?" || token === ":")) indicators++;
      const indent = indicators === 0 && brackets === 0 && /^ +$/.test(token) ? token.length : 0;
      if (brackets > LIMITS.depth || indicators > LIMITS.depth || indent > LIMITS.indentColumns) return line;
    }
    scalarAhead = token === SCALAR_AHEAD;
    if (token.includes("\n")) {
      line += token.split("\n").length - 1;
      indicators = 0;
    }
  }
  return undefined;
}

const YAML_REMEDIES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  MULTIPLE_DOCS: "keep one document in a file and remove the --- line",
  TAG_RESOLVE_FAILED: "remove the tag",
  BLOCK_AS_IMPLICIT_KEY: "put the text into quotes, or the inner key on its own line",
  MISSING_CHAR: "close the quote or bracket",
};

/** Takes the YAML tree apart, level by level, and notes where each part stands. */
class Walker {
  readonly written = new Map<string, Written>();
  readonly #complain: (path: Path, place: Place, wrong: string, remedy: string) => undefined;
  readonly #placeAt: (offset: number) => Place;
  readonly #anchors = new Map<string, Node>();
  /** Nodes being walked: an alias to one of them would never end. */
  readonly #open = new Set<Node>();
  #nodes = 0;

  constructor(
    placeAt: (offset: number) => Place,
    complain: (path: Path, place: Place, wrong: string, remedy: string) => undefined,
  ) {
    this.#placeAt = placeAt;
    this.#complain = complain;
  }

  walk(node: Node | null, path: Path, place: Place): unknown {
    if (this.#nodes > LIMITS.nodes) return undefined;
    this.#nodes++;
    if (this.#nodes > LIMITS.nodes) {
      return this.#complain(path, place, `there are more than ${LIMITS.nodes} keys and values`, "use fewer aliases");
    }
    if (path.length > LIMITS.depth) {
      return this.#complain(path, place, `this nests deeper than ${LIMITS.depth} levels`, "nothing here is that deep");
    }
    if (isAlias(node)) return this.#alias(node.source, path, place);
    if (node?.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (node === null || isScalar(node)) return this.#scalar(node, path, place);
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node, path) : isSeq(node) ? this.#list(node.items, path) : undefined;
    this.#open.delete(node);
    return value;
  }

  #alias(anchor: string, path: Path, place: Place): unknown {
    const target = this.#anchors.get(anchor);
    if (target === undefined) return this.#complain(path, place, `there is no anchor &${anchor} above`, "write it out");
    if (this.#open.has(target)) return this.#complain(path, place, `*${anchor} contains itself`, "write it out");
    return this.walk(target, path, place);
  }

  #scalar(node: Scalar | null, path: Path, place: Place): unknown {
    if (node === null || node.value === null) return null;
    const value = plainValue(node.value, node.source);
    return value ?? this.#complain(path, place, "this YAML tag has no meaning here", "remove the tag");
  }

  #list(items: readonly unknown[], path: Path): unknown[] {
    return items.map((item, index) => {
      const node = asNode(item);
      const here = [...path, index];
      const place = this.#placeOf(node, path);
      this.written.set(pathId(here), { path: here, key: place, value: place });
      return this.walk(node, here, place);
    });
  }

  #map(map: YAMLMap, path: Path): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    for (const pair of map.items) {
      const keyNode = asNode(pair.key);
      const key = this.#placeOf(keyNode ?? map, path);
      const name = isScalar(keyNode) ? (keyNode.source ?? "") : "";
      const here = [...path, name];
      const earlier = Object.hasOwn(value, name) ? this.written.get(pathId(here)) : undefined;
      if (name === "") {
        this.#complain(path, key, "a key here is not plain text", "write it as one word before the colon");
      } else if (UNUSABLE_KEYS.has(name)) {
        this.#complain(here, key, `"${name}" cannot be used as a name`, "choose another name");
      } else if (earlier !== undefined) {
        const wrong = `stands here again, first on line ${earlier.key.line}`;
        this.#complain(here, key, wrong, "keep one of them, or rename it");
      } else {
        const node = asNode(pair.value);
        const place = node === null ? key : this.#placeOf(node, here);
        this.written.set(pathId(here), { path: here, key, value: place });
        value[name] = this.walk(node, here, place);
      }
    }
    return value;
  }

  #placeOf(node: Node | null, path: Path): Place {
    const offset = node?.range?.[0];
    return offset === undefined ? (this.written.get(pathId(path))?.value ?? TOP) : this.#placeAt(offset);
  }
}

function asNode(value: unknown): Node | null {
  return isMap(value) || isSeq(value) || isScalar(value) || isAlias(value) ? value : null;
}

/** Undefined for what a YAML tag made that is no plain value. */
function plainValue(value: unknown, source: string | undefined): unknown {
  if (typeof value === "bigint") {
    // A register number such as 00001 is the text that stands there, not the number 1.
    if (source !== undefined && /^0\d+$/.test(source)) return source;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}
