/**
 * A slow card does not stop the bus: the period of a 100 ms group while every fsync takes 2 s, beside the undisturbed
 * one of the same run. Real terminal, the service as a process with its storage thread, the card that is preloaded.
 *
 *     npm run bench:slow-card [-- --seconds 20] [--json]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import process, { argv, stdout } from "node:process";
import { parseArgs } from "node:util";
import { hostClock, sleep } from "../core/clock.ts";
import { writeCertificates } from "../testing/certificates.ts";
import { DiskShim } from "../testing/disk-shim/disk-shim.ts";
import { startGateway } from "../testing/gateway-process.ts";
import { ModbusDevice } from "../testing/modbus-device.ts";
import { openPtyPair } from "../testing/pty.ts";
import { serveDevices } from "../testing/simulated-bus.ts";
import { lengthOf, readCommandLine } from "./command-line.ts";
import { atLeast, atMost, context, hasMissed, reportText, told } from "./figure.ts";
import { openScratch } from "./scratch.ts";

const USAGE = "npm run bench:slow-card [-- --seconds 20] [--json]";
const SCAN_RATE_MS = 100;
const SYNC_DELAY_MS = 2_000;
const LIMIT_MS = 10;
const SETTLE_MS = 5_000;
/** Undisturbed and slow in turn, so that what else the machine does falls on both. */
const ROUNDS = 3;
/** A bus that stands still gives no period that could be late: scans that are missing are looked for by themselves. */
const SCANS_MIN = 0.98;

const { phaseMs, json } = readCommandLine(USAGE, () => {
  const { values } = parseArgs({
    args: argv.slice(2),
    options: { seconds: { type: "string", default: "20" }, json: { type: "boolean" } },
  });
  return { phaseMs: lengthOf("--seconds", values.seconds) * 1_000, json: values.json };
});
const dir = openScratch("slow-card");
const stateDir = join(dir, "state");
const runtimeDir = join(dir, "runtime");
const shim = await DiskShim.compile();
const pair = await openPtyPair();
const meter = new ModbusDevice(1);
let requestsMs: number[] = [];
pair.master.on("data", () => requestsMs.push(hostClock.monotonicMs()));
const stopServing = serveDevices(pair.master, [meter], hostClock);
// Every read changes the tag, and no broker is there: each second wants a commit.
const counting = setIntervalOn(() => meter.set("holdingRegister", 0, Math.floor(hostClock.monotonicMs()) % 65_536));

function setIntervalOn(tick: () => void): { cancel: () => void } {
  let timer = hostClock.after(SCAN_RATE_MS / 4, again);
  function again(): void {
    tick();
    timer = hostClock.after(SCAN_RATE_MS / 4, again);
  }
  return { cancel: () => timer.cancel() };
}

/** Periods of the group, ms: requests come in one piece. */
async function measure(syncDelayMs: number): Promise<number[]> {
  shim.set({ syncDelayMs });
  await sleep(hostClock, SETTLE_MS);
  requestsMs = [];
  await sleep(hostClock, phaseMs);
  return requestsMs.slice(1).map((ms, i) => ms - (requestsMs[i] ?? ms));
}

/** How far a scan is off its period. */
function p99(periods: readonly number[]): number {
  const late = periods.map((ms) => Math.abs(ms - SCAN_RATE_MS)).sort((a, b) => a - b);
  return late[Math.floor(late.length * 0.99)] ?? Number.NaN;
}

const quiet: number[] = [];
const slow: number[] = [];
let slowSyncs = 0;
try {
  const { ca, client } = await writeCertificates(join(dir, "tls"), hostClock);
  await mkdir(runtimeDir);
  const config = join(dir, "gateway.yaml");
  const tls = `{ ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }`;
  await writeFile(
    config,
    `version: 1
gateway: { group: bench, name: slow-card }
clock: { source: host }
uplinks: { away: { servers: [ "mqtts://127.0.0.1:9" ], tls: ${tls} } }
lines:
  line-1:
    path: ${pair.path}
    devices:
      meter: { unitId: 1, scanRate: ${SCAN_RATE_MS}ms, tags: { value: { holdingRegister: 0 } } }
`,
  );
  const environment = { ...shim.environment(`${stateDir}/`), RUNTIME_DIRECTORY: runtimeDir };
  const gateway = await startGateway(config, stateDir, environment);
  for (let round = 0; round < ROUNDS; round++) {
    quiet.push(...(await measure(0)));
    const syncsBefore = shim.counts().outbox.syncs;
    slow.push(...(await measure(SYNC_DELAY_MS)));
    slowSyncs += shim.counts().outbox.syncs - syncsBefore;
  }
  shim.set({});
  await gateway.stop();
} finally {
  counting.cancel();
  stopServing();
  await pair.close();
  await shim.close();
}
// Between so many requests a phase lies one period less.
const scansWanted = ROUNDS * (phaseMs / SCAN_RATE_MS - 1);
const figures = [
  context("slow_card_quiet_scans", quiet.length, "count"),
  context("slow_card_quiet_p99", p99(quiet), "ms"),
  context("slow_card_slow_scans", slow.length, "count"),
  atLeast("slow_card_slow_scans_done", slow.length / scansWanted, "ratio", SCANS_MIN),
  // Of a card that was never asked to sync nothing is learnt.
  atLeast("slow_card_slow_syncs", slowSyncs, "count", ROUNDS),
  told("slow_card_slow_p99", p99(slow), "ms"),
  atMost("slow_card_difference", p99(slow) - p99(quiet), "ms", LIMIT_MS),
];
stdout.write(reportText({ loadAverage: loadavg()[0] ?? Number.NaN, figures }, json));
process.exitCode = hasMissed(figures) ? 1 : 0;
