/**
 * Takes over the site that a laptop left on the FAT partition. Every step can be done again: until all of a site is on
 * the data partition nothing is taken off the FAT, and what a power cut left half done the next boot does anew.
 */
import { dirname, join, relative } from "node:path";
import type { CheckedSite } from "../config/site.ts";
import { ConfigurationError, type Problem } from "../core/errors.ts";
import { type BootFiles, replaceFile, UNFINISHED } from "./boot-files.ts";
import { provideKey, UnusableKey } from "./own-key.ts";
import {
  fileAccess,
  installedFolder,
  isSecret,
  PASSWORDS,
  type Places,
  placeOf,
  ROOT,
  readableBy,
  stagedFolder,
  stateFolder,
  TLS,
} from "./places.ts";
import { differences, isWiped, type SiteContent, SiteTooLarge, siteContent } from "./site-content.ts";

/** @throws ConfigurationError */
export type SiteCheck = (folder: string, identityLater: boolean) => CheckedSite;

export interface TakeSiteOptions {
  readonly files: BootFiles;
  readonly places: Places;
  readonly check: SiteCheck;
  /** Today is later; what is written bears it, for the board may not know the time yet. */
  readonly notBeforeMs: number;
}

export interface TakenSite {
  /** In force from now on; undefined: nothing can run. */
  readonly site: CheckedSite | undefined;
  /** Files that this boot took over. */
  readonly taken: readonly string[];
  /** Of the site on the FAT, which is then left alone; or what is in force and not complete. */
  readonly problems: readonly Problem[];
}

const FOLDER_MODE = 0o750;
const STAGED = { folder: 0o700, file: 0o600 } as const;

export function takeSite(options: TakeSiteOptions): TakenSite {
  const { files, places, check } = options;
  files.remove(stagedFolder(places));
  makeFolders(options);
  for (const folder of [installedFolder(places), join(stateFolder(places), TLS)]) sweep(files, folder);
  const installed = siteInForce(options);
  const next = nextSite(options, installed);
  if ("problems" in next) return { site: currentSite(options).site, taken: [], problems: next.problems };
  const { found, changed, passwords } = next;
  install(options, found, changed, passwords);
  const unwritten = tryOnFat("the request for a certificate is not on it", () =>
    provideKey(files, places, () => check(installedFolder(places), true).site.hostname),
  );
  const { site, problems } = currentSite(options);
  const left =
    site === undefined
      ? []
      : tryOnFat("passwords or keys may still be on it", () =>
          takeSecretsOff(options, passwordsOf(site, installedFolder(places))),
        );
  return { site, taken: changed, problems: [...problems, ...unwritten, ...left] };
}

interface NextSite {
  readonly found: SiteContent;
  /** Paths of what is not in force yet. */
  readonly changed: readonly string[];
  readonly passwords: ReadonlySet<string>;
}

interface Refusal {
  readonly problems: readonly Problem[];
}

/** What is to be taken over. A card that gives or takes nothing any more says nothing against the site in force. */
function nextSite(options: TakeSiteOptions, installed: SiteContent): NextSite | Refusal {
  try {
    const found = siteContent(options.files, options.places.site);
    const changed = differences(found, installed);
    if (changed.length === 0) return { found, changed, passwords: new Set() };
    const judged = judge(options, new Map([...installed, ...found]));
    return "problems" in judged ? judged : { found, changed, passwords: judged.passwords };
  } catch (error) {
    if (error instanceof SiteTooLarge) {
      return { problems: [problemOf(error.message, "leave only the files of the site in it")] };
    }
    if (!(error instanceof Error && "syscall" in error)) throw error;
    const remedy = "check the card in a laptop, or take it over to a new one (flash.sh --replace)";
    return { problems: [problemOf(`the site cannot be taken over: ${error.message}`, remedy)] };
  }
}

/** A board starts also where its FAT is worn out, or somebody write-protected it. */
function tryOnFat(wrong: string, work: () => void): readonly Problem[] {
  try {
    work();
    return [];
  } catch (error) {
    if (!(error instanceof Error && (error instanceof UnusableKey || "syscall" in error))) throw error;
    const remedy = "make room on the card's first partition and check it in a laptop, or take it over to a new one";
    return [problemOf(`${wrong}: ${error.message}`, remedy)];
  }
}

function makeFolders({ files, places }: TakeSiteOptions): void {
  const { service } = places;
  const roots = { mode: FOLDER_MODE, ...(service !== undefined && { owner: readableBy(service) }) };
  const services = { mode: FOLDER_MODE, ...(service !== undefined && { owner: service }) };
  files.makeFolder(installedFolder(places), roots);
  files.makeFolder(stateFolder(places), services);
  files.makeFolder(join(stateFolder(places), TLS), services);
  files.link(join(installedFolder(places), TLS), join(stateFolder(places), TLS));
  for (const folder of [places.data, installedFolder(places), stateFolder(places)]) files.syncFolder(folder);
}

/** What a cut left beside its final name; it may be a password. */
function sweep(files: BootFiles, folder: string): void {
  for (const { name, isFolder } of files.entries(folder)) {
    if (isFolder) sweep(files, join(folder, name));
    else if (name.endsWith(UNFINISHED)) files.remove(join(folder, name));
  }
}

function siteInForce({ files, places }: TakeSiteOptions): SiteContent {
  const tls = siteContent(files, join(stateFolder(places), TLS));
  return new Map([
    ...siteContent(files, installedFolder(places)),
    ...[...tls].map(([path, bytes]) => [`${TLS}/${path}`, bytes] as const),
  ]);
}

/** The new site as a whole, beside the old one: half of one and half of the other must never be in force. */
function judge(options: TakeSiteOptions, whole: SiteContent): Refusal | { readonly passwords: ReadonlySet<string> } {
  const { files, places, check } = options;
  const staged = stagedFolder(places);
  files.makeFolder(staged, { mode: STAGED.folder });
  for (const [path, bytes] of whole) {
    for (const folder of foldersAbove(path)) files.makeFolder(join(staged, folder), { mode: STAGED.folder });
    files.write(join(staged, path), bytes, { mode: STAGED.file });
  }
  try {
    // A certificate that is yet to be signed keeps no site from being taken over.
    return { passwords: passwordsOf(check(staged, true), staged) };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { problems: asOnFat(error.problems, places) };
  } finally {
    files.remove(staged);
  }
}

function install(
  { files, places, notBeforeMs }: TakeSiteOptions,
  found: SiteContent,
  changed: readonly string[],
  passwords: ReadonlySet<string>,
): void {
  for (const path of changed) {
    const bytes = found.get(path);
    if (bytes === undefined) continue;
    const access = fileAccess(path, bytes, passwords, places);
    for (const folder of foldersAbove(path)) makeFolderFor(files, folder, places);
    replaceFile(files, placeOf(path, places), bytes, { ...access, modifiedMs: notBeforeMs });
  }
}

function makeFolderFor(files: BootFiles, folder: string, places: Places): void {
  const { service } = places;
  if (folder === TLS) return;
  const path = placeOf(folder, places);
  if (service === undefined) files.makeFolder(path, { mode: FOLDER_MODE });
  else if (folder === PASSWORDS) files.makeFolder(path, { mode: STAGED.folder, owner: ROOT });
  else files.makeFolder(path, { mode: FOLDER_MODE, owner: folder.startsWith(TLS) ? service : readableBy(service) });
  files.syncFolder(dirname(path));
}

/** What stands in the data partition, judged as the service will judge it. */
function currentSite({ files, places, check }: TakeSiteOptions): Omit<TakenSite, "taken"> {
  const folder = installedFolder(places);
  if (files.read(join(folder, "site.yaml")) === undefined) {
    const remedy = "put site.yaml and gateway.yaml into the folder site of this card";
    return { site: undefined, problems: [problemOf("there is no site on this card", remedy)] };
  }
  try {
    return { site: check(folder, false), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const problems = asOnFat(error.problems, places);
    try {
      return { site: check(folder, true), problems };
    } catch (worse) {
      if (!(worse instanceof ConfigurationError)) throw worse;
      return { site: undefined, problems };
    }
  }
}

/** Passwords and keys have no business on a partition that every laptop reads. Only what is safe on the other one goes. */
function takeSecretsOff({ files, places }: TakeSiteOptions, passwords: ReadonlySet<string>): void {
  const folders = new Set<string>();
  for (const [path, bytes] of siteContent(files, places.site, "wiped ones too")) {
    if (!isSecret(path, bytes, passwords) && !isWiped(path, bytes)) continue;
    const file = join(places.site, path);
    files.overwrite(file, Buffer.alloc(bytes.length));
    files.remove(file);
    folders.add(dirname(file));
  }
  for (const folder of folders) files.syncFolder(folder);
}

/** Paths within the folder. */
function passwordsOf({ site, gateway }: CheckedSite, folder: string): ReadonlySet<string> {
  const own = [site.wifi?.passwordFile, site.console?.passwordFile].filter((path) => path !== undefined);
  const logins = gateway.config.uplinks.flatMap(({ login, proxy }) => [
    login?.passwordFile,
    proxy?.login?.passwordFile,
  ]);
  const within = logins.filter((path) => path !== undefined).map((path) => relative(folder, path));
  return new Set([...own, ...within].map((path) => join(path)));
}

function foldersAbove(path: string): readonly string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

function problemOf(wrong: string, remedy: string): Problem {
  return { file: "site", line: 1, column: 1, key: "", wrong, remedy };
}

/** As somebody sees it who has the card in a laptop. */
function asOnFat(problems: readonly Problem[], places: Places): readonly Problem[] {
  const folders = [stagedFolder(places), join(stateFolder(places), TLS), installedFolder(places)];
  const shown = (text: string) =>
    folders.reduce(
      (told, folder) => told.replaceAll(folder, folder.endsWith(`/${TLS}`) ? `site/${TLS}` : "site"),
      text,
    );
  return problems.map((problem) => ({
    ...problem,
    file: shown(problem.file),
    wrong: shown(problem.wrong),
    remedy: shown(problem.remedy),
  }));
}
