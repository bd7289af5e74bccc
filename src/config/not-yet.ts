/** What this version accepts and checks, but does not act on. Whoever builds one of these removes its line. */
import { keyOf, type Path, type Place, type SourceDocument } from "./document.ts";
import { isMap } from "./section.ts";

interface NotYet {
  /** Key by key from the top; `*` stands for any name. */
  readonly key: string;
  /** Absent: whatever its value is. */
  readonly values?: readonly unknown[];
  /** Acted on where the file has this section. */
  readonly without?: string;
  /** What happens instead. */
  readonly instead: string;
  /** Doing something else in its place would deceive the other side: `run` does not start. */
  readonly refused?: true;
}

const NOT_YET: readonly NotYet[] = [
  { key: "lines.*.devices.*.tags.*.writable", without: "commands", instead: "nothing remote can write" },
  { key: "lines.*.devices.*.change.*.writable", without: "commands", instead: "nothing remote can write" },
];

/** Something to know about a file that has no mistakes. */
export interface Notice extends Place {
  readonly file: string;
  readonly key: string;
  readonly text: string;
  /** `run` does not start with this. */
  readonly refused: boolean;
}

/** The keys of a file that are not acted on yet, in the order of the file. */
export function notYetNotices(document: SourceDocument): Notice[] {
  return document.paths().flatMap((path): Notice[] => {
    const entry = PATTERNS.find(({ parts, values, without }) => {
      if (without !== undefined && document.has([without])) return false;
      return matches(parts, path) && (values?.includes(valueAt(document.value, path)) ?? true);
    });
    if (entry === undefined) return [];
    const { without, instead } = entry;
    const text = without === undefined ? `not in this version: ${instead}` : `without a section ${without} ${instead}`;
    return [
      { file: document.file, ...document.place(path, "key"), key: keyOf(path), text, refused: entry.refused === true },
    ];
  });
}

const PATTERNS = NOT_YET.map((entry) => ({ ...entry, parts: entry.key.split(".") }));

function matches(parts: readonly string[], path: Path): boolean {
  return parts.length === path.length && parts.every((part, index) => part === "*" || part === path[index]);
}

function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce((value, part) => (isMap(value) ? value[part] : undefined), tree);
}
