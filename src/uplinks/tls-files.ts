/** The files that secure a connection, read anew for each, so that a renewed certificate needs no restart. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Login, UplinkConfig } from "../config/config.ts";
import { messageOf } from "../core/errors.ts";
import { passwordIn } from "../core/password.ts";
import { ConnectFailure } from "../pipeline.ts";
import { file, type Validity } from "./tls-failure.ts";

const FINGERPRINT_CHARS = 16;

/** PEM texts, ready for tls.connect(). */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly crl?: string;
}

/** Rejects with a ConnectFailure that names the file and its key in gateway.yaml. */
export async function readTlsFiles(tls: UplinkConfig["tls"]): Promise<TlsFiles> {
  const [ca, cert, key, crl] = await Promise.all([
    optionalText(tls.ca, "tls.ca"),
    optionalText(tls.certificate, "tls.certificate"),
    optionalText(tls.key, "tls.key"),
    optionalText(tls.crl, "tls.crl"),
  ]);
  // OpenSSL ignores a CA file without a certificate in it, and the broker would seem to be at fault.
  if (ca !== undefined) parseCertificate(ca, file(tls.ca, "tls.ca"));
  if (cert !== undefined && key !== undefined) checkPair(cert, key, tls);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(crl !== undefined && { crl }),
  };
}

/** The password of a login. */
export async function readPassword(login: Login, key: string): Promise<string> {
  return passwordIn(await text(login.passwordFile, key));
}

/** From when to when a PEM certificate is valid; of a chain, its first. */
export function validityOf(pem: string): Validity {
  const certificate = new X509Certificate(pem);
  return { fromMs: Date.parse(certificate.validFrom), toMs: Date.parse(certificate.validTo) };
}

/** Short, and enough to tell one certificate from another; of a chain, its first. */
export function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(":", "").slice(0, FINGERPRINT_CHARS).toLowerCase();
}

function checkPair(cert: string, key: string, tls: UplinkConfig["tls"]): void {
  const certificateName = file(tls.certificate, "tls.certificate");
  const keyName = file(tls.key, "tls.key");
  const certificate = parseCertificate(cert, certificateName);
  let privateKey: ReturnType<typeof createPrivateKey>;
  try {
    privateKey = createPrivateKey(key);
  } catch (error) {
    const encrypted = /ENCRYPTED/.test(key);
    const why = encrypted ? "is locked with a passphrase; save it without one" : `is not a private key in PEM form`;
    throw new ConnectFailure(`${keyName} ${why} (${messageOf(error)})`);
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new ConnectFailure(
      `${keyName} is not the key of ${certificateName}; the two files belong to different certificates`,
    );
  }
}

function parseCertificate(pem: string, name: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new ConnectFailure(`${name} is not a certificate in PEM form (it begins with -----BEGIN CERTIFICATE-----)`);
  }
}

async function optionalText(path: string | undefined, key: string): Promise<string | undefined> {
  return path === undefined ? undefined : await text(path, key);
}

async function text(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new ConnectFailure(`cannot read ${path} (${key}): ${messageOf(error)}`);
  }
}
