/**
 * From a device's death to its tag not Good at a subscriber: real terminal, the service as a process, TLS, Mosquitto.
 * A death right after a read is found by the next one, so the limit is scan period + (1 + retries) × responseTimeout;
 * the way to the subscriber is measured in the same run and stands beside it.
 *
 *     npm run bench:device-dead [-- --deaths 20] [--json]
 */
import { loadavg } from "node:os";
import process, { stdout } from "node:process";
import { parseArgs } from "node:util";
import { hostClock, sleep } from "../core/clock.ts";
import { FieldSite, RESPONSE_TIMEOUT_MS, SCAN_RATE_MS } from "../testing/field-site.ts";
import { parseWire, type ValuesOnWire } from "../testing/wire.ts";
import { countOf, readCommandLine } from "./command-line.ts";
import { atMost, hasMissed, reportText, told } from "./figure.ts";
import { openScratch } from "./scratch.ts";

const USAGE = "npm run bench:device-dead [-- --deaths 20] [--json]";
const RETRIES = 1;
const LIMIT_MS = SCAN_RATE_MS + (1 + RETRIES) * RESPONSE_TIMEOUT_MS;
/** Each request and each reply that does not come has its own time on the wire and its silence around it. */
const WIRE_ALLOWANCE_MS = 2 * (1 + RETRIES) * 10;

interface Death {
  /** Until the gateway said Bad. */
  readonly unknownMs: number;
  /** From there until the subscriber had it. */
  readonly wayMs: number;
}

const { deathCount, json } = readCommandLine(USAGE, () => {
  const { values } = parseArgs({ options: { deaths: { type: "string", default: "20" }, json: { type: "boolean" } } });
  return { deathCount: countOf("--deaths", values.deaths), json: values.json };
});
openScratch("device-dead");
const site = await FieldSite.open();

async function die(nth: number): Promise<Death> {
  site.pump.faults = {};
  site.pump.set("holdingRegister", 0, nth);
  await site.seen(
    "it is Good",
    (reader) => reader.tag("pump/value")?.value === nth && reader.tag("pump/value")?.good === true,
  );
  await sleep(hostClock, (SCAN_RATE_MS * nth) / deathCount);
  const diedAtMs = hostClock.wallMs();
  site.pump.faults = { silent: true };
  const told = await subscriber.message("it is told as Bad", (message) => {
    return (
      message.topic.endsWith("/data") && badAfter(parseWire<ValuesOnWire>(message.payload), diedAtMs) !== undefined
    );
  });
  const arrivedMs = hostClock.wallMs();
  const badAtMs = badAfter(parseWire<ValuesOnWire>(told.payload), diedAtMs) ?? arrivedMs;
  return { unknownMs: badAtMs - diedAtMs, wayMs: arrivedMs - badAtMs };
}

function badAfter(message: ValuesOnWire, afterMs: number): number | undefined {
  return message.values.find(({ id, q, t }) => id === "pump/value" && !q && t > afterMs)?.t;
}

const subscriber = await site.subscribe();
const deaths: Death[] = [];
try {
  await site.startGateway(await site.configure());
  for (let nth = 1; nth <= deathCount; nth++) deaths.push(await die(nth));
} finally {
  await site.close();
}
const worst = (of: (death: Death) => number) => Math.max(...deaths.map(of));
const unknownMs = worst((death) => death.unknownMs);
const limitMs = LIMIT_MS + WIRE_ALLOWANCE_MS;
const figures = [
  atMost("device_dead_unknown_max", unknownMs, "ms", limitMs),
  told(
    "device_dead_way_max",
    worst((death) => death.wayMs),
    "ms",
  ),
  atMost("device_dead_ratio", unknownMs / limitMs, "ratio", 1),
];
stdout.write(reportText({ loadAverage: loadavg()[0] ?? Number.NaN, figures }, json));
process.exitCode = hasMissed(figures) ? 1 : 0;
