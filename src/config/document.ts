/** YAML text → plain values, and where in the text each of them stands. */
import {
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { assert, type Problem } from "../core/errors.ts";
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
  /** The paths written in the file that are like this, name by name; `*` is any name. In the order of the file. */
  like(pattern: readonly string[]): readonly Path[];
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

/** A key with its value, or an item of a list: where they begin in the text, and what is below them. */
interface Part {
  readonly key: number;
  readonly value: number;
  below?: Map<string | number, Part>;
}

const TOP: Place = { line: 1, column: 1 };

/** Names that JavaScript objects cannot hold as plain keys. */
const UNUSABLE_KEYS: ReadonlySet<string> = new Set(["__proto__", "prototype", "constructor"]);

/** Never throws: what cannot be parsed is a problem. */
export function parseSource(file: string, text: string): SourceDocument {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: Problem[] = [];
  const { contents, mistakes, tooDeepLine } = compose(text, lines);
  if (tooDeepLine !== undefined) {
    const wrong = `this nests deeper than ${LIMITS.depth} levels`;
    problems.push({ file, line: tooDeepLine, column: 1, key: "", wrong, remedy: "nothing here is that deep" });
  }
  for (const { pos, message, code } of mistakes) {
    const remedy = YAML_REMEDIES[code] ?? "mend the line, or the one above it";
    problems.push({ file, ...placeAt(pos[0]), key: "", wrong: `this is not YAML: ${message}`, remedy });
  }
  const walker = new Walker(placeAt, (path, place, wrong, remedy) => {
    problems.push({ file, ...place, key: keyOf(path), wrong, remedy });
    return undefined;
  });
  // A half-understood tree would only make up mistakes that are not there.
  const value = problems.length === 0 ? walker.walk(asNode(contents), walker.top) : undefined;
  return {
    file,
    value,
    problems,
    has: (path) => partAt(walker.top, path).depth === path.length,
    like: (pattern) => pathsLike(walker.top, pattern, []),
    place: (path, at) => {
      const { part, depth } = partAt(walker.top, path);
      return depth === 0 ? TOP : placeAt(depth === path.length ? part[at] : part.key);
    },
  };
}

/** The part that the path leads to, or the last one on its way that is written. */
function partAt(top: Part, path: Path): { readonly part: Part; readonly depth: number } {
  let part = top;
  for (let depth = 0; ; depth++) {
    const next = depth < path.length ? part.below?.get(path[depth] ?? "") : undefined;
    if (next === undefined) return { part, depth };
    part = next;
  }
}

function pathsLike({ below }: Part, [name, ...names]: readonly string[], path: Path): readonly Path[] {
  if (name === undefined) return [path];
  const parts = name === "*" ? [...(below ?? [])] : [[name, below?.get(name)] as const];
  return parts.flatMap(([key, part]) => (part === undefined ? [] : pathsLike(part, names, [...path, key])));
}

interface Composed {
  readonly contents?: unknown;
  readonly mistakes: readonly {
    readonly pos: readonly [number, number];
    readonly code: string;
    readonly message: string;
  }[];
  readonly tooDeepLine?: number;
}

/** The text is taken apart once: by the lexer, whose tokens are judged before the parser gets them. */
function compose(text: string, lines: LineCounter): Composed {
  const nesting = new Nesting();
  const composer = new Composer({ uniqueKeys: false, intAsBigInt: true });
  const [document, another] = composer.compose(parserTokens(text, lines, nesting), true, text.length);
  if (nesting.isTooDeep) return { mistakes: [], tooDeepLine: nesting.line };
  assert(document !== undefined, "no text is no document");
  const mistakes = [...document.errors, ...document.warnings];
  if (another === undefined) return { contents: document.contents, mistakes };
  const [from, to] = another.range;
  return { mistakes: [...mistakes, { pos: [from, to], code: "MULTIPLE_DOCS", message: "a second document begins" }] };
}

function* parserTokens(text: string, lines: LineCounter, nesting: Nesting): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const token of new Lexer().lex(text)) {
    nesting.take(token);
    if (nesting.isTooDeep) return;
    yield* parser.next(token);
  }
  yield* parser.end();
}

/** Marks that the lexer puts before the text of a scalar. */
const SCALAR_AHEAD = "\u001f";

/**
 * The parser calls itself for each level. Where that ends at the end of the stack, a regular expression
 * compiled there aborts the process, which nothing catches.
 */
class Nesting {
  line = 1;
  isTooDeep = false;
  #brackets = 0;
  #indicators = 0;
  #isScalarAhead = false;

  take(token: string): void {
    if (!this.#isScalarAhead) {
      if (token === "[" || token === "{") this.#brackets++;
      else if (token === "]" || token === "}") this.#brackets--;
      else if (this.#brackets === 0 && (token === "-" || token === "?" || token === ":")) this.#indicators++;
      const indent = this.#indicators === 0 && this.#brackets === 0 && /^ +$/.test(token) ? token.length : 0;
      this.isTooDeep =
        this.#brackets > LIMITS.depth || this.#indicators > LIMITS.depth || indent > LIMITS.indentColumns;
      if (this.isTooDeep) return;
    }
    this.#isScalarAhead = token === SCALAR_AHEAD;
    if (token.includes("\n")) {
      this.line += token.split("\n").length - 1;
      this.#indicators = 0;
    }
  }
}

const YAML_REMEDIES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  MULTIPLE_DOCS: "keep one document in a file and remove the --- line",
  TAG_RESOLVE_FAILED: "remove the tag",
  BLOCK_AS_IMPLICIT_KEY: "put the text into quotes, or the inner key on its own line",
  MISSING_CHAR: "close the quote or bracket",
};

type ComplainAt = (path: Path, place: Place, wrong: string, remedy: string) => undefined;
type PlaceAt = (offset: number) => Place;

/** Takes the YAML tree apart, level by level, and notes where each part stands. */
class Walker {
  readonly top: Part = { key: 0, value: 0 };
  readonly #placeAt: PlaceAt;
  readonly #complainAt: ComplainAt;
  readonly #anchors = new Map<string, Node>();
  /** Nodes being walked: an alias to one of them would never end. */
  readonly #open = new Set<Node>();
  /** Of what is being walked. */
  readonly #path: (string | number)[] = [];
  #nodes = 0;

  constructor(placeAt: PlaceAt, complainAt: ComplainAt) {
    this.#placeAt = placeAt;
    this.#complainAt = complainAt;
  }

  walk(node: Node | null, part: Part): unknown {
    if (this.#nodes > LIMITS.nodes) return undefined;
    this.#nodes++;
    if (this.#nodes > LIMITS.nodes) {
      return this.#complain(part.value, `there are more than ${LIMITS.nodes} keys and values`, "use fewer aliases");
    }
    if (this.#path.length > LIMITS.depth) {
      return this.#complain(part.value, `this nests deeper than ${LIMITS.depth} levels`, "nothing here is that deep");
    }
    if (isAlias(node)) return this.#alias(node.source, part);
    if (node?.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (node === null || isScalar(node)) return this.#scalar(node, part);
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node, part) : isSeq(node) ? this.#list(node.items, part) : undefined;
    this.#open.delete(node);
    return value;
  }

  /** @param name of something below what is being walked */
  #complain(offset: number, wrong: string, remedy: string, ...name: readonly string[]): undefined {
    return this.#complainAt([...this.#path, ...name], this.#placeAt(offset), wrong, remedy);
  }

  /** Below the part, under the name or index. */
  #walkBelow(parent: Part, name: string | number, node: Node | null, part: Part): unknown {
    parent.below ??= new Map();
    parent.below.set(name, part);
    this.#path.push(name);
    const value = this.walk(node, part);
    this.#path.pop();
    return value;
  }

  #alias(anchor: string, part: Part): unknown {
    const target = this.#anchors.get(anchor);
    if (target === undefined) return this.#complain(part.value, `there is no anchor &${anchor} above`, "write it out");
    if (this.#open.has(target)) return this.#complain(part.value, `*${anchor} contains itself`, "write it out");
    return this.walk(target, part);
  }

  #scalar(node: Scalar | null, part: Part): unknown {
    if (node === null || node.value === null) return null;
    const value = plainValue(node.value, node.source);
    return value ?? this.#complain(part.value, "this YAML tag has no meaning here", "remove the tag");
  }

  #list(items: readonly unknown[], part: Part): unknown[] {
    return items.map((item, index) => {
      const node = asNode(item);
      const offset = offsetOf(node) ?? part.value;
      return this.#walkBelow(part, index, node, { key: offset, value: offset });
    });
  }

  #map(map: YAMLMap, part: Part): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    for (const pair of map.items) {
      const keyNode = asNode(pair.key);
      const key = offsetOf(keyNode ?? map) ?? part.value;
      const name = isScalar(keyNode) ? (keyNode.source ?? "") : "";
      if (name === "") {
        this.#complain(key, "a key here is not plain text", "write it as one word before the colon");
        continue;
      }
      const earlier = Object.hasOwn(value, name) ? part.below?.get(name) : undefined;
      if (UNUSABLE_KEYS.has(name)) {
        this.#complain(key, `"${name}" cannot be used as a name`, "choose another name", name);
      } else if (earlier !== undefined) {
        const wrong = `stands here again, first on line ${this.#placeAt(earlier.key).line}`;
        this.#complain(key, wrong, "keep one of them, or rename it", name);
      } else {
        const node = asNode(pair.value);
        value[name] = this.#walkBelow(part, name, node, { key, value: offsetOf(node) ?? key });
      }
    }
    return value;
  }
}

function offsetOf(node: Node | null): number | undefined {
  return node?.range?.[0];
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
