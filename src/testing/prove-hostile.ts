/**
 * `npm run prove:hostile`: a gateway before a broker that means harm, one misdeed after the other and at once behaving
 * again. Nothing may be lost, nothing may end it, and its memory stays bounded.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hostClock, sleep } from "../core/clock.ts";
import { HELD_AFTER_MS } from "../uplinks/session.ts";
import { writeCertificates } from "./certificates.ts";
import { CountBook } from "./count-book.ts";
import { openCountingPlant } from "./counting-plant.ts";
import { startGateway } from "./gateway-process.ts";
import { allAtOnce, misdeeds, startHostileBroker } from "./hostile-broker.ts";
import type { WireMessage } from "./ledger.ts";
import { residentBytesOf, unitEnvironment } from "./process-figures.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    only: { type: "string" },
    /** All floods at once, for a moment. */
    short: { type: "boolean", default: false },
  },
});
const TOPIC = "proof/gateway";
const LISTENS_TO = ["spBv1.0/STATE/scada-1", "spBv1.0/proof/NCMD/gateway", "spBv1.0/proof/DCMD/gateway/d1-1"];
const CATCH_UP_LIMIT_MS = 60_000;
const LOOK_MS = 100;
const UPLINKS = 2;
const MB = 1_048_576;
/** Above what it took before the first misdeed, with the heap that the unit gives it; the unit ends it at 512 MB. */
const GROWTH_MAX_MB = 128;

const dir = await mkdtemp(join(tmpdir(), "sallyport-hostile-"));
const certificates = await writeCertificates(join(dir, "tls"), hostClock);
const counts = new CountBook([]);
const broker = await startHostileBroker(certificates, ({ topic, payload }) => {
  if (topic !== `${TOPIC}/data` && topic !== `${TOPIC}/history`) return;
  counts.arrived(JSON.parse(payload.toString()) as WireMessage);
});
const plant = await openCountingPlant({ lines: 1, devicesPerLine: 2, tagsPerDevice: 50, scanRateMs: 500 });
const { ca, client } = certificates;
const uplink = `servers: [ "${broker.url}" ], tls: { ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }, reconnect: { spread: 1s, max: 2s }`;
const file = join(dir, "gateway.yaml");
await writeFile(
  file,
  `version: 1
gateway: { group: proof, name: gateway }
uplinks:
  cloud: { ${uplink} }
  scada: { ${uplink}, format: sparkplug }
clock: { source: host }
${plant.yaml}`,
);
const gateway = await startGateway(file, join(dir, "state"), await unitEnvironment());
const faults: string[] = [];
await caughtUp("before any of it");
const before = await residentMb();
let served = 0;
const chosen = values.short
  ? [allAtOnce(LISTENS_TO)]
  : misdeeds(LISTENS_TO).filter(({ name }) => values.only === undefined || name.includes(values.only));
for (const [index, misdeed] of chosen.entries()) {
  broker.harm(misdeed, UPLINKS);
  await sleep(hostClock, Number(values.seconds) * 1_000);
  const during = await residentMb();
  broker.behave();
  await caughtUp(misdeed.name);
  // A session that did not hold would count towards a fight for the client id, and the gateway draw back for minutes.
  if (index < chosen.length - 1) await sleep(hostClock, HELD_AFTER_MS + LOOK_MS);
  tell(`${misdeed.name}: ${during.now.toFixed(0)} MB, at most ${(await residentMb()).peak.toFixed(0)} MB`);
}
plant.fallSilent();
await caughtUp("at the end");
for (const replies of plant.served.values()) served += replies.length * plant.tagsPerDevice;
const holes = counts.holes(plant.served, plant.tagsPerDevice);
if (holes.length > 0) faults.push(`${holes.length} of ${served} values are missing`);
const { peak } = await residentMb();
if (peak - before.now > GROWTH_MAX_MB) faults.push(`its memory grew by ${(peak - before.now).toFixed(0)} MB`);
const code = await gateway.stop();
if (code !== 0) faults.push(`it ended with ${code}`);
await broker.close();
await plant.close();
await rm(dir, { recursive: true, force: true });
tell(
  `${served} values served, ${holes.length} missing; ${before.now.toFixed(0)} MB before, at most ${peak.toFixed(0)} MB`,
);
for (const fault of faults) tell(`FAULT ${fault}`);
process.exit(faults.length === 0 ? 0 : 1);

/** All that was served up to now has arrived; the other uplink may go on as it likes. */
async function caughtUp(when: string): Promise<void> {
  const beforeMs = hostClock.wallMs();
  const deadlineMs = hostClock.monotonicMs() + CATCH_UP_LIMIT_MS;
  while (!counts.caughtUp(plant.served, plant.tagsPerDevice, beforeMs)) {
    if (hostClock.monotonicMs() > deadlineMs) {
      faults.push(`${when}: not all there after ${CATCH_UP_LIMIT_MS} ms: ${gateway.log().slice(-600)}`);
      return;
    }
    await sleep(hostClock, LOOK_MS);
  }
}

async function residentMb(): Promise<{ readonly now: number; readonly peak: number }> {
  const { now, peak } = await residentBytesOf(gateway.pid);
  return { now: now / MB, peak: peak / MB };
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
