/**
 * Where the data partition keeps what came with the site:
 *
 *     DATA/site/            gateway.yaml, site.yaml and what they name; /etc/sallyport leads here. Root's; the service reads
 *     DATA/site/passwords/  root's alone: the service manager hands them over
 *     DATA/site/tls         leads to DATA/sallyport/tls
 *     DATA/sallyport/       the state directory; /var/lib/sallyport leads here
 *     DATA/sallyport/tls/   key and certificates: the service's own, for they are replaced while it runs
 */
import { join } from "node:path";
import type { Access, Owner } from "./boot-files.ts";

export const TLS = "tls";
export const OWN_KEY = "tls/gateway.key";
export const OWN_CERTIFICATE = "tls/gateway.pem";
/** Of brokers. */
export const PASSWORDS = "passwords";
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/;

export const ROOT: Owner = { uid: 0, gid: 0 };

export interface Places {
  /** On the FAT. */
  readonly site: string;
  readonly data: string;
  /** The user that the service runs as; absent where this machine has none, or may not give files away. */
  readonly service?: Owner;
}

export function installedFolder({ data }: Places): string {
  return join(data, "site");
}

export function stateFolder({ data }: Places): string {
  return join(data, "sallyport");
}

/** Beside its final place: renaming within one file system is whole or not at all. */
export function stagedFolder({ data }: Places): string {
  return join(data, "site.staged");
}

/** Where a file of the site belongs. */
export function placeOf(path: string, places: Places): string {
  return path.startsWith(`${TLS}/`) ? join(stateFolder(places), path) : join(installedFolder(places), path);
}

function isPrivateKey(content: Buffer): boolean {
  return PRIVATE_KEY.test(content.toString("latin1"));
}

/** @param ownPasswords paths of what site.yaml names: nobody but root has to read them */
export function fileAccess(
  path: string,
  content: Buffer,
  ownPasswords: ReadonlySet<string>,
  { service }: Places,
): Access {
  if (path.startsWith(`${PASSWORDS}/`) || ownPasswords.has(path)) {
    return { mode: 0o600, ...(service !== undefined && { owner: ROOT }) };
  }
  if (path.startsWith(`${TLS}/`)) {
    return { mode: isPrivateKey(content) ? 0o600 : 0o640, ...(service !== undefined && { owner: service }) };
  }
  return { mode: 0o640, ...(service !== undefined && { owner: readableBy(service) }) };
}

/** Root writes, the service reads. */
export function readableBy({ gid }: Owner): Owner {
  return { uid: ROOT.uid, gid };
}

/** Whether everybody with the card in hand may see it: what is no such file is taken off the FAT. */
export function isSecret(path: string, content: Buffer, passwords: ReadonlySet<string>): boolean {
  return passwords.has(path) || path.startsWith(`${PASSWORDS}/`) || isPrivateKey(content);
}
