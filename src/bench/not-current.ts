/**
 * How long a consumer at the far end takes a value for current after a link of its chain broke, and how soon after the
 * repair it has the right picture: by JSON and by Sparkplug, at the broker that the gateway talks to and behind a bridge.
 * Everything is real: terminals, the service as a process, two Mosquittos with TLS, the bridge between them.
 *
 *     npm run bench:not-current [-- --short | --times 20 | --keep-alive 30] [--json]
 */
import { loadavg } from "node:os";
import process, { argv, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { BREAKS, type Break, breakAndMend, type Outcome, type Seen } from "../testing/far-end/breaks.ts";
import { BridgedSite, RESPONSE_TIMEOUT_MS, RETRIES, SCAN_RATE_MS } from "../testing/far-end/bridged-site.ts";
import { SILENCE_KEEP_ALIVES } from "../uplinks/keep-alive.ts";
import { countOf, readCommandLine } from "./command-line.ts";
import { atMost, type Figure, hasMissed, reportText, told } from "./figure.ts";
import { median } from "./noise.ts";
import { openScratch } from "./scratch.ts";

const USAGE = "npm run bench:not-current [-- --short | --times 20 | --keep-alive 30] [--json]";
const TIMES = "5";
const TIMES_SHORT = "1";
/** The gateway's default. */
const KEEP_ALIVE_S = "15";
const DEVICE_LIMIT_MS = SCAN_RATE_MS + (1 + RETRIES) * RESPONSE_TIMEOUT_MS;
/** Each request and each reply that does not come has its time on the wire and its silence around it; then the way. */
const WIRE_ALLOWANCE_MS = 2 * (1 + RETRIES) * 10;
const CUT_LIMIT_MS = 1_000;
const RIGHT_LIMIT_MS = 2_000;
/** The oldest question on the link was asked within a scan of its freezing, and has 2 kB/s for its own bytes. */
const NOTICE_LIMIT_MS = 5_000 + SCAN_RATE_MS + 300;

/** The short form runs where other work does: it looks for what is broken, not for what is slow. */
const BUSY_ALLOWANCE_MS = 1_000;

const { times, keepAliveS, allowanceMs, json } = readCommandLine(USAGE, () => {
  const { values } = parseArgs({
    args: argv.slice(2),
    options: {
      short: { type: "boolean", default: false },
      times: { type: "string" },
      "keep-alive": { type: "string", default: KEEP_ALIVE_S },
      json: { type: "boolean" },
    },
  });
  return {
    times: countOf("--times", values.times ?? (values.short ? TIMES_SHORT : TIMES)),
    keepAliveS: countOf("--keep-alive", values["keep-alive"]),
    allowanceMs: values.short ? BUSY_ALLOWANCE_MS : 0,
    json: values.json,
  };
});

function knownLimitMs({ name }: Break): number {
  if (name === "device dead" || name === "adapter gone") return DEVICE_LIMIT_MS + WIRE_ALLOWANCE_MS;
  return name === "link frozen" ? SILENCE_KEEP_ALIVES * keepAliveS * 1_000 : CUT_LIMIT_MS;
}

/** The worst, held to its limit where it has one, and the one in the middle. */
function figuresOf(what: string, values: readonly number[], limitMs?: number): readonly Figure[] {
  if (values.length === 0) return [];
  const worst = Math.max(...values);
  return [
    limitMs === undefined
      ? told(`${what}_worst`, worst, "ms")
      : atMost(`${what}_worst`, worst, "ms", limitMs + allowanceMs),
    told(`${what}_median`, median(values), "ms"),
  ];
}

function figuresOfBreak(spec: Break, outcomes: readonly Outcome[]): readonly Figure[] {
  const name = spec.name.replaceAll(" ", "_");
  const seenBy = site.observers.flatMap((observer) => {
    const who = `${observer.format}_${observer.place}`;
    const seen = outcomes.flatMap((outcome) => outcome.seen.filter((one) => one.observer === observer));
    const of = (take: (one: Seen) => number | undefined) => seen.flatMap((one) => take(one) ?? []);
    const known = of(({ untilKnownMs }) => untilKnownMs);
    const right = of(({ untilRightMs }) => untilRightMs);
    const sinceConnack = of(({ sinceConnackMs }) => sinceConnackMs);
    return [
      ...figuresOf(`${name}_known_${who}`, known, knownLimitMs(spec)),
      ...figuresOf(`${name}_right_after_repair_${who}`, right),
      ...figuresOf(`${name}_right_after_connack_${who}`, sinceConnack, RIGHT_LIMIT_MS),
    ];
  });
  const noticed = outcomes.flatMap(({ noticedMs }) => noticedMs ?? []);
  return [...seenBy, ...figuresOf(`${name}_noticed_by_the_gateway`, noticed, NOTICE_LIMIT_MS)];
}

/** A moment that nobody saw is held to no limit. */
function faultsOf(spec: Break, { faults, seen }: Outcome): readonly string[] {
  if (spec.connection === undefined) return faults;
  const unseen = seen.filter(({ sinceConnackMs }) => sinceConnackMs === undefined);
  return [...faults, ...unseen.map(({ observer }) => `${spec.name}: no CONNACK for ${observer.format} was seen`)];
}

openScratch("not-current");
const site = await BridgedSite.open(keepAliveS);
try {
  await site.startGateway();
  const outcomes = new Map<Break, Outcome[]>(BREAKS.map((spec) => [spec, []]));
  // In turn: a broker that cuts a connection again within seconds looks like a fight with a clone.
  for (let nth = 0; nth < times; nth++) {
    for (const [spec, list] of outcomes) list.push(await breakAndMend(site, spec, SCAN_RATE_MS, nth / times));
  }
  const faults = [...outcomes].flatMap(([spec, list]) => list.flatMap((outcome) => faultsOf(spec, outcome)));
  for (const fault of faults) stderr.write(`${fault}\n`);
  const figures = [
    ...[...outcomes].flatMap(([spec, list]) => figuresOfBreak(spec, list)),
    atMost("not_current_faults", faults.length, "count", 0),
  ];
  stdout.write(reportText({ loadAverage: loadavg()[0] ?? Number.NaN, figures }, json));
  process.exitCode = hasMissed(figures) ? 1 : 0;
} finally {
  await site.close();
}
