/** YAML text → plain values, and where in the text each of them stands. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
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
  const walk = createWalk(file, placeAt, problems);
  // A half-understood tree would only make up mistakes that are not there.
  const value = problems.length === 0 ? walk.top(parsed) : undefined;
  return {
    file,
    value,
    problems,
    has: (path) => walk.written.has(pathId(path)),
    paths: () => [...walk.written.values()].map((entry) => entry.path),
    place: (path, at) => {
      for (let length = path.length; length > 0; length--) {
        const found = walk.written.get(pathId(path.slice(0, length)));
        if (found !== undefined) return length === path.length ? found[at] : found.key;
      }
      return TOP;
    },
  };
}

const YAML_REMEDIES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  MULTIPLE_DOCS: "keep one document in a file and remove the --- line",
  TAG_RESOLVE_FAILED: "remove the tag",
  BLOCK_AS_IMPLICIT_KEY: "put the text into quotes, or the inner key on its own line",
  MISSING_CHAR: "close the quote or bracket",
};

interface Walk {
  readonly written: ReadonlyMap<string, Written>;
  top(parsed: Document.Parsed): unknown;
}

function createWalk(file: string, placeAt: (offset: number) => Place, problems: Problem[]): Walk {
  const written = new Map<string, Written>();
  const anchors = new Map<string, Node>();
  /** Nodes being walked: an alias to one of them would never end. */
  const open = new Set<Node>();
  let nodes = 0;

  const complain = (path: Path, place: Place, wrong: string, remedy: string) => {
    problems.push({ file, ...place, key: keyOf(path), wrong, remedy });
    return undefined;
  };

  const startOf = (node: Node): Place => placeAt(node.range?.[0] ?? 0);

  function walkNode(node: Node | null, path: Path, place: Place): unknown {
    if (nodes > LIMITS.nodes) return undefined;
    nodes++;
    if (nodes > LIMITS.nodes) {
      return complain(path, place, `there are more than ${LIMITS.nodes} keys and values`, "use fewer aliases");
    }
    if (path.length > LIMITS.depth) {
      return complain(path, place, `this nests deeper than ${LIMITS.depth} levels`, "nothing here needs that depth");
    }
    if (node === null) return null;
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined)
        return complain(path, place, `there is no anchor &${node.source} above`, "write it out");
      if (open.has(target)) return complain(path, place, `*${node.source} contains itself`, "write it out");
      return walkNode(target, path, place);
    }
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isScalar(node)) return scalarValue(node.value, node.source) ?? oddScalar(path, place, node.value);
    open.add(node);
    const value = isMap(node) ? walkMap(node, path) : isSeq(node) ? walkList(node.items, path) : undefined;
    open.delete(node);
    return value;
  }

  function oddScalar(path: Path, place: Place, value: unknown): unknown {
    return value === null ? null : complain(path, place, "this YAML tag has no meaning here", "remove the tag");
  }

  function walkList(items: readonly unknown[], path: Path): unknown[] {
    return items.map((item, index) => {
      const node = asNode(item);
      const place = node === null ? TOP : startOf(node);
      written.set(pathId([...path, index]), { path: [...path, index], key: place, value: place });
      return walkNode(node, [...path, index], place);
    });
  }

  function walkMap(map: YAMLMap, path: Path): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    for (const pair of map.items) {
      const keyNode = asNode(pair.key);
      const keyPlace = keyNode === null ? startOf(map) : startOf(keyNode);
      const name = isScalar(keyNode) ? (keyNode.source ?? "") : "";
      const here = [...path, name];
      if (!isScalar(keyNode) || name === "") {
        complain(path, keyPlace, "a key here is not plain text", "write it as one word before the colon");
      } else if (UNUSABLE_KEYS.has(name)) {
        complain(here, keyPlace, `"${name}" cannot be used as a name`, "choose another name");
      } else if (Object.hasOwn(value, name)) {
        const first = written.get(pathId(here))?.key ?? TOP;
        complain(here, keyPlace, `stands here again, first on line ${first.line}`, "keep one of them, or rename it");
      } else {
        const node = asNode(pair.value);
        const place = node === null ? keyPlace : startOf(node);
        written.set(pathId(here), { path: here, key: keyPlace, value: place });
        value[name] = walkNode(node, here, place);
      }
    }
    return value;
  }

  return {
    written,
    top: (parsed) => walkNode(asNode(parsed.contents), [], TOP),
  };
}

function asNode(value: unknown): Node | null {
  return isMap(value) || isSeq(value) || isScalar(value) || isAlias(value) ? value : null;
}

/** Undefined for what a tag made that is no plain value, and for null. */
function scalarValue(value: unknown, source: string | undefined): unknown {
  if (typeof value === "bigint") {
    // A register number such as 00001 is the text that stands there, not the number 1.
    if (source !== undefined && /^0\d+$/.test(source)) return source;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}
