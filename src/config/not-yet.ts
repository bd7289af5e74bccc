/** What this version accepts and checks, but does not act on. Whoever builds one of these removes its line. */
import { byPlace, keyOf, type Place, type SourceDocument } from "./document.ts";

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
export function notYetNotices(document: SourceDocument): readonly Notice[] {
  const notices = NOT_YET.flatMap(({ key, without, instead }): Notice[] => {
    if (without !== undefined && document.has([without])) return [];
    const text = without === undefined ? `not in this version: ${instead}` : `without a section ${without} ${instead}`;
    const { file } = document;
    return document
      .like(key.split("."))
      .map((path) => ({ file, ...document.place(path, "key"), key: keyOf(path), text }));
  });
  return notices.toSorted(byPlace);
}
