/** Files that the configuration names: read within limits, and fit for what they are named for. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { messageOf } from "../core/errors.ts";
import { LIMITS } from "./defaults.ts";
import type { Words } from "./wording.ts";

export type FileKind = "certificate" | "private key" | "CRL" | "password" | "public key";

const PEM: Readonly<Partial<Record<FileKind, RegExp>>> = {
  certificate: /-----BEGIN (?:TRUSTED )?CERTIFICATE-----/,
  "private key": /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/,
  CRL: /-----BEGIN X509 CRL-----/,
};

const NOT_TEXT = "is not UTF-8 text";
const ENCRYPTED_KEY = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/;

/** Kinds that nobody but the gateway's user and group may read. */
const SECRETS: readonly FileKind[] = ["private key", "password"];
const OTHERS_MODE = 0o007;

/** A path as gateway.yaml gives it: relative to the folder of that file. */
export function besideFile(file: string, path: string): string {
  return resolve(dirname(file), path);
}

/** systemd's name for a file in a folder: passwords/cloud → passwords_cloud. */
const CREDENTIAL_SEPARATOR = "_";

/** A password's path: the service manager's copy, where it hands one over, else beside gateway.yaml. */
export function passwordPath(file: string, path: string, credentialsFolder: string | undefined): string {
  const copy = resolve(credentialsFolder ?? "", path.replaceAll("/", CREDENTIAL_SEPARATOR));
  return credentialsFolder !== undefined && existsSync(copy) ? copy : besideFile(file, path);
}

/** The text of a regular file, or why it cannot be had. */
export function readText(path: string, maxBytes: number): string | Words {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return { wrong: `${path} is not a file`, remedy: "give the path of a file" };
    if (stat.size > maxBytes) {
      return { wrong: `${path} is larger than ${maxBytes} bytes`, remedy: "give the path of the right file" };
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    return unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): Words {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return { wrong: `there is no file ${path}`, remedy: "put it there, or mend the path" };
  }
  if (code === "EACCES" || code === "EPERM") {
    return { wrong: `this user may not read ${path}`, remedy: "give the gateway's user or group the right to read it" };
  }
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") {
    return { wrong: `${path} ${NOT_TEXT}`, remedy: "save it as UTF-8" };
  }
  return { wrong: `${path} cannot be read: ${messageOf(error)}`, remedy: "mend the file or the path" };
}

/** What keeps a file from coming along with the folder of its site; undefined: nothing. */
export function carryMistake(folder: string, path: string): Words | undefined {
  const within = relative(folder, path);
  if (within.startsWith("..")) {
    return { wrong: `${path} lies outside of ${folder}, and stays behind`, remedy: "put it into that folder" };
  }
  if (/^[ -~]*$/.test(within)) return undefined;
  return {
    wrong: `${within} has letters that a board does not find on its card`,
    remedy: "rename it in plain letters",
  };
}

/** What keeps a file from being used as its kind; undefined: nothing. */
export function fileMistake(path: string, kind: FileKind): Words | undefined {
  const text = readText(path, LIMITS.pemFileBytes);
  const pem = PEM[kind];
  const noPem = { wrong: `${path} holds no ${kind} in PEM form`, remedy: "name the right file, or convert it to PEM" };
  if (typeof text !== "string") return pem && text.wrong.endsWith(NOT_TEXT) ? noPem : text;
  if (SECRETS.includes(kind) && (statSync(path).mode & OTHERS_MODE) !== 0) {
    // A USB stick knows no rights, so there the command would change nothing.
    return {
      wrong: `everybody on this machine may use ${path}`,
      remedy: `chmod o-rwx ${path}; from a USB stick, copy it to this machine first`,
    };
  }
  if (text.trim() === "") return { wrong: `${path} is empty`, remedy: `put the ${kind} into it` };
  if (kind === "private key" && ENCRYPTED_KEY.test(text)) {
    return {
      wrong: `${path} needs a passphrase, and nobody is there to type it`,
      remedy: `take it off: openssl pkey -in ${path} -out new.key`,
    };
  }
  return pem === undefined || pem.test(text) ? undefined : noPem;
}
