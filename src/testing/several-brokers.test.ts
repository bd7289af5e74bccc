import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { startBrokerProcess } from "./broker-process.ts";
import { writeCertificates } from "./certificates.ts";
import { startMosquitto } from "./mosquitto.ts";
import { proveSeveral } from "./several-brokers.ts";

test("P4 P6: a broken or frozen way to one broker neither delays, blocks nor loses anything for the other", async (t) => {
  const certificates = await writeCertificates(await mkdtemp(join(tmpdir(), "sallyport-brokers-")), hostClock);
  t.after(() => rm(certificates.dir, { recursive: true, force: true }));
  const mosquitto = await startMosquitto({ certificates });
  t.after(() => mosquitto.close());
  const aedes = await startBrokerProcess({ certificates });
  t.after(() => aedes.kill());
  const report = await proveSeveral({
    certificates,
    brokers: [
      { name: "mosquitto", port: mosquitto.port, version: 5 },
      { name: "aedes", port: aedes.port, version: 4 },
    ],
    troubles: ["broken", "frozen"],
    phaseMs: 500,
    worker: "in-process",
    tell: (line) => t.diagnostic(line),
  });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(report.faults, []);
  for (const { history, lost } of Object.values(report.arrived)) assert.ok(history > 0 && lost === 0);
});
