import assert from "node:assert/strict";
import { appendFile, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createLog } from "../core/log.ts";
import { type Certificates, LEAF_DAYS, writeCertificates } from "../testing/certificates.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { CertificateWatch } from "./certificate-watch.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** The certificates are made at noon. */
const NOON_MS = Date.UTC(2026, 0, 1, 12);

let certificates: Certificates;
before(async () => {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-watch-"));
  certificates = await writeCertificates(dir, new VirtualClock(NOON_MS));
});
after(() => rm(certificates.dir, { recursive: true, force: true }));

function watch(tls: ConstructorParameters<typeof CertificateWatch>[0], daysBefore: number) {
  const clock = new VirtualClock(NOON_MS + (LEAF_DAYS - daysBefore) * DAY_MS - DAY_MS / 2);
  const told: string[] = [];
  const log = createLog({ write: (line) => told.push(line), level: "info", format: "text" });
  const watched = new CertificateWatch(tls, clock, log);
  const pass = async (days: number) => {
    clock.stepWall(days * DAY_MS);
    await clock.advance(MINUTE_MS);
    return watched.days();
  };
  return { watched, told, clock, pass };
}

test("P2: its end is told 90, 30 and 7 days before, and when it has come; each once", async () => {
  const { certificate } = certificates.client;
  const { watched, told, pass } = watch({ certificate }, 100);
  const after: [days: number | undefined, told: number][] = [[watched.days(), told.length]];
  for (const days of [9, 1, 1, 58, 1, 1, 22, 1, 1, 6, 1, 1]) after.push([await pass(days), told.length]);
  assert.deepEqual(after, [
    [100, 0],
    [91, 0],
    [90, 1],
    [89, 1],
    [31, 1],
    [30, 2],
    [29, 2],
    [7, 3],
    [6, 3],
    [5, 3],
    [-1, 4],
    [-2, 4],
    [-3, 4],
  ]);
  assert.match(told[0] ?? "", /warning: client\.pem \(tls\.certificate\) expires on 2026-01-31, in 90 days; renew it/);
  assert.match(told[3] ?? "", /client\.pem \(tls\.certificate\) expired on 2026-01-31, by this gateway's clock/);
});

test("a renewed certificate is watched from its own date on", async () => {
  const certificate = join(certificates.dir, "renewed.pem");
  await copyFile(certificates.expiredClient.certificate, certificate);
  const { watched, told, pass } = watch({ certificate }, 30);
  assert.equal(watched.days(), -1);
  assert.match(told.join(), /expired on 2025-12-31/);
  await copyFile(certificates.client.certificate, certificate);
  assert.equal(await pass(0), 30);
  assert.equal(told.length, 1, "what is less urgent than what was told before is no news");
  assert.equal(await pass(23), 7);
  assert.match(told[1] ?? "", /in 7 days/);
});

test("the CA is watched too: of several, the one that lasts longest; of a chain, the gateway's own", async () => {
  const ca = join(certificates.dir, "cas.pem");
  await copyFile(certificates.expired.certificate, ca);
  await appendFile(ca, await readFile(certificates.server.certificate));
  const chain = join(certificates.dir, "chain.pem");
  await copyFile(certificates.client.certificate, chain);
  await appendFile(chain, await readFile(certificates.ca));
  const { watched, told } = watch({ ca, certificate: chain }, 7);
  assert.equal(watched.days(), 7);
  assert.match(told.join(""), /chain\.pem \(tls\.certificate\) .* in 7 days.*\n.*cas\.pem \(tls\.ca\) .* in 7 days/);
});

test("what cannot be read has no date, and nothing is said of it", async () => {
  const certificate = join(certificates.dir, "broken.pem");
  const { watched, told } = watch({ certificate }, 1);
  assert.equal(watched.days(), undefined);
  await writeFile(certificate, "no certificate");
  assert.equal(watched.days(), undefined);
  assert.deepEqual(told, []);
});
