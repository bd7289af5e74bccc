import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { type Certificates, type Identity, writeCertificates } from "./certificates.ts";

let certificates: Certificates;
before(async () => {
  certificates = await writeCertificates(await mkdtemp(join(tmpdir(), "sallyport-certificates-")), hostClock);
});
after(() => rm(certificates.dir, { recursive: true, force: true }));

async function read(path: string): Promise<X509Certificate> {
  return new X509Certificate(await readFile(path));
}

test("each is signed by the CA it is said to be of, with the key beside it, which is the owner's only", async () => {
  const { server, client, expired, notYetValid, wrongHost, revoked, expiredClient, stranger } = certificates;
  const ca = await read(certificates.ca);
  const strangerCa = await read(certificates.strangerCa);
  const check = async (identity: Identity, issuer: X509Certificate) => {
    const certificate = await read(identity.certificate);
    assert.ok(certificate.verify(issuer.publicKey), identity.certificate);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(await readFile(identity.key))), identity.key);
    assert.equal((await stat(identity.key)).mode & 0o777, 0o600);
  };
  for (const one of [server, client, expired, notYetValid, wrongHost, revoked, expiredClient]) await check(one, ca);
  await check(stranger, strangerCa);
  assert.equal((await read(stranger.certificate)).verify(ca.publicKey), false);
});

test("each is good or bad in its own way only", async () => {
  const nowMs = hostClock.wallMs();
  const valid = async ({ certificate }: Identity) => {
    const { validFrom, validTo } = await read(certificate);
    return Date.parse(validFrom) < nowMs && nowMs < Date.parse(validTo);
  };
  const { server, client, expired, notYetValid, wrongHost, expiredClient } = certificates;
  const all = await Promise.all([server, client, wrongHost, expired, notYetValid, expiredClient].map(valid));
  assert.deepEqual(all, [true, true, true, false, false, false]);
  const name = async ({ certificate }: Identity) => (await read(certificate)).checkHost("localhost");
  assert.deepEqual(await Promise.all([server, expired, notYetValid, wrongHost].map(name)), [
    "localhost",
    "localhost",
    "localhost",
    undefined,
  ]);
  assert.equal((await read(server.certificate)).checkIP("127.0.0.1"), "127.0.0.1");
});
