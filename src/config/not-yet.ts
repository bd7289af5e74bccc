/** What this version accepts and checks, but does not act on. Whoever builds one of these removes its line. */
import { keyOf, type Path, type Place, type SourceDocument } from "./document.ts";

interface NotYet {
  /** Key by key from the top; `*` stands for any name. */
  readonly key: string;
  /** Acted on where the file has this section. */
  readonly without?: string;
  /** What happens instead. */
  readonly instead: string;
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
}

/** The keys of a file that are not acted on yet, in the order of the file. */
export function notYetNotices(document: SourceDocument): Notice[] {
  return document.paths().flatMap((path): Notice[] => {
    const entry = PATTERNS.find(({ parts, without }) => {
      if (without !== undefined && document.has([without])) return false;
      return matches(parts, path);
    });
    if (entry === undefined) return [];
    const { without, instead } = entry;
    const text = without === undefined ? `not in this version: ${instead}` : `without a section ${without} ${instead}`;
    return [{ file: document.file, ...document.place(path, "key"), key: keyOf(path), text }];
  });
}

const PATTERNS = NOT_YET.map((entry) => ({ ...entry, parts: entry.key.split(".") }));

function matches(parts: readonly string[], path: Path): boolean {
  return parts.length === path.length && parts.every((part, index) => part === "*" || part === path[index]);
}
