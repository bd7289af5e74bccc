/**
 * Certificates for tests and the demo, made on the spot: a private CA, a broker and a gateway that it signed,
 * and one of each kind that must be refused.
 */
import "reflect-metadata";

import { webcrypto } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
} from "@peculiar/x509";
import type { Clock } from "../core/clock.ts";

/** Absolute paths of PEM files. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface Certificates {
  readonly dir: string;
  /** The CA that signed everything here except `stranger`. */
  readonly ca: string;
  /** Its revocation list, which names `revoked`. */
  readonly crl: string;
  /** The one before it, which names nobody. */
  readonly earlierCrl: string;
  /** For localhost, 127.0.0.1 and ::1. */
  readonly server: Identity;
  readonly client: Identity;
  /** A second client that is in order; each one's common name is the name of its file. */
  readonly historian: Identity;
  /** Server certificates that must be refused. */
  readonly expired: Identity;
  readonly notYetValid: Identity;
  readonly wrongHost: Identity;
  readonly revoked: Identity;
  /** A client certificate that ended yesterday. */
  readonly expiredClient: Identity;
  /** Another CA, and a client certificate that it signed. */
  readonly strangerCa: string;
  readonly stranger: Identity;
}

const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
/** Days that `client` and `server` are still good for. */
export const LEAF_DAYS = 30;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const LOCAL_NAMES = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" },
] as const;

type Names = readonly { readonly type: "dns" | "ip"; readonly value: string }[];
/** Days from now, negative in the past. */
interface Validity {
  readonly fromDays: number;
  readonly toDays: number;
}
interface Leaf {
  readonly usage: ExtendedKeyUsage;
  readonly names?: Names;
  readonly validity?: Validity;
}
interface Authority {
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly file: string;
}

/** Writes them into `dir`, which it makes. Keys are readable by their owner only. */
export async function writeCertificates(dir: string, clock: Clock): Promise<Certificates> {
  await mkdir(dir, { recursive: true });
  const nowMs = clock.wallMs();
  const ca = await writeAuthority(dir, "ca", nowMs);
  const strangerCa = await writeAuthority(dir, "stranger-ca", nowMs);
  const server = (file: string, leaf: Partial<Leaf> = {}) =>
    writeLeaf(dir, file, ca, nowMs, { usage: ExtendedKeyUsage.serverAuth, names: LOCAL_NAMES, ...leaf });
  const client = (file: string, issuer: Authority, leaf: Partial<Leaf> = {}) =>
    writeLeaf(dir, file, issuer, nowMs, { usage: ExtendedKeyUsage.clientAuth, ...leaf });

  const revoked = await server("revoked");
  return {
    dir,
    ca: ca.file,
    crl: await writeCrl(dir, "crl", ca, [revoked.serialNumber], nowMs),
    earlierCrl: await writeCrl(dir, "earlier-crl", ca, [], nowMs),
    server: await server("server"),
    client: await client("client", ca),
    historian: await client("historian", ca),
    expired: await server("expired", { validity: { fromDays: -30, toDays: -1 } }),
    notYetValid: await server("not-yet-valid", { validity: { fromDays: 30, toDays: 60 } }),
    wrongHost: await server("wrong-host", { names: [{ type: "dns", value: "other.example.com" }] }),
    revoked,
    expiredClient: await client("expired-client", ca, { validity: { fromDays: -30, toDays: -1 } }),
    strangerCa: strangerCa.file,
    stranger: await client("stranger", strangerCa),
  };
}

async function writeAuthority(dir: string, file: string, nowMs: number): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const name = `CN=Sallyport test ${file}`;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: ALGORITHM,
    ...dates(nowMs, { fromDays: -CA_DAYS, toDays: CA_DAYS }),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const path = join(dir, `${file}.pem`);
  await writePem(path, certificate.rawData, "CERTIFICATE");
  return { name, keys, file: path };
}

async function writeLeaf(
  dir: string,
  file: string,
  issuer: Authority,
  nowMs: number,
  leaf: Leaf,
): Promise<Identity & { serialNumber: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${file}`,
    issuer: issuer.name,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...dates(nowMs, leaf.validity ?? { fromDays: -1, toDays: LEAF_DAYS }),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([leaf.usage]),
      ...(leaf.names === undefined ? [] : [new SubjectAlternativeNameExtension([...leaf.names])]),
      await AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
    ],
  });
  const identity = { certificate: join(dir, `${file}.pem`), key: join(dir, `${file}.key`) };
  await writePem(identity.certificate, certificate.rawData, "CERTIFICATE");
  await writePem(identity.key, await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY", 0o600);
  return { ...identity, serialNumber: certificate.serialNumber };
}

async function writeCrl(
  dir: string,
  file: string,
  issuer: Authority,
  serialNumbers: readonly string[],
  nowMs: number,
): Promise<string> {
  const crl = await X509CrlGenerator.create({
    issuer: issuer.name,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    thisUpdate: new Date(nowMs - DAY_MS),
    nextUpdate: new Date(nowMs + LEAF_DAYS * DAY_MS),
    entries: serialNumbers.map((serialNumber) => ({ serialNumber, revocationDate: new Date(nowMs - DAY_MS) })),
  });
  const path = join(dir, `${file}.pem`);
  // The library labels it "CRL", which OpenSSL does not know (RFC 7468, section 6: "X509 CRL").
  await writePem(path, crl.rawData, "X509 CRL");
  return path;
}

async function writePem(path: string, der: ArrayBuffer, label: string, mode = 0o644): Promise<void> {
  await writeFile(path, `${PemConverter.encode(der, label)}\n`, { mode });
}

function dates(nowMs: number, validity: Validity): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: new Date(nowMs + validity.fromDays * DAY_MS),
    notAfter: new Date(nowMs + validity.toDays * DAY_MS),
  };
}
