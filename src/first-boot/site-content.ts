/** The files of a site, wherever they lie: on the FAT, where a laptop put them, or in the data partition. */
import { join } from "node:path";
import type { BootFiles } from "./boot-files.ts";

/** By path within the site. */
export type SiteContent = ReadonlyMap<string, Buffer>;

/** No site is larger: its files are text. */
const SITE_MAX_BYTES = 4 * 1_048_576;
const FILES_MAX = 256;
const DEPTH_MAX = 4;
/** What a card writes whole or not at all. */
const SECTOR_BYTES = 512;

/** What flash.sh and first boot tell each other, or people, on the FAT: no part of the site. */
export const MARKS = {
  flashed: "flashed",
  serial: "serial",
  keyOnBoard: "key-on-board",
  request: "gateway.csr",
  report: "REPORT.txt",
  error: "ERROR.txt",
  readme: "README.txt",
} as const;

const NOT_OF_THE_SITE: readonly string[] = Object.values(MARKS);
/** What laptops leave behind unasked. */
const LEFT_BY_LAPTOPS = /^(?:\..*|System Volume Information|Thumbs\.db|desktop\.ini|.*\.new)$/i;

export class SiteTooLarge extends Error {}

/**
 * Overwritten with zeros, from its beginning or by whole sectors, before it was to be removed. What is only no text, as a
 * certificate in DER form or a password in UTF-16, is to be told as a mistake and not to be lost; no secret is YAML.
 */
export function isWiped(path: string, content: Buffer): boolean {
  if (/\.ya?ml$/.test(path) || content.length === 0) return false;
  const starts = Array.from({ length: Math.ceil(content.length / SECTOR_BYTES) }, (_, index) => index * SECTOR_BYTES);
  return content[0] === 0 || starts.some((at) => content.subarray(at, at + SECTOR_BYTES).every((byte) => byte === 0));
}

/**
 * @param wiped what is to be removed belongs to no site
 * @throws SiteTooLarge
 */
export function siteContent(
  files: BootFiles,
  folder: string,
  wiped: "left out" | "wiped ones too" = "left out",
): SiteContent {
  const content = new Map<string, Buffer>();
  let bytes = 0;
  const visit = (within: string, depth: number) => {
    for (const entry of files.entries(join(folder, within))) {
      const path = within === "" ? entry.name : `${within}/${entry.name}`;
      if (LEFT_BY_LAPTOPS.test(entry.name) || NOT_OF_THE_SITE.includes(path)) continue;
      if (entry.isFolder) {
        if (depth < DEPTH_MAX) visit(path, depth + 1);
        continue;
      }
      bytes += entry.bytes;
      if (bytes > SITE_MAX_BYTES || content.size === FILES_MAX) {
        throw new SiteTooLarge(`the folder holds more than ${FILES_MAX} files or ${SITE_MAX_BYTES / 1_048_576} MB`);
      }
      const read = files.read(join(folder, path));
      if (read === undefined || (wiped === "left out" && isWiped(path, read))) continue;
      content.set(path, read);
    }
  };
  visit("", 1);
  return content;
}

/** What is in `newer` and is not the same in `older`. */
export function differences(newer: SiteContent, older: SiteContent): readonly string[] {
  return [...newer].filter(([path, bytes]) => older.get(path)?.equals(bytes) !== true).map(([path]) => path);
}
