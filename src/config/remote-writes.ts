/** Who may write from afar, and to what: the `commands` section, and the tags that are written without a signature. */
import { statSync } from "node:fs";
import { commandKeyIn } from "../core/command-key.ts";
import type { Problem } from "../core/errors.ts";
import type { AuthorizedKey, Config, LineConfig, RegisterTag } from "./config.ts";
import { LIMITS } from "./defaults.ts";
import { keyOf, type Path, type Place } from "./document.ts";
import type { Complain, Inspection } from "./draft.ts";
import { besideFile, fileMistake, readText } from "./files.ts";
import type { GatewayFile } from "./gateway-schema.ts";
import type { Words } from "./wording.ts";

type KeyEntry = string | { readonly file: string; readonly tags?: readonly string[] };

const KEYS: Path = ["commands", "authorizedKeys"];
const OTHERS_WRITE_MODE = 0o002;

/** Everything that is wrong with the key files. */
export function checkKeys({
  draft,
  document,
  complain,
}: Pick<Inspection<GatewayFile>, "draft" | "document" | "complain">): void {
  const seen = new Map<string, string>();
  for (const [index, entry] of draft.commands?.authorizedKeys?.entries() ?? []) {
    const file = typeof entry === "string" ? entry : entry?.file;
    if (file === undefined) continue;
    const path = [...KEYS, index, ...(typeof entry === "string" ? [] : ["file"])];
    const key = keyIn(besideFile(document.file, file));
    if ("wrong" in key) {
      complain(path, key.wrong, key.remedy);
      continue;
    }
    const other = seen.get(key.id);
    if (other !== undefined) complain(path, `${file} holds the key of ${other}`, "remove one of the two");
    seen.set(key.id, file);
  }
}

/** What the keys are limited to must be there, and writable: to be asked once the lines are without mistakes. */
export function checkKeyTags(
  { authorizedKeys }: NonNullable<Config["commands"]>,
  lines: readonly LineConfig[],
  complain: Complain,
): void {
  const writable = tagsOf(lines).filter((tag) => tag.writable);
  for (const [index, { tags = [] }] of authorizedKeys.entries()) {
    for (const [place, wanted] of tags.entries()) {
      if (writable.some(({ id, device }) => wanted === id || wanted === `${device}/*`)) continue;
      const remedy = 'name a tag with writable as "device/tag", or all of a device as "device/*"';
      complain([...KEYS, index, "tags", place], `there is no writable tag ${wanted}`, remedy);
    }
  }
}

/** @throws never for a section that passed checkKeys */
export function buildKeys(entries: readonly KeyEntry[], configFile: string): readonly AuthorizedKey[] {
  return entries.map((entry) => {
    const { file, tags } = typeof entry === "string" ? { file: entry, tags: undefined } : entry;
    const path = besideFile(configFile, file);
    const key = keyIn(path);
    if ("wrong" in key) throw new Error(`${path} has changed: ${key.wrong}`);
    return { file: path, ...key, ...(tags !== undefined && { tags }) };
  });
}

/** Tags that anybody may write who may publish at a broker: to be said aloud wherever the file is looked at. */
export function openTags({ file, commands, lines }: Config, place: (path: Path) => Place): readonly Problem[] {
  if (commands === undefined) return [];
  return lines.flatMap((line) =>
    line.devices.flatMap(({ name, tags }) =>
      tags.filter(isOpen).map((tag): Problem => {
        const path = ["lines", line.name, "devices", name, "tags", tag.name, "unsigned"];
        return {
          file,
          ...place(path),
          key: keyOf(path),
          wrong: `whoever may publish to the broker can write ${tag.id}: nobody has to sign, and what was sent once can be sent again`,
          remedy: "remove unsigned, and sign with sallyport command",
        };
      }),
    ),
  );
}

/** Without a `commands` section nothing is writable from afar, and nobody is told otherwise. */
export function withoutWrites(lines: readonly LineConfig[]): readonly LineConfig[] {
  const closed = (tag: RegisterTag): RegisterTag =>
    tag.writable || tag.unsigned ? { ...tag, writable: false, unsigned: false } : tag;
  return lines.map((line) => ({
    ...line,
    devices: line.devices.map((device) => ({ ...device, tags: device.tags.map(closed) })),
  }));
}

function isOpen({ writable, unsigned }: RegisterTag): boolean {
  return writable && unsigned;
}

function tagsOf(lines: readonly LineConfig[]): readonly RegisterTag[] {
  return lines.flatMap((line) => line.devices.flatMap((device) => device.tags));
}

function keyIn(path: string): { readonly id: string; readonly publicKey: string } | Words {
  const mistake = fileMistake(path, "public key");
  if (mistake !== undefined) return mistake;
  const text = readText(path, LIMITS.pemFileBytes);
  if (typeof text !== "string") return text;
  if ((statSync(path).mode & OTHERS_WRITE_MODE) !== 0) {
    return { wrong: `everybody on this machine may change ${path}`, remedy: `chmod o-w ${path}` };
  }
  const key = commandKeyIn(text);
  return typeof key === "string"
    ? { wrong: `${path} ${key}`, remedy: "name the .pub file that sallyport keygen makes" }
    : key;
}
